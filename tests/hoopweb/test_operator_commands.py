"""What the operator does from the machine itself: see refusals nobody could be named for, and let a tenant back."""

from __future__ import annotations

import base64
import io
import os
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django.fixtures import Settings

from approvals.rules import publish
from audit.kinds import EventKind
from audit.models import Event
from audit.refusals import count
from gateway.connections.models import Connection
from gateway.identity.models import User
from gateway.identity.standing import Switch, switch_tenant
from gateway.policy.packs import STARTING
from gateway.requests import edges
from gateway.requests.models import EdgeBoot
from gateway.requests.problems import EnrolmentRefused
from gateway.sealing import services as sealing
from gateway.sealing.envelope import SealBroken
from gateway.tenants.models import Tenant
from gateway.tenants.scope import as_user, in_tenant
from gateway.wire.contract import BootRequest, Enrolment, Refusal
from tests.conftest import AsOwner
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


PASSWORD = "correct horse battery staple"


def test_a_tenant_is_made_with_its_first_owner_and_neither_without_the_other(
    db: None, as_owner: AsOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    with as_owner():
        monkeypatch.setattr("sys.stdin", io.StringIO("too easy\n"))
        with pytest.raises(CommandError):
            told("create_tenant", "initech", "--title", "Initech", "--owner", "peter")
        monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
        assert "peter owns it" in told("create_tenant", "initech", "--title", "Initech", "--owner", "peter")
        with pytest.raises(CommandError, match="no tenant"):
            told("edge_token", "--tenant", "initrode")
    person = User.objects.get(username="peter")
    assert person.check_password(PASSWORD)
    with as_user(person.pk):
        tenant = Tenant.objects.get(slug="initech")
    with in_tenant(tenant):
        # What the packs to start with ask is there to be asked.
        made = publish(tenant=tenant, packs=STARTING, text="", by_label="peter", now=timezone.now())
    assert made.number == 1


def test_an_edge_enrols_once_with_the_token_and_is_out_when_revoked(
    acme: Tenant, globex: Tenant, as_owner: AsOwner
) -> None:
    with as_owner():
        token = told("edge_token", "--tenant", "acme", "--tenant", "globex").strip()
    asked = Enrolment(token=token, name="edge-7", public_key=b"k" * 32)
    edge = edges.enrol(enrolment=asked, now=timezone.now())
    with pytest.raises(EnrolmentRefused):
        edges.enrol(enrolment=asked, now=timezone.now())
    identity = edges.identity_of(edge.pk)
    assert identity is not None
    assert identity.tenants == {acme.pk, globex.pk}
    edges.register_boot(edge=identity, boot=BootRequest(boot=uuid.uuid4(), version="1"), now=timezone.now())
    assert told("revoke_edge", "edge-7") == "1 revoked.\n"
    gone = edges.identity_of(edge.pk)
    assert gone is not None
    assert gone.is_revoked
    assert not EdgeBoot.objects.filter(edge_id=edge.pk, fenced_at=None).exists()
    with pytest.raises(CommandError, match="edge-7"):
        told("revoke_edge", "edge-7")


def test_an_edge_may_be_let_in_for_one_connection_alone_and_out_again(
    acme: Tenant, billing_account: Connection, as_owner: AsOwner
) -> None:
    with as_owner():
        with pytest.raises(CommandError, match="no connection"):
            told("edge_token", "--tenant", "acme", "--connection", "none")
        with pytest.raises(CommandError, match="one --tenant"):
            told("edge_token", "--tenant", "acme", "--tenant", "acme", "--connection", "billing")
        token = told("edge_token", "--tenant", "acme", "--connection", "billing").strip()
    made = edges.enrol(enrolment=Enrolment(token=token, name="edge-8", public_key=b"j" * 32), now=timezone.now())

    def serves(connection: uuid.UUID) -> bool:
        identity = edges.identity_of(made.pk)
        assert identity is not None
        return identity.serves(acme.pk, connection)

    assert serves(billing_account.pk)
    assert not serves(uuid.uuid4())
    assert told("edge_scope", "--tenant", "acme", "--edge", "edge-8") == "edge-8 serves acme.\n"
    assert serves(uuid.uuid4())
    ended = ("edge_scope", "--tenant", "acme", "--edge", "edge-8", "--end")
    assert told(*ended) == "edge-8 serves no longer acme.\n"
    assert told(*ended) == "edge-8 had no such right for acme.\n"
    assert told(*ended, "--connection", "billing") == "edge-8 serves no longer acme.\n"
    assert not serves(billing_account.pk)


def test_an_edge_is_asked_for_a_new_key(acme: Tenant, as_owner: AsOwner) -> None:
    with as_owner():
        token = told("edge_token", "--tenant", "acme").strip()
    made = edges.enrol(enrolment=Enrolment(token=token, name="edge-9", public_key=b"i" * 32), now=timezone.now())
    assert told("rotate_edge", "edge-9") == "1 asked.\n"
    identity = edges.identity_of(made.pk)
    assert identity is not None
    assert identity.is_key_due(timezone.now())
    with pytest.raises(CommandError, match="edge-10"):
        told("rotate_edge", "edge-10")


@pytest.fixture
def another_key(tmp_path: Path) -> Path:
    path = tmp_path / "new-key"
    path.write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
    return path


def test_data_keys_move_under_another_installation_key_and_open_what_they_sealed(
    acme: Tenant, globex: Tenant, another_key: Path, settings: Settings, as_owner: AsOwner
) -> None:
    sealed = {}
    for tenant in (acme, globex):
        with in_tenant(tenant):
            sealed[tenant.pk] = sealing.seal(tenant_id=tenant.pk, column="a.b", plaintext=tenant.slug.encode())
    with as_owner():
        assert told("rewrap_keys", str(another_key)).startswith("2 data keys")
    fresh_process()
    with in_tenant(acme), pytest.raises(SealBroken):
        sealing.unseal(tenant_id=acme.pk, column="a.b", sealed=sealed[acme.pk])
    settings.KEY_FILE = another_key
    fresh_process()
    for tenant in (acme, globex):
        with in_tenant(tenant):
            plain = sealing.unseal(tenant_id=tenant.pk, column="a.b", sealed=sealed[tenant.pk])
            assert plain == tenant.slug.encode()
    fresh_process()


@pytest.mark.parametrize("text", ["", "short", base64.b64encode(b"x" * 31).decode(), "\u00e9" * 44])
def test_a_file_that_holds_no_key_moves_nothing(acme: Tenant, tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad"
    path.write_text(text)
    with pytest.raises(CommandError):
        told("rewrap_keys", str(path))
    with pytest.raises(CommandError):
        told("rewrap_keys", str(tmp_path / "nowhere"))


def fresh_process() -> None:
    """Forget the keys this process holds, as a restart does."""
    sealing._installation_key.cache_clear()
    sealing._keys.clear()
