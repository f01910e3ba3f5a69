"""Gateway keys: AWS-shaped, bound to one person, agent and connection, sealed, short-lived."""

from __future__ import annotations

import json
import os
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.db.utils import IntegrityError

from gateway.connections.models import Connection
from gateway.identity import keys, selectors, services
from gateway.identity.keys import IssuedGatewayKey
from gateway.identity.models import Agent, GatewayKey, User
from gateway.identity.problems import AgentSuspended, AgentUnknown, KeyUnknown, LifetimeRefused, NameRefused, NotAMember
from gateway.identity.standing import Switch, switch_agent
from gateway.sealing import services as sealing
from gateway.sealing.envelope import SealBroken
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.identity.test_members import events
from tests.people import NOW, account, admin_of


def issue(tenant: Tenant, user: User, connection: Connection, **changes: Any) -> tuple[GatewayKey, IssuedGatewayKey]:
    given = {"agent": None, "lifetime": timedelta(hours=8), "issued_by_key": None, **changes}
    with in_tenant(tenant):
        return services.issue_gateway_key(
            tenant=tenant, user=user, connection_id=connection.pk, by_label="sam", now=NOW, random=os.urandom, **given
        )


def test_the_key_is_found_by_its_own_name_and_its_secret_opens_inside_the_tenant(
    acme: Tenant, alice: User, billing_account: Connection
) -> None:
    made, issued = issue(acme, alice, billing_account)
    named = keys.read_access_key_id(issued.access_key_id)
    assert named is not None
    assert (named.tenant_id, named.key_id) == (acme.pk, made.pk)
    with in_tenant(acme):
        kept = GatewayKey.objects.for_tenant(acme).get(pk=made.pk)
        opened = sealing.unseal(tenant_id=acme.pk, column=services.SECRET_COLUMN, sealed=bytes(kept.sealed_secret))
    assert opened.decode() == issued.plaintext_secret
    assert keys.matches(issued.plaintext_token, bytes(kept.token_digest))


def test_nothing_of_the_secret_is_in_the_clear(acme: Tenant, alice: User, billing_account: Connection) -> None:
    _, issued = issue(acme, alice, billing_account)
    with in_tenant(acme):
        row = GatewayKey.objects.for_tenant(acme).values().get()
    stored = b"".join(bytes(value) for value in row.values() if isinstance(value, bytes | memoryview))
    assert issued.plaintext_secret.encode() not in stored
    assert issued.plaintext_token.encode() not in stored
    told = json.dumps(events(acme, "key.issued"))
    assert issued.plaintext_secret not in told
    assert issued.plaintext_token not in told


def test_a_sealed_secret_does_not_open_in_another_tenant(
    acme: Tenant, globex: Tenant, alice: User, billing_account: Connection
) -> None:
    made, _ = issue(acme, alice, billing_account)
    with in_tenant(globex), pytest.raises(SealBroken):
        sealing.unseal(tenant_id=globex.pk, column=services.SECRET_COLUMN, sealed=bytes(made.sealed_secret))


def test_the_key_carries_conversation_generation_and_prompt(
    acme: Tenant, alice: User, billing_agent: Agent, billing_account: Connection
) -> None:
    prompt, issuer = uuid.uuid4(), uuid.uuid4()
    made, _ = issue(
        acme,
        alice,
        billing_account,
        agent=billing_agent,
        conversation="c-1",
        generation="g-7",
        prompt_id=prompt,
        issued_by_key=issuer,
    )
    assert (made.conversation, made.generation, made.prompt_id) == ("c-1", "g-7", prompt)
    assert (made.agent, made.issued_by_key) == (billing_agent, issuer)


