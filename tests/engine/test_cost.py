"""A decision stands on every call's path: what it may cost, in processor time, with room for a busy machine."""

from __future__ import annotations

import json
import time

from gateway.engine import decide
from gateway.terms import AccessClass, Question
from tests.engine.questions import bucket, candidate, question
from tests.engine.test_starting_packs import demo


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


def test_a_write_whose_facts_are_asked_about_takes_less_than_two_milliseconds() -> None:
    item = {f"attribute{number}": {"S": "x" * 50} for number in range(20)}
    write = candidate("dynamodb:PutItem", AccessClass.WRITE, parameters={"TableName": "orders", "Item": item})
    assert best_milliseconds(question(write), rounds=100) < 2.0


def test_a_policy_document_of_the_largest_size_takes_less_than_a_tenth_of_a_second() -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "s3:GetObject", "Resource": "*"}
    document = json.dumps({"Statement": [statement] * 200})
    write = candidate("s3:PutBucketPolicy", AccessClass.PERMISSIONS, parameters={"Bucket": "b", "Policy": document})
    assert best_milliseconds(question(write), rounds=10) < 100


def test_the_largest_question_on_one_action_takes_less_than_half_a_second() -> None:
    thousand = tuple(bucket(f"b{number}") for number in range(1_000))
    assert best_milliseconds(question(candidate(resources=thousand)), rounds=3) < 500
