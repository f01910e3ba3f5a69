"""Approved calls: run once by whoever takes them first, never again after a crash, and their answers kept masked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from pytest_django.fixtures import Settings

from gateway.identity.models import GatewayKey
from gateway.policy.problems import PolicyNotReady
from gateway.requests import run, sending
from gateway.requests.models import IssuedDecoys
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.terms import OutcomeKind
from gateway.wire.contract import VerdictKind
from tests.races import at_once
from tests.requests.asking import Asking
from tests.requests.world import ASK_TERMINATE, EVERYTHING, events_of, kinds_of, publish_text, row_of

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

    def broken(_tenant_id: object, _revision_id: object) -> None:
        raise PolicyNotReady

    monkeypatch.setattr("gateway.requests.run.compiled", broken)
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


def test_decoys_that_policy_asks_for_only_by_then_are_written_down_before_the_call_leaves(
    asking: Asking, acme: Tenant
) -> None:
    admission = asking.terminate(asking.aws.instance())
    approval = asking.hold(admission)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    publish_text(acme, '@id("all") @mask("decoy") permit (principal, action, resource);' + ASK_TERMINATE)
    assert asking.perform(run_id) is OutcomeKind.COMPLETED
    with in_tenant(acme):
        (kept,) = IssuedDecoys.objects.for_tenant(acme)
    facts = dict(events_of(acme, admission.id))
    assert kept.request_id == admission.id
    assert facts["request.run"]["decoy_tag"] == kept.tag
    assert "decoy_tag" not in facts["request.held"]
