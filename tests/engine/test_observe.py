"""A connection that only observes forwards, and the record says what policy would have done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.terms import Effect, SessionCounters
from tests.engine.questions import ANYTHING, answer, candidate, question

ASK = '@id("ask") @effect("ask") @approvers("platform") forbid (principal, action, resource);'
NO = '@id("no") @advice("Do not.") forbid (principal, action, resource);'


@pytest.mark.parametrize(
    ("rules", "effect"), [((ANYTHING,), Effect.ALLOW), ((ANYTHING, ASK), Effect.ASK), ((ANYTHING, NO), Effect.DENY)]
)
def test_observing_forwards_and_records_the_effect(rules: tuple[str, ...], effect: Effect) -> None:
    decision = answer(*rules, observe=True)
    assert (decision.effect, decision.would_be, decision.asks) == (Effect.ALLOW, effect, ())


def test_observing_changes_nothing_else() -> None:
    enforced, observed = answer(ANYTHING, NO), answer(ANYTHING, NO, observe=True)
    assert observed == replace(enforced, effect=Effect.ALLOW, would_be=Effect.DENY)


def test_an_enforced_decision_has_no_would_be() -> None:
    assert answer(ANYTHING, NO).would_be is None


def test_errors_are_recorded_when_observing() -> None:
    overflow = """@id("broken") forbid (principal, action, resource)
    when { context.session.bytes_out * 9223372036854775807 > 1 };"""
    decision = answer(ANYTHING, overflow, to=question(session=SessionCounters(bytes_out=2)), observe=True)
    assert (decision.effect, decision.would_be, decision.reason) == (Effect.ALLOW, Effect.DENY, "evaluation_error")
    assert decision.errors


def test_what_would_be_denied_clears_no_masks() -> None:
    clears = '@id("clears") @clear("body") permit (principal, action, resource);'
    assert answer(clears, observe=True).clear == ("body",)
    assert answer(clears, NO, observe=True).clear == ()


def test_unmodelled_operations_are_recorded_as_such() -> None:
    decision = answer(ANYTHING, to=question(candidate(is_modelled=False)), observe=True)
    assert (decision.would_be, decision.reason) == (Effect.DENY, "unmodelled")
