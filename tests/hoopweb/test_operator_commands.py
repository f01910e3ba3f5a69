"""What the operator does from the machine itself: see refusals nobody could be named for, and let a tenant back."""

from __future__ import annotations

import io
import uuid
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit.kinds import EventKind
from audit.models import Event
from audit.refusals import count
from gateway.identity.standing import Switch, switch_tenant
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import Refusal
from tests.people import admin_of


def told(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_refusals_are_shown_by_minute_source_and_code() -> None:
    now = timezone.now()
    for at, number in ((now, 3), (now - timedelta(minutes=90), 8)):
        count(edge_id=uuid.uuid4(), items=[Refusal(source="192.0.2.7", code="wire.unsigned", count=number)], now=at)
    [line] = told("refusals", "--minutes", "60").splitlines()
    assert line.split() == [f"{now:%Y-%m-%dT%H:%MZ}", "3", "192.0.2.7", "wire.unsigned"]
    assert len(told("refusals", "--minutes", "120").splitlines()) == 2
    assert len(told("refusals", "--minutes", "120", "--most", "1").splitlines()) == 1


def test_a_tenant_is_resumed_with_the_operators_name_in_its_ledger(acme: Tenant) -> None:
    with in_tenant(acme):
        switch_tenant(by=admin_of(acme), switch=Switch(is_suspended=True), confirm="acme", now=timezone.now())
    assert told("resume_tenant", "acme", "--reason", "ticket 7") == "acme is resumed.\n"
    with in_tenant(acme):
        assert not Tenant.objects.get(pk=acme.pk).is_suspended
        assert Event.objects.for_tenant(acme).filter(kind=EventKind.TENANT_RESUMED).count() == 1


def test_an_unknown_tenant_and_an_odd_reason_are_told_so(acme: Tenant) -> None:
    with pytest.raises(CommandError, match="no tenant"):
        told("resume_tenant", "nobody", "--reason", "x")
    with pytest.raises(CommandError):
        told("resume_tenant", "acme", "--reason", "x" * 501)
