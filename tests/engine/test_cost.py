"""A decision stands on every call's path: what it may cost, in processor time, with room for a busy machine."""

from __future__ import annotations

import time

from gateway.engine import decide
from gateway.terms import Question
from tests.engine.questions import bucket, candidate, question
from tests.engine.test_packs import demo


def best_milliseconds(asked: Question, *, rounds: int) -> float:
    """The quickest of several decisions: what it costs when nothing else is in the way."""
    demo_policy, taken = demo(), []
    for _ in range(rounds):
        began = time.process_time()
        decide(demo_policy, asked)
        taken.append(time.process_time() - began)
    return min(taken) * 1_000


def test_an_everyday_question_takes_less_than_a_millisecond() -> None:
    assert best_milliseconds(question(), rounds=200) < 1.0


def test_the_largest_question_on_one_action_takes_less_than_half_a_second() -> None:
    thousand = tuple(bucket(f"b{number}") for number in range(1_000))
    assert best_milliseconds(question(candidate(resources=thousand)), rounds=3) < 500
