"""What Celery does about requests: at least once delivered, once done, and nothing lost with the broker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kombu.exceptions import OperationalError

from approvals.models import ApprovalRequest
from gateway.requests import tasks
from gateway.requests.models import ApprovedRun, EdgeBoot
from gateway.tenants.models import OutboxMessage, Tenant
from gateway.tenants.scope import in_tenant
from tests.requests.asking import Asking
from tests.requests.world import row_of


@pytest.fixture
def granted(asking: Asking) -> Any:
    """A call that waits, with its grant given and nothing published yet."""
    admission = asking.terminate(asking.aws.instance())
    asking.answer(asking.hold(admission))
    return admission


class Broker:
    """Takes what is sent, or is away."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[tuple[str, str]] = []
        self.is_away = False
        for task in (tasks.take_grant, tasks.perform_run):
            monkeypatch.setattr(task, "apply_async", self._send(task.name.rpartition(".")[2]))

    def _send(self, name: str) -> Any:
        def apply_async(*, args: tuple[str, str], **_: Any) -> None:
            if self.is_away:
                raise OperationalError("away")
            self.sent.append((name, args[1]))

        return apply_async


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    return Broker(monkeypatch)


def _unpublished(tenant: Tenant) -> int:
    with in_tenant(tenant):
        return int(OutboxMessage.objects.for_tenant(tenant).filter(published_at=None).count())


def test_from_vote_to_answer_by_the_tasks_alone(granted: Any, asking: Asking, acme: Tenant, broker: Broker) -> None:
    tasks.sweep_outbox()
    for _ in range(2):
        while broker.sent:
            name, subject = broker.sent.pop()
            getattr(tasks, name)(str(acme.pk), subject)
        tasks.sweep_outbox()
    assert row_of(acme, granted).state == "completed"
    assert len(asking.aws.seen(granted.id)) == 1
    assert _unpublished(acme) == 0


def test_a_broker_that_is_away_loses_nothing(granted: Any, acme: Tenant, broker: Broker) -> None:
    broker.is_away = True
    tasks.sweep_outbox()
    assert _unpublished(acme) == 1
    broker.is_away = False
    tasks.sweep_outbox()
    assert [name for name, _ in broker.sent] == ["take_grant"]
    assert _unpublished(acme) == 0


def test_a_run_whose_message_was_lost_is_sent_again_also_past_a_broker_that_was_away(
    granted: Any, asking: Asking, acme: Tenant, broker: Broker
) -> None:
    tasks.sweep_outbox()
    tasks.take_grant(str(acme.pk), broker.sent.pop()[1])
    tasks.sweep_outbox()
    assert [name for name, _ in broker.sent] == ["perform_run"]
    broker.sent.clear()
    with in_tenant(acme):
        ApprovedRun.objects.for_tenant(acme).update(queued_at=datetime.now(UTC) - timedelta(minutes=1))
    broker.is_away = True
    tasks.sweep_outbox()
    broker.is_away = False
    tasks.sweep_outbox()
    assert broker.sent == [("perform_run", str(asking.run_of(granted).pk))]


def test_what_nobody_ends_is_ended_in_one_sweep(asking: Asking, acme: Tenant) -> None:
    admission = asking.terminate()
    approval = asking.hold(admission)
    with in_tenant(acme):
        ApprovalRequest.objects.for_tenant(acme).update(expires_at=datetime.now(UTC))
    tasks.expire_approvals()
    assert asking.approval(approval).state == "expired"
    assert (row_of(acme, admission).state, row_of(acme, admission).error) == ("not_sent", "approval.expired")
    assert asking.kept_bodies() == 0


def test_silent_edges_are_fenced_and_settled(asking: Asking, acme: Tenant) -> None:
    admission = asking.terminate()
    asking.hold(admission)
    long_ago = datetime.now(UTC) - timedelta(minutes=2)
    EdgeBoot.objects.filter(pk=asking.edge.boot).update(seen_at=long_ago)
    tasks.fence_silent_edges()
    EdgeBoot.objects.filter(pk=asking.edge.boot).update(fenced_at=long_ago)
    tasks.fence_silent_edges()
    assert (row_of(acme, admission).state, row_of(acme, admission).error) == ("not_sent", "edge.fenced")
