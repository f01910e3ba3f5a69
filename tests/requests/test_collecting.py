"""Results whose client had gone: collected once by the identical call, kept a day, and doubts told before a repeat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from gateway.requests import run, settle
from gateway.requests.models import ApprovedRun
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.terms import OutcomeKind
from gateway.wire.contract import VerdictKind
from tests.requests.asking import Asking
from tests.requests.world import ASK_TERMINATE, EVERYTHING, again, kinds_of, publish_text, row_of

AT_ONCE = EVERYTHING + ASK_TERMINATE.replace("forbid", '@run("approval") forbid')
NOTHING = '@id("none") forbid (principal, action, resource);'


def _dies(*_: object, **__: object) -> None:
    raise SystemExit


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
