"""Which mask types a decision adds and which it clears."""

from __future__ import annotations

import pytest

from gateway.engine import PolicyRejected, compile_revision
from gateway.terms import AccessClass, Action, Effect
from tests.engine.questions import ANYTHING, answer, bucket, candidate, question

MASK_EMAIL = '@id("mask-email") @mask("email") permit (principal, action, resource);'
MASK_IBAN = '@id("mask-iban") @mask("iban, phone") permit (principal, action, resource);'
CLEAR_EMAIL = '@id("clear-email") @clear("email") permit (principal, action, resource);'
CLEAR_IN_PUBLIC = """@id("clear-public") @clear("body")
permit (principal, action, resource == Hoopweb::Resource::"arn:aws:s3:::public");"""


def test_masks_are_the_union_over_every_matched_permit() -> None:
    assert answer(MASK_EMAIL, MASK_IBAN).masks == ("email", "iban", "phone")


def test_a_permit_that_does_not_match_masks_nothing() -> None:
    elsewhere = '@id("m") @mask("email") permit (principal, action == Action::"s3:PutObject", resource);'
    assert answer(ANYTHING, elsewhere).masks == ()


def test_masks_are_the_union_over_every_resource_of_the_call() -> None:
    private = """@id("private") @mask("email")
    permit (principal, action, resource == Hoopweb::Resource::"arn:aws:s3:::private");"""
    both = question(candidate(resources=(bucket("public"), bucket("private"))))
    assert answer(ANYTHING, private, to=both).masks == ("email",)


def test_a_matched_permit_clears_beside_one_that_says_nothing() -> None:
    assert answer(ANYTHING, CLEAR_EMAIL).clear == ("email",)


def test_a_mask_outweighs_a_clear() -> None:
    decision = answer(CLEAR_EMAIL, MASK_EMAIL)
    assert (decision.masks, decision.clear) == (("email",), ())


def test_a_type_is_cleared_only_if_it_is_cleared_for_every_resource_of_the_call() -> None:
    public = candidate(resources=(bucket("public"),))
    both = candidate(resources=(bucket("public"), bucket("private")))
    assert answer(ANYTHING, CLEAR_IN_PUBLIC, to=question(public)).clear == ("body",)
    assert answer(ANYTHING, CLEAR_IN_PUBLIC, to=question(both)).clear == ()


def test_a_type_is_cleared_only_if_it_is_cleared_for_every_action_of_the_call() -> None:
    reads = '@id("clear-reads") @clear("body") permit (principal, action == Action::"s3:GetObject", resource);'
    copies = candidate(
        actions=(
            Action(name="s3:GetObject", access=AccessClass.READ),
            Action(name="s3:PutObject", access=AccessClass.WRITE),
        )
    )
    assert answer(ANYTHING, reads, to=question(copies)).clear == ()


def test_a_type_is_cleared_only_if_it_is_cleared_in_every_reading() -> None:
    readings = question(candidate(resources=(bucket("public"),)), candidate())
    assert answer(ANYTHING, CLEAR_IN_PUBLIC, to=readings).clear == ()


def test_a_held_call_keeps_its_masks_for_when_it_runs() -> None:
    ask = '@id("ask") @effect("ask") @approvers("platform") forbid (principal, action, resource);'
    decision = answer(MASK_EMAIL, ask)
    assert (decision.effect, decision.masks) == (Effect.ASK, ("email",))


def test_a_denied_call_carries_no_masks() -> None:
    decision = answer(MASK_EMAIL, '@id("no") forbid (principal, action, resource);')
    assert (decision.effect, decision.masks, decision.clear) == (Effect.DENY, (), ())


DECOYS = '@id("decoys") @mask("{}") permit (principal, action, resource);'


@pytest.mark.parametrize(
    ("said", "masks"),
    [
        ("decoy", ("all-decoy",)),
        ("password, decoy", ("password-decoy",)),
        ("email, password, decoy", ("email-decoy", "password-decoy")),
        ("password-decoy, email", ("email", "password-decoy")),
    ],
)
def test_decoy_behind_a_list_is_for_each_type_in_it(said: str, masks: tuple[str, ...]) -> None:
    assert answer(DECOYS.format(said)).masks == masks


@pytest.mark.parametrize("said", ["decoy, password", "email-token, decoy", "decoy, decoy", "card-last4, decoy"])
def test_a_list_that_says_two_ways_of_writing_is_refused(said: str) -> None:
    with pytest.raises(PolicyRejected):
        compile_revision(DECOYS.format(said), revision="r1")


def test_a_type_written_as_decoys_is_not_cleared_by_another_rule() -> None:
    clear = '@id("clear") @clear("password") permit (principal, action, resource);'
    decision = answer(DECOYS.format("password, decoy"), clear)
    assert (decision.masks, decision.clear) == (("password-decoy",), ())
