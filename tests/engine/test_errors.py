"""A rule that cannot be evaluated denies: Cedar itself would skip it, and a skipped forbid is an open door."""

from __future__ import annotations

import pytest

from gateway.engine import CompiledRevision, decide
from gateway.terms import Effect, SessionCounters
from tests.engine.questions import ANYTHING, answer, bucket, candidate, compiled, question

# Overflow passes the strictest type check and errs only when it is evaluated.
OVERFLOWS = "context.session.bytes_out * 9223372036854775807 > 1"
BUSY = SessionCounters(bytes_out=10)


def test_a_forbid_whose_condition_errs_denies() -> None:
    decision = answer(
        ANYTHING,
        f'@id("broken") forbid (principal, action, resource) when {{ {OVERFLOWS} }};',
        to=question(session=BUSY),
    )
    assert (decision.effect, decision.reason) == (Effect.DENY, "evaluation_error")
    assert "broken" in decision.errors[0]


def test_a_permit_whose_condition_errs_denies_even_beside_one_that_matches() -> None:
    broken = f'@id("broken") permit (principal, action, resource) when {{ {OVERFLOWS} }};'
    assert answer(ANYTHING, broken, to=question(session=BUSY)).effect is Effect.DENY


def test_an_ask_whose_condition_errs_denies() -> None:
    broken = f"""@id("broken") @effect("ask") @approvers("platform")
    forbid (principal, action, resource) when {{ {OVERFLOWS} }};"""
    decision = answer(ANYTHING, broken, to=question(session=BUSY))
    assert (decision.effect, decision.asks) == (Effect.DENY, ())
    assert decision.reason == "evaluation_error"


def test_a_rule_that_errs_for_other_actions_only_does_no_harm() -> None:
    broken = f'@id("broken") forbid (principal, action == Action::"s3:PutObject", resource) when {{ {OVERFLOWS} }};'
    assert answer(ANYTHING, broken, to=question(session=BUSY)).effect is Effect.ALLOW


def test_a_missing_attribute_denies_should_a_revision_ever_reach_one() -> None:
    """Publishing refuses such a rule; a revision from a cache has not been checked again."""
    whole = compiled(ANYTHING, '@id("typed") forbid (principal, action, resource) when { context.hour > 20 };')
    stale = CompiledRevision.loads(whole.dumps().replace(b"hour", b"hood"))
    assert (decide(whole, question()).effect, decide(stale, question()).effect) == (Effect.ALLOW, Effect.DENY)
    assert "hood" in decide(stale, question()).errors[0]


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_a_number_past_64_bits_denies(value: int) -> None:
    busy = '@id("busy") forbid (principal, action, resource) when { context.session.calls > 100 };'
    decision = answer(ANYTHING, busy, to=question(session=SessionCounters(calls=value)))
    assert (decision.effect, decision.reason) == (Effect.DENY, "evaluation_error")


def test_half_a_character_denies_and_is_not_quoted() -> None:
    decision = answer(ANYTHING, to=question(candidate(resources=(bucket("half-\ud800"),))))
    assert decision.effect is Effect.DENY
    assert all("\ud800" not in error for error in decision.errors)


def test_errors_of_a_denied_call_are_listed_once() -> None:
    broken = f'@id("broken") forbid (principal, action, resource) when {{ {OVERFLOWS} }};'
    two = question(candidate(), candidate(), session=BUSY)
    assert len(answer(ANYTHING, broken, to=two).errors) == 1
