"""What AWS, or the way there, does to an approved call: sent once, and its end told as it was."""

from __future__ import annotations

from unittest.mock import ANY
from uuid import uuid4

import pytest
from msgspec.structs import replace

from gateway.requests import sending
from gateway.requests.sending import send
from gateway.terms import OutcomeKind, Protocol
from gateway.wire.contract import Answer, BodyForm, MaskPlan, Upstream
from tests.requests import upstreams
from tests.requests.world import ASK_TERMINATE, EVERYTHING

AT_ONCE = EVERYTHING + ASK_TERMINATE.replace("forbid", '@run("approval") forbid')
NOTHING = '@id("none") forbid (principal, action, resource);'


_PLAN = MaskPlan(protocol=Protocol.JSON, body=BodyForm.STRUCTURE)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-amzn-requestid: aws-7\r\n"


def _sent(
    server: upstreams.Upstream,
    *,
    method: str = "POST",
    target: str = "/",
    body: bytes = b"{}",
    plan: MaskPlan = _PLAN,
) -> sending.Sent:
    upstream = Upstream(
        method=method,
        target=target,
        host="svc.amazonaws.com",
        headers=(("host", "svc.amazonaws.com"), ("x-amz-date", "now")),
        dial_host="127.0.0.1",
        dial_port=server.port,
        is_tls=False,
    )
    return send(upstream, body, plan=plan, request_id=uuid4(), salt=b"salt")


def test_names_that_nobody_here_can_read_withhold_the_answer() -> None:
    answer = _HEAD + b'content-length: 30\r\n\r\n{"a": "Alice Johnson was here"}'
    with upstreams.Upstream(upstreams.saying(answer)) as server:
        found = _sent(server, plan=replace(_PLAN, masks=("person",)))
    assert (found.outcome.kind, found.outcome.error) == (OutcomeKind.COMPLETED, "masking.withheld")
    assert b"Alice" not in found.answer.body + found.outcome.head


def test_nobody_there_is_not_sent() -> None:
    with upstreams.Upstream(upstreams.saying(b"")) as server:
        pass
    found = _sent(server)
    assert (found.outcome.kind, found.outcome.error) == (OutcomeKind.NOT_SENT, "upstream.unreachable")
    assert b"Nothing was sent" in found.answer.body


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 20", b"not http at all\r\n\r\n"])
def test_no_answer_is_ambiguous_and_never_tried_again(said: bytes) -> None:
    with upstreams.Upstream(upstreams.saying(said)) as server:
        found = _sent(server)
    assert (found.outcome.kind, found.outcome.error) == (OutcomeKind.AMBIGUOUS, "upstream.lost")
    assert len(server.heads) == 1
    assert b"It may have run" in found.answer.body


def test_an_answer_cut_short_failed_since_the_call_arrived() -> None:
    with upstreams.Upstream(upstreams.saying(_HEAD + b'content-length: 100\r\n\r\n{"a":')) as server:
        found = _sent(server)
    assert (found.outcome.kind, found.outcome.status) == (OutcomeKind.FAILED, 200)
    assert len(server.heads) == 1


def test_an_error_of_aws_is_an_answer() -> None:
    body = b'{"__type":"ConflictException"}'
    said = b"HTTP/1.1 409 Conflict\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )
    with upstreams.Upstream(upstreams.saying(said)) as server:
        found = _sent(server)
    assert (found.outcome.kind, found.outcome.status, found.answer.status) == (OutcomeKind.COMPLETED, 409, 409)


def test_a_redirect_is_not_followed() -> None:
    said = b"HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n"
    with upstreams.Upstream(upstreams.saying(said)) as server:
        found = _sent(server)
    assert found.answer.status == 307
    assert len(server.heads) == 1


def test_a_secret_in_the_answer_is_masked_before_it_is_kept() -> None:
    body = b'{"note":"key AKIAQ7RZ2MWT5PLK3N4V wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzKEYKEYK"}'
    said = _HEAD + b"content-length: %d\r\n\r\n%s" % (len(body), body)
    with upstreams.Upstream(upstreams.saying(said)) as server:
        found = _sent(server)
    assert b"AKIAQ7RZ2MWT5PLK3N4V" not in found.answer.body + found.outcome.head
    assert sum(found.outcome.masked_by_type.values()) > 0
    assert found.outcome.bytes_down == len(body)


def test_more_than_is_kept_is_withheld_and_says_that_it_ran() -> None:
    said = upstreams.endless(_HEAD + b"transfer-encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65536 + b"\r\n")
    with upstreams.Upstream(said) as server:
        found = _sent(server)
    assert (found.outcome.kind, found.outcome.error) == (OutcomeKind.COMPLETED, "masking.withheld")
    assert b"did run" in found.answer.body
    assert found.outcome.bytes_down <= sending.LARGEST_RESULT + 2 * 65536


def test_an_answer_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 0.2)
    said = upstreams.endless(_HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n")
    with upstreams.Upstream(said) as server:
        found = _sent(server)
    assert (found.outcome.kind, found.outcome.error) == (OutcomeKind.FAILED, "upstream.lost")


def test_the_target_goes_out_as_it_was_signed() -> None:
    target = "//a%2fb/%C3%A9+(1)//x?prefix=%2F&list-type=2"
    with upstreams.Upstream(upstreams.saying(_HEAD + b"content-length: 2\r\n\r\n{}")) as server:
        _sent(server, method="GET", target=target, body=b"")
    assert server.heads[0].split(b"\r\n")[0].lower() == f"GET {target} HTTP/1.1".lower().encode()
    assert b"content-length" not in server.heads[0].lower()


def test_an_answer_to_head_has_no_body() -> None:
    with upstreams.Upstream(upstreams.saying(_HEAD + b"content-length: 1234\r\n\r\n")) as server:
        found = _sent(server, method="HEAD", body=b"")
    assert found.outcome.kind is OutcomeKind.COMPLETED
    assert found.answer == Answer(status=200, headers=ANY, body=b"")