def test_issuing_is_an_event(acme: Tenant, alice: User, billing_agent: Agent, billing_account: Connection) -> None:
    made, issued = issue(acme, alice, billing_account, agent=billing_agent)
    (event,) = events(acme, "key.issued")
    assert event["subject"] == str(made.pk)
    assert event["data"] == {
        "by": "sam",
        "key": issued.access_key_id,
        "user": "alice",
        "agent": "billing-agent",
        "connection": str(billing_account.pk),
        "expires_at": (NOW + timedelta(hours=8)).isoformat(),
    }


@pytest.mark.parametrize("lifetime", [timedelta(minutes=1), timedelta(hours=12)])
def test_a_key_lives_from_a_minute_to_twelve_hours(
    acme: Tenant, alice: User, billing_account: Connection, lifetime: timedelta
) -> None:
    made, _ = issue(acme, alice, billing_account, lifetime=lifetime)
    assert made.is_live(NOW + lifetime - timedelta(seconds=1))
    assert not made.is_live(NOW + lifetime)


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(seconds=59), timedelta(hours=12, seconds=1)])
def test_a_key_lives_no_shorter_and_no_longer(
    acme: Tenant, alice: User, billing_account: Connection, lifetime: timedelta
) -> None:
    with pytest.raises(LifetimeRefused):
        issue(acme, alice, billing_account, lifetime=lifetime)


@pytest.mark.parametrize("reference", ["a b", "a\n", "x" * 201, "\u202e"])
def test_references_hide_nothing(acme: Tenant, alice: User, billing_account: Connection, reference: str) -> None:
    with pytest.raises(NameRefused):
        issue(acme, alice, billing_account, conversation=reference)
    with pytest.raises(NameRefused):
        issue(acme, alice, billing_account, generation=reference)


def test_a_suspended_agent_gets_no_key(
    acme: Tenant, alice: User, billing_agent: Agent, billing_account: Connection
) -> None:
    with in_tenant(acme):
        switch_agent(by=admin_of(acme), agent_id=billing_agent.pk, switch=Switch(is_suspended=True), now=NOW)
    # The row in hand still says otherwise: the database is asked.
    assert not billing_agent.is_suspended
    with pytest.raises(AgentSuspended):
        issue(acme, alice, billing_account, agent=billing_agent)


def test_a_person_of_another_tenant_gets_no_key(acme: Tenant, mallory: User, billing_account: Connection) -> None:
    with pytest.raises(NotAMember):
        issue(acme, mallory, billing_account)


def test_another_tenants_agent_gets_no_key(globex: Tenant, mallory: User, billing_agent: Agent) -> None:
    with pytest.raises(AgentUnknown):
        issue(globex, mallory, account(globex, "theirs"), agent=billing_agent)


def test_the_database_itself_refuses_another_tenants_connection(acme: Tenant, alice: User, globex: Tenant) -> None:
    theirs = account(globex, "theirs")
    issue(acme, alice, theirs)
    # Deferred to the commit, which a test in one transaction never reaches.
    with database.cursor() as cursor, pytest.raises(IntegrityError, match="connection_id_in_tenant"):
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_revoking_ends_the_key_at_once_and_is_one_event(acme: Tenant, alice: User, billing_account: Connection) -> None:
    made, issued = issue(acme, alice, billing_account)
    with in_tenant(acme):
        for _ in range(2):
            revoked = services.revoke_gateway_key(tenant=acme, key_id=made.pk, by_label="sam", now=NOW)
            assert not revoked.is_live(NOW)
    (event,) = events(acme, "key.revoked")
    assert (event["subject"], event["data"]) == (str(made.pk), {"by": "sam", "key": issued.access_key_id})


def test_another_tenants_key_is_unknown(acme: Tenant, globex: Tenant, alice: User, billing_account: Connection) -> None:
    made, _ = issue(acme, alice, billing_account)
    with in_tenant(globex):
        with pytest.raises(KeyUnknown):
            services.revoke_gateway_key(tenant=globex, key_id=made.pk, by_label="sam", now=NOW)
        assert list(selectors.gateway_keys(globex)) == []
