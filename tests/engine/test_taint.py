"""What a call leaves on its session: read untrusted text, touched a secret."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.engine.catalogue import complaint_about
from gateway.engine.taint import SECRET_ACTIONS, UNTRUSTED_ACTIONS, Taint, taints_of
from gateway.terms import AccessClass, Action
from tests.engine.questions import candidate


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("sqs:ReceiveMessage", {}, (Taint.UNTRUSTED,)),
        ("logs:FilterLogEvents", {}, (Taint.UNTRUSTED,)),
        ("secretsmanager:GetSecretValue", {}, (Taint.SECRET,)),
        ("kms:Decrypt", {}, (Taint.SECRET,)),
        ("ssm:GetParameter", {"WithDecryption": True}, (Taint.SECRET,)),
        ("ssm:GetParameter", {"WithDecryption": False}, ()),
        ("ssm:GetParameter", {}, ()),
        ("s3:GetObject", {"WithDecryption": True}, ()),
        ("s3:GetObject", {}, ()),
        ("sqs:SendMessage", {}, ()),
    ],
)
def test_a_call_leaves_what_it_read(name: str, parameters: dict[str, Any], expected: tuple[Taint, ...]) -> None:
    assert taints_of([candidate(name, parameters=parameters)]) == expected


def test_an_answer_with_credentials_is_a_secret() -> None:
    assert taints_of([candidate("sts:GetFederationToken", AccessClass.CREDENTIAL)]) == (Taint.SECRET,)


@pytest.mark.parametrize("name", ["sts:AssumeRole", "sts:GetSessionToken", "s3express:CreateSession"])
def test_an_answer_with_keys_of_our_own_is_none(name: str) -> None:
    assert taints_of([candidate(name, AccessClass.CREDENTIAL)]) == ()


def test_any_reading_and_any_carried_action_counts() -> None:
    carried = replace(
        candidate("scheduler:CreateSchedule", AccessClass.WRITE),
        effective=(Action(name="secretsmanager:GetSecretValue", access=AccessClass.READ),),
    )
    assert taints_of([candidate("sqs:ReceiveMessage"), carried]) == (Taint.SECRET, Taint.UNTRUSTED)
    assert taints_of([]) == ()


@pytest.mark.parametrize("name", sorted(UNTRUSTED_ACTIONS | SECRET_ACTIONS))
def test_the_lists_name_actions_that_aws_has(name: str) -> None:
    assert complaint_about(name) == ""
