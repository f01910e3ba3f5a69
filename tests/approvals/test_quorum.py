"""When answers are enough: distinct people, every requirement by itself, one refusal refuses."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.quorum import Ballot, Requirement, Standing, approvers_of, missing, standing, unsatisfied

ALICE, BOB, CAROL = UUID(int=1), UUID(int=2), UUID(int=3)
OPERATORS = Requirement(rule_id="terminate", group="operators", quorum=1)
TWO_OPERATORS = Requirement(rule_id="terminate", group="operators", quorum=2)
SECURITY = Requirement(rule_id="production", group="security", quorum=1)


def yes(person: UUID, *groups: str) -> Ballot:
    return Ballot(person=person, groups=frozenset(groups), approves=True)


def no(person: UUID, *groups: str) -> Ballot:
    return Ballot(person=person, groups=frozenset(groups), approves=False)


def test_nobody_asked_yet_is_pending() -> None:
    assert standing([OPERATORS], []) is Standing.PENDING


def test_one_approval_satisfies_a_quorum_of_one() -> None:
    assert standing([OPERATORS], [yes(BOB, "operators")]) is Standing.SATISFIED


def test_more_approvals_than_needed_still_satisfy() -> None:
    ballots = [yes(BOB, "operators"), yes(CAROL, "operators"), yes(ALICE, "operators")]
    assert standing([TWO_OPERATORS], ballots) is Standing.SATISFIED
    assert missing(TWO_OPERATORS, ballots) == 0


def test_the_same_person_twice_is_one_person() -> None:
    ballots = [yes(BOB, "operators"), yes(BOB, "operators")]
    assert standing([TWO_OPERATORS], ballots) is Standing.PENDING
    assert missing(TWO_OPERATORS, ballots) == 1


def test_a_person_in_several_groups_counts_once_for_one_requirement() -> None:
    assert approvers_of(TWO_OPERATORS, [yes(BOB, "operators", "security", "owners")]) == {BOB}


def test_a_person_in_both_groups_counts_for_both_requirements() -> None:
    assert standing([OPERATORS, SECURITY], [yes(CAROL, "operators", "security")]) is Standing.SATISFIED


def test_each_requirement_is_satisfied_by_itself() -> None:
    ballots = [yes(BOB, "operators"), yes(ALICE, "operators")]
    assert standing([TWO_OPERATORS, SECURITY], ballots) is Standing.PENDING
    assert unsatisfied([TWO_OPERATORS, SECURITY], ballots) == (SECURITY,)


def test_an_approval_from_outside_the_group_counts_for_nothing() -> None:
    assert standing([SECURITY], [yes(BOB, "operators")]) is Standing.PENDING


def test_one_refusal_refuses_however_many_approve() -> None:
    ballots = [yes(BOB, "operators"), yes(CAROL, "operators"), no(ALICE, "operators")]
    assert standing([OPERATORS], ballots) is Standing.REFUSED


def test_approvers_that_lead_to_no_group_are_never_satisfied() -> None:
    nobody = Requirement(rule_id="typo", group=None)
    assert standing([nobody], [yes(BOB, "operators", "", "None")]) is Standing.PENDING


def test_nothing_required_is_no_approval() -> None:
    assert standing([], []) is Standing.PENDING
    assert standing([], [yes(BOB, "operators")]) is Standing.PENDING


@pytest.mark.parametrize("quorum", [0, -1])
def test_a_quorum_of_nobody_cannot_be_made(quorum: int) -> None:
    with pytest.raises(ValueError, match="terminate"):
        Requirement(rule_id="terminate", group="operators", quorum=quorum)


people = st.integers(1, 6).map(lambda number: UUID(int=number))
groups = st.sampled_from(["operators", "security", "owners", "auditors"])
requirements = st.lists(
    st.builds(
        Requirement,
        rule_id=st.sampled_from(["a", "b", "c"]),
        group=groups,
        quorum=st.integers(min_value=1, max_value=4),
    ),
    min_size=1,
    max_size=4,
)
ballot_lists = st.lists(
    st.builds(Ballot, person=people, groups=st.frozensets(groups, max_size=4), approves=st.booleans()), max_size=10
)


def _counted(requirement: Requirement, ballots: Sequence[Ballot]) -> int:
    """The definition, spelt out: how many of the six people approved while in the group."""
    return sum(
        any(one.person.int == number and one.approves and requirement.group in one.groups for one in ballots)
        for number in range(1, 7)
    )


@given(requirements, ballot_lists)
def test_a_standing_is_what_the_definition_says(asked: list[Requirement], ballots: list[Ballot]) -> None:
    if any(not one.approves for one in ballots):
        expected = Standing.REFUSED
    elif all(_counted(one, ballots) >= one.quorum for one in asked):
        expected = Standing.SATISFIED
    else:
        expected = Standing.PENDING
    assert standing(asked, ballots) is expected


@given(requirements, ballot_lists, st.randoms())
def test_the_order_of_answers_does_not_matter(asked: list[Requirement], ballots: list[Ballot], random: object) -> None:
    shuffled = list(ballots)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis's own Random
    assert standing(asked, shuffled) is standing(asked, ballots)


@given(requirements, ballot_lists, people, st.frozensets(groups, min_size=1))
def test_one_more_approval_never_undoes_a_grant(
    asked: list[Requirement], ballots: list[Ballot], person: UUID, of: frozenset[str]
) -> None:
    ballots = [one for one in ballots if one.approves]
    more = [*ballots, Ballot(person=person, groups=of, approves=True)]
    if standing(asked, ballots) is Standing.SATISFIED:
        assert standing(asked, more) is Standing.SATISFIED


@given(requirements, ballot_lists, people, groups, groups)
def test_a_second_group_never_makes_one_person_count_as_two(
    asked: list[Requirement], ballots: list[Ballot], person: UUID, one: str, other: str
) -> None:
    once = [*ballots, Ballot(person=person, groups=frozenset({one, other}), approves=True)]
    for requirement in asked:
        assert len(approvers_of(requirement, [*once, *once])) <= len({ballot.person for ballot in once})
        assert approvers_of(requirement, [*once, *once]) == approvers_of(requirement, once)
