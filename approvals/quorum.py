"""When people's answers are enough: requirements and ballots in, a standing out. Pure.

Who may vote at all, and what a grant sets off, is `approvals.services`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One matched ask rule: `quorum` distinct members of `group` must approve.

    `group` is None where the approvers' name leads to no group: such a requirement is never satisfied.
    """

    rule_id: str
    group: str | None
    quorum: int = 1

    def __post_init__(self) -> None:
        # A quorum of none would be an approval nobody gave.
        if self.quorum < 1:
            raise ValueError(f"{self.rule_id}: a quorum is at least one person")

    def is_open_to(self, groups: Iterable[str]) -> bool:
        """Say whether somebody in these groups is one of the people asked."""
        return self.group is not None and self.group in groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """One answer of one person, with the groups the person was in as of then."""

    person: UUID
    groups: frozenset[str]
    approves: bool


class Standing(StrEnum):
    PENDING = "pending"
    SATISFIED = "satisfied"
    REFUSED = "refused"


def approvers_of(requirement: Requirement, ballots: Iterable[Ballot]) -> frozenset[UUID]:
    """Return the distinct people whose approval counts for the requirement; a person counts once, however often asked."""
    return frozenset(one.person for one in ballots if one.approves and requirement.is_open_to(one.groups))


def missing(requirement: Requirement, ballots: Iterable[Ballot]) -> int:
    """Return how many more people must approve; never negative, since more approvals than asked for are fine."""
    return max(0, requirement.quorum - len(approvers_of(requirement, ballots)))


def unsatisfied(requirements: Iterable[Requirement], ballots: Sequence[Ballot]) -> tuple[Requirement, ...]:
    """Return the requirements that still wait for people, in order."""
    return tuple(one for one in requirements if missing(one, ballots))


def standing(requirements: Sequence[Requirement], ballots: Sequence[Ballot]) -> Standing:
    """Return where a request stands. One refusal refuses; every requirement must be satisfied by itself.

    One person may count for several requirements whose groups he is in, and once for each. Nothing required is
    not an approval: an empty list stays pending until it expires.
    """
    if any(not one.approves for one in ballots):
        return Standing.REFUSED
    if not requirements or unsatisfied(requirements, ballots):
        return Standing.PENDING
    return Standing.SATISFIED
