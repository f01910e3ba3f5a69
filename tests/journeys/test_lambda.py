"""Functions through the running product: every way to invoke one, its errors, logs and streams, decided by its ARN."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hoopweb.stack import seed
from tests.journeys.product import Product, Tenant

ARN = f"arn:aws:lambda:{seed.REGION}:{seed.ACCOUNT}:function:{seed.FUNCTION}"
NAMES = [seed.FUNCTION, ARN, f"{seed.ACCOUNT}:function:{seed.FUNCTION}", f"{ARN}:$LATEST"]
CLOSED = f"""
@id("journey.lambda.closed") @advice("Quotes are closed today.")
forbid (principal, action == Action::"lambda:InvokeFunction", resource)
when {{ resource.arn like "{ARN}*" }};
"""


@pytest.fixture(scope="module")
def functions(demo: Tenant) -> Any:
    return demo.aws("lambda")


@pytest.fixture(scope="module")
def closed(demo: Tenant) -> Iterator[None]:
    with demo.policy(CLOSED):
        yield


@pytest.mark.parametrize("name", NAMES)
def test_a_call_brings_the_answer_with_its_secrets_masked(functions: Any, name: str) -> None:
    answer = functions.invoke(FunctionName=name, Payload=json.dumps({"customer": "c-1"}))
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert json.loads(answer["Payload"].read()) == {**seed.FUNCTION_RESULT, "apiToken": "[REDACTED:secret]"}


def test_an_event_is_queued_and_a_dry_run_runs_nothing(functions: Any) -> None:
    assert functions.invoke(FunctionName=seed.FUNCTION, InvocationType="Event", Payload=b"{}")["StatusCode"] == 202
    assert functions.invoke(FunctionName=seed.FUNCTION, InvocationType="DryRun")["StatusCode"] == 204


def test_a_functions_own_error_is_an_answer_not_a_refusal(functions: Any, demo: Tenant) -> None:
    answer = functions.invoke(FunctionName=seed.FUNCTION, Payload=json.dumps({"raise": "no such customer"}))
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert json.loads(answer["Payload"].read())["errorMessage"] == "no such customer"


def test_the_log_tail_stays_base64_with_its_secrets_masked(functions: Any) -> None:
    tail = functions.invoke(FunctionName=seed.FUNCTION, LogType="Tail")["LogResult"]
    text = base64.b64decode(tail, validate=True).decode()
    assert "START RequestId" in text
    assert seed.API_TOKEN not in text


def test_the_largest_payload_passes_and_its_digest_is_what_was_signed(product: Product, functions: Any) -> None:
    payload = json.dumps({"data": "x" * (6 * 1024 * 1024 - 20)}).encode()
    assert functions.invoke(FunctionName=seed.FUNCTION, Payload=payload)["StatusCode"] == 200


def test_a_stream_brings_the_same_masked_answer(functions: Any) -> None:
    answer = functions.invoke_with_response_stream(FunctionName=seed.FUNCTION, Payload=b"{}", LogType="Tail")
    events = list(answer["EventStream"])
    body = b"".join(event["PayloadChunk"]["Payload"] for event in events if "PayloadChunk" in event)
    assert b"EUR 42.00" in body
    # The token lies across the edges of several events.
    assert seed.API_TOKEN.encode() not in body
    assert "InvokeComplete" in events[-1]
    assert seed.API_TOKEN not in base64.b64decode(events[-1]["InvokeComplete"].get("LogResult", "")).decode()


def test_a_stream_that_fails_says_so_at_its_end(functions: Any) -> None:
    answer = functions.invoke_with_response_stream(FunctionName=seed.FUNCTION, Payload=json.dumps({"raise": "half"}))
    assert list(answer["EventStream"])[-1]["InvokeComplete"]["ErrorCode"] == "ValueError"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun", "stream"])
def test_a_rule_on_the_function_holds_for_every_name_and_every_kind(
    product: Product, functions: Any, closed: None, name: str, kind: str
) -> None:
    before = len(product.upstream())
    told = {"FunctionName": name} if kind == "stream" else {"FunctionName": name, "InvocationType": kind}
    invoke = functions.invoke_with_response_stream if kind == "stream" else functions.invoke
    with pytest.raises(ClientError) as refused:
        invoke(**told)
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert "Quotes are closed today." in refused.value.response["Error"]["Message"]
    assert len(product.upstream()) == before
