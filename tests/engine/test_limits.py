"""How much one call may ask about."""

from __future__ import annotations

import pytest

from gateway.terms import AccessClass, Action, Effect, Resource
from tests.engine.questions import ANYTHING, answer, bucket, candidate, question


def many(count: int) -> tuple[Resource, ...]:
    return tuple(bucket(f"b{number}") for number in range(count))


def test_a_thousand_resources_are_each_asked_about() -> None:
    last = '@id("last") forbid (principal, action, resource == Hoopweb::Resource::"arn:aws:s3:::b999");'
    thousand = question(candidate(resources=many(1_000)))
    assert answer(ANYTHING, to=thousand).effect is Effect.ALLOW
    assert answer(ANYTHING, last, to=thousand).rule_ids == ("last",)


def test_one_more_is_denied_unread() -> None:
    decision = answer(ANYTHING, to=question(candidate(resources=many(1_001))))
    assert (decision.effect, decision.reason, decision.rule_ids) == (Effect.DENY, "too_many_resources", ())


def test_one_reading_with_too_many_resources_denies_all_readings() -> None:
    asked = question(candidate(), candidate(resources=many(1_001)))
    assert answer(ANYTHING, to=asked).reason == "too_many_resources"


@pytest.mark.parametrize(("actions", "effect"), [(5, Effect.ALLOW), (6, Effect.DENY)])
def test_actions_times_resources_are_bounded_too(actions: int, effect: Effect) -> None:
    named = tuple(Action(name=f"s3:Get{number}", access=AccessClass.READ) for number in range(actions))
    assert answer(ANYTHING, to=question(candidate(actions=named, resources=many(1_000)))).effect is effect
