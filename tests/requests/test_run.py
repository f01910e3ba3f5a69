"""Approved calls: run once by whoever takes them first, never again after a crash, and their answers kept masked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from unittest.mock import ANY
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings

from gateway.identity.models import GatewayKey
from gateway.policy.problems import PolicyNotReady
from gateway.requests import run, sending, settle
from gateway.requests.models import ApprovedRun
from gateway.requests.sending import send
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.terms import OutcomeKind, Protocol
from gateway.wire.contract import Answer, BodyForm, MaskPlan, Upstream, VerdictKind
from tests.races import at_once
from tests.requests import upstreams
from tests.requests.asking import Asking
from tests.requests.world import ASK_TERMINATE, EVERYTHING, again, events_of, kinds_of, publish_text, row_of

AT_ONCE = EVERYTHING + ASK_TERMINATE.replace("forbid", '@run("approval") forbid')
NOTHING = '@id("none") forbid (principal, action, resource);'


def test_an_approved_call_runs_and_its_answer_reaches_the_client(asking: Asking, acme: Tenant) -> None:
    instance = asking.aws.instance()
    admission = asking.terminate(instance)
    assert asking.approved_and_run(admission) is OutcomeKind.COMPLETED
    [verdict] = asking.feed(admission)
    assert verdict.kind is VerdictKind.RESULT
    assert verdict.answer is not None
    assert verdict.answer.status == 200
    assert instance.encode() in verdict.answer.body
    # The stand-in's own record: one call, signed by the role session, with our witness.
    [seen] = asking.aws.seen(admission.id)
    assert seen["action"] == "TerminateInstances"
    assert seen["has_session_token"]
    assert seen["access_key"] != asking.keys.access_key_id
    row = row_of(acme, admission)
    assert (row.state, row.status) == ("completed", 200)
    assert seen["user_agent"].endswith(f"#{bytes(row.event_leaf or b'').hex()}")


def test_every_step_is_in_the_ledger(asking: Asking, acme: Tenant) -> None:
    admission = asking.terminate(asking.aws.instance())
    asking.approved_and_run(admission)
    assert kinds_of(acme, admission) == ["request.held", "request.run", "request.completed"]
    approval = row_of(acme, admission).approval_id
    assert [kind for kind, _ in events_of(acme, approval)] == [
        "approval.opened",
        "approval.voted",
        "approval.granted",
        "approval.used",
    ]
    assert events_of(acme, admission.id)[1][1]["approval"] == str(approval)


def test_the_run_cites_the_policy_as_of_then(asking: Asking, acme: Tenant) -> None:
    admission = asking.terminate(asking.aws.instance())
    approval = asking.hold(admission)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    publish_text(acme, EVERYTHING)
    asking.perform(run_id)
    revisions = [facts.get("revision") for _, facts in events_of(acme, admission.id)]
    assert revisions == ["main@1", "main@2", None]


def test_the_kept_body_is_erased_once_it_ran(asking: Asking) -> None:
    admission = asking.terminate(asking.aws.instance())
    approval = asking.hold(admission)
    assert asking.kept_bodies() == 1
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    asking.perform(run_id)
    assert asking.kept_bodies() == 0


# -- asked again before it runs


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (NOTHING, "policy denies by now"),
        (EVERYTHING + ASK_TERMINATE.replace("operators", "security"), "other people are asked"),
        (EVERYTHING + ASK_TERMINATE.replace("@approvers", '@quorum("2") @approvers'), "more people are asked"),
        (
            EVERYTHING + ASK_TERMINATE + ASK_TERMINATE.replace("terminate-asks", "too"),
            "another rule asks, too",
        ),
    ],
)
def test_a_policy_stricter_than_the_answer_runs_nothing(asking: Asking, acme: Tenant, text: str, reason: str) -> None:
    admission = asking.terminate(asking.aws.instance())
    approval = asking.hold(admission)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    publish_text(acme, text)
    assert asking.perform(run_id) is OutcomeKind.NOT_SENT, reason
    assert asking.aws.seen(admission.id) == []
    assert (row_of(acme, admission).state, row_of(acme, admission).error) == ("not_sent", "policy.denied")
    assert asking.kept_bodies() == 0
    [verdict] = asking.feed(admission)
    assert verdict.kind is VerdictKind.REFUSE


def test_a_key_revoked_in_between_runs_nothing(asking: Asking, acme: Tenant) -> None:
    admission = asking.terminate()
    approval = asking.hold(admission)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    with in_tenant(acme):
        GatewayKey.objects.for_tenant(acme).update(revoked_at=datetime.now(UTC))
    assert asking.perform(run_id) is OutcomeKind.NOT_SENT
    assert asking.aws.seen(admission.id) == []
    assert row_of(acme, admission).error == "requests.key_expired"


def test_a_role_that_cannot_be_assumed_runs_nothing(asking: Asking, acme: Tenant, settings: Settings) -> None:
    admission = asking.terminate()
    approval = asking.hold(admission)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    settings.UPSTREAM_AWS_URL = "http://127.0.0.1:9"
    assert asking.perform(run_id) is OutcomeKind.NOT_SENT
    assert row_of(acme, admission).error == "connections.assume_role_failed"


def test_a_policy_that_cannot_be_loaded_runs_nothing(
    asking: Asking, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    admission = asking.terminate()
    approval = asking.hold(admission)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None

    def broken(_tenant_id: object) -> None:
        raise PolicyNotReady

    monkeypatch.setattr("gateway.requests.run.current", broken)
    assert asking.perform(run_id) is OutcomeKind.NOT_SENT
    assert asking.aws.seen(admission.id) == []


# -- once, and never again


@pytest.mark.django_db(transaction=True)
def test_two_workers_with_one_message_run_it_once(asking: Asking, acme: Tenant) -> None:
    admission = asking.terminate(asking.aws.instance())
    approval = asking.hold(admission)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    found = at_once([partial(asking.perform, run_id)] * 4)
    assert sorted(found, key=str) == [None, None, None, OutcomeKind.COMPLETED]
    assert len(asking.aws.seen(admission.id)) == 1
    assert kinds_of(acme, admission).count("request.run") == 1


@pytest.mark.django_db(transaction=True)
def test_a_grant_heard_twice_is_taken_once(asking: Asking) -> None:
    admission = asking.terminate()
    approval = asking.hold(admission)
    asking.answer(approval)
    found = at_once([partial(asking.take, approval)] * 4)
    assert len([one for one in found if one is not None]) == 1
    assert asking.run_of(admission).state == "queued"


def test_a_worker_that_dies_leaves_an_ambiguous_call_that_never_runs_again(
    asking: Asking, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    admission = asking.terminate(asking.aws.instance())
    approval = asking.hold(admission)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    # It dies after the call was written down as running, as it is about to send: nobody can tell whether it did.
    monkeypatch.setattr("gateway.requests.run.send", _dies)
    with pytest.raises(SystemExit):
        asking.perform(run_id)
    monkeypatch.undo()
    assert asking.perform(run_id) is None
    soon = datetime.now(UTC)
    assert run.settle_lost(tenant_id=acme.pk, now=soon) == 0
    assert run.settle_lost(tenant_id=acme.pk, now=soon + run.LEASE + timedelta(seconds=1)) == 1
    assert (row_of(acme, admission).state, row_of(acme, admission).error) == ("ambiguous", "worker.lost")
    assert asking.run_of(admission).state == "ambiguous"
    assert kinds_of(acme, admission) == ["request.held", "request.run", "request.ambiguous"]
    assert asking.perform(run_id) is None
    assert asking.kept_bodies() == 0


def _dies(*_: object, **__: object) -> None:
    raise SystemExit


def test_a_lease_begins_when_the_call_is_taken_not_when_its_message_came(asking: Asking) -> None:
    admission = asking.terminate(asking.aws.instance())
    approval = asking.hold(admission)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    # STS took that long: a lease counted from the message would be over before anything was sent.
    began = datetime.now(UTC)
    asking.perform(run_id, began - timedelta(seconds=25))
    lease_until = asking.run_of(admission).lease_until
    assert lease_until is not None
    assert lease_until >= began + run.LEASE


def test_a_run_no_worker_begins_ends_as_not_sent(asking: Asking, acme: Tenant) -> None:
    admission = asking.terminate()
    approval = asking.hold(admission)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    late = datetime.now(UTC) + run.BEGIN_WITHIN + timedelta(seconds=1)
    assert run.settle_lost(tenant_id=acme.pk, now=late) == 1
    assert (row_of(acme, admission).state, row_of(acme, admission).error) == ("not_sent", "run.never_begun")
    assert asking.perform(run_id) is None


def test_an_outcome_that_comes_after_the_lease_corrects(
    asking: Asking, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    admission = asking.terminate(asking.aws.instance())
    approval = asking.hold(admission)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    real = sending.send

    def slow(*arguments: object, **named: object) -> object:
        run.settle_lost(tenant_id=acme.pk, now=datetime.now(UTC) + run.LEASE * 2)
        return real(*arguments, **named)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr("gateway.requests.run.send", slow)
    asking.perform(run_id)
    assert row_of(acme, admission).state == "completed"
    assert kinds_of(acme, admission)[-2:] == ["request.ambiguous", "request.corrected"]
    assert events_of(acme, admission.id)[-1][1]["was"] == "ambiguous"


# -- the client has gone meanwhile


def test_at_approval_it_runs_without_a_client_and_is_collected_once(asking: Asking, acme: Tenant) -> None:
    publish_text(acme, AT_ONCE)
    first = asking.terminate(asking.aws.instance())
    approval = asking.hold(first)
    assert asking.approval(approval).runs_at_once
    asking.leave(first)
    assert row_of(acme, first).state == "held"
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    assert asking.perform(run_id) is OutcomeKind.COMPLETED
    second = again(first)
    verdict = asking.edge.admit_one(second)
    assert verdict.kind is VerdictKind.RESULT
    assert (row_of(acme, second).state, row_of(acme, second).error) == ("completed", "approval.collected")
    # Resent, the answer is there again; another call asks anew.
    assert asking.edge.admit_one(second).answer == verdict.answer
    assert asking.edge.admit_one(again(first)).kind is VerdictKind.HOLD
    assert len(asking.aws.seen(first.id)) == 1
    assert asking.aws.seen(second.id) == []


def test_a_result_waits_a_day(asking: Asking, acme: Tenant) -> None:
    publish_text(acme, AT_ONCE)
    first = asking.terminate(asking.aws.instance())
    approval = asking.hold(first)
    asking.leave(first)
    asking.answer(approval)
    asking.perform(asking.take(approval) or uuid4())
    with in_tenant(acme):
        ApprovedRun.objects.for_tenant(acme).update(result_until=datetime.now(UTC) - timedelta(seconds=1))
    assert asking.edge.admit_one(again(first)).kind is VerdictKind.HOLD
    assert run.erase_results(tenant_id=acme.pk, now=datetime.now(UTC)) == 1
    assert asking.run_of(first).sealed_result is None


def test_a_collected_result_is_erased_soon(asking: Asking, acme: Tenant) -> None:
    admission = asking.terminate(asking.aws.instance())
    asking.approved_and_run(admission)
    asking.feed(admission)
    now = datetime.now(UTC)
    assert run.erase_results(tenant_id=acme.pk, now=now) == 0
    assert asking.feed(admission)[0].kind is VerdictKind.RESULT
    assert run.erase_results(tenant_id=acme.pk, now=now + run.RESULT_REPEATED + timedelta(seconds=5)) == 1
    assert asking.feed(admission)[0].kind is VerdictKind.REFUSE


def test_a_hold_that_ends_while_the_run_is_queued_loses_neither_grant_nor_answer(asking: Asking, acme: Tenant) -> None:
    first = asking.terminate(asking.aws.instance())
    approval = asking.hold(first)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    asking.leave(first, gone=False)
    # Told to come back, the client does so before the worker has begun: it waits for that run, and asks nobody anew.
    second = again(first)
    assert asking.hold(second) == approval
    assert asking.feed(second) == []
    assert asking.perform(run_id) is OutcomeKind.COMPLETED
    [verdict] = asking.feed(second)
    assert verdict.kind is VerdictKind.RESULT
    assert (row_of(acme, first).state, row_of(acme, second).state) == ("completed", "completed")
    assert kinds_of(acme, second) == ["request.held", "request.completed"]
    # Only one joins; a third would be another question.
    assert asking.hold(again(first)) != approval


def test_a_hold_that_ends_amid_the_run_is_not_run_a_second_time_by_the_call_that_returns(
    asking: Asking, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = asking.terminate(asking.aws.instance())
    approval = asking.hold(first)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    monkeypatch.setattr("gateway.requests.run.send", _dies)
    with pytest.raises(SystemExit):
        asking.perform(run_id)
    monkeypatch.undo()
    # The worker is dead, and the client is told to come back: it does, before and after that is known.
    asking.leave(first, gone=False)
    joined, late = again(first), again(first)
    assert asking.hold(joined) == approval
    assert asking.feed(joined) == []
    run.settle_lost(tenant_id=acme.pk, now=datetime.now(UTC) + run.LEASE * 2)
    [verdict] = asking.feed(joined)
    assert verdict.answer is not None
    assert b"It may have run" in verdict.answer.body
    assert (row_of(acme, joined).state, row_of(acme, joined).error) == ("not_sent", "run.ambiguous")
    # Told once: who makes the call again now knows, and people are asked anew.
    assert asking.hold(late) != approval


def test_a_doubt_nobody_heard_of_is_told_before_the_call_is_asked_about_again(
    asking: Asking, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = asking.terminate(asking.aws.instance())
    approval = asking.hold(first)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    monkeypatch.setattr("gateway.requests.run.send", _dies)
    with pytest.raises(SystemExit):
        asking.perform(run_id)
    asking.leave(first)
    run.settle_lost(tenant_id=acme.pk, now=datetime.now(UTC) + run.LEASE * 2)
    second = again(first)
    verdict = asking.edge.admit_one(second)
    assert verdict.answer is not None
    assert b"It may have run" in verdict.answer.body
    # No SDK repeats it by itself.
    assert verdict.answer.status == 409
    assert asking.edge.admit_one(second).answer == verdict.answer
    assert asking.hold(again(first)) != approval


def test_a_client_that_cannot_take_its_result_finds_it_again(asking: Asking) -> None:
    first = asking.terminate(asking.aws.instance())
    asking.approved_and_run(first)
    assert asking.feed(first)[0].kind is VerdictKind.RESULT
    asking.leave(first)
    assert asking.edge.admit_one(again(first)).kind is VerdictKind.RESULT


def test_an_edge_that_dies_leaves_an_owed_call_owed(asking: Asking, acme: Tenant) -> None:
    admission = asking.terminate(asking.aws.instance())
    approval = asking.hold(admission)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    settle.settle_boot(
        edge_id=asking.edge.identity.id,
        tenants=[acme.pk],
        boot_id=asking.edge.boot,
        sending=(),
        now=datetime.now(UTC),
    )
    assert row_of(acme, admission).state == "held"
    assert asking.perform(run_id) is OutcomeKind.COMPLETED


# -- what AWS, or the way there, does to it

_PLAN = MaskPlan(protocol=Protocol.JSON, body=BodyForm.STRUCTURE)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-amzn-requestid: aws-7\r\n"


def _sent(server: upstreams.Upstream, *, method: str = "POST", target: str = "/", body: bytes = b"{}") -> sending.Sent:
    upstream = Upstream(
        method=method,
        target=target,
        host="svc.amazonaws.com",
        headers=(("host", "svc.amazonaws.com"), ("x-amz-date", "now")),
        dial_host="127.0.0.1",
        dial_port=server.port,
        is_tls=False,
    )
    return send(upstream, body, plan=_PLAN, request_id=uuid4(), salt=b"salt")


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
