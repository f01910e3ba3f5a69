"""Intent links: which prompt a call belongs to, and never more than its level proves."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest

from audit.models import Prompt
from audit.prompts import record_prompt
from gateway.connections.models import Connection
from gateway.identity.models import Agent, User
from gateway.requests.models import ProxiedRequest
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.connections.strict_sts import StrictSts
from tests.people import account
from tests.requests.world import EdgeLife, Keys, enrolled, events_of, keys_of, publish_text, row_of


def prompt(
    tenant: Tenant, person: User, conversation: str, generation: str, *, minute: int = 0, source: str = "person"
) -> Prompt:
    with in_tenant(tenant):
        return record_prompt(
            tenant=tenant,
            person_id=person.pk,
            person_label=person.get_username(),
            agent_id=None,
            agent_label="",
            conversation=conversation,
            generation=generation,
            text=f"words of {generation}",
            source=source,
            now=datetime.now(UTC) + timedelta(minutes=minute - 5),
            random=os.urandom,
        )


def call(edge: EdgeLife, keys: Keys, tenant: Tenant) -> ProxiedRequest:
    item = keys.call("secretsmanager", "list_secrets")
    edge.admit(item)
    return row_of(tenant, item)


def test_a_conversation_links_to_its_newest_prompt(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, alice: User
) -> None:
    prompt(acme, alice, "conv-1", "gen-1")
    newest = prompt(acme, alice, "conv-1", "gen-2", minute=1)
    prompt(acme, alice, "conv-2", "gen-3", minute=2)
    row = call(edge, keys, acme)
    assert (row.link, row.prompt_id) == ("B", newest.pk)
    assert events_of(acme, row.pk)[0][1]["prompt"] == str(newest.pk)


def test_a_generation_links_to_its_own_prompt_though_a_newer_one_came(
    ready: StrictSts, edge: EdgeLife, acme: Tenant, alice: User, billing_account: Connection
) -> None:
    mine = prompt(acme, alice, "conv-1", "gen-1")
    prompt(acme, alice, "conv-1", "gen-2", minute=1)
    row = call(edge, keys_of(acme, alice, billing_account, conversation="conv-1", generation="gen-1"), acme)
    assert (row.link, row.prompt_id) == ("B", mine.pk)


def test_a_prompt_that_arrives_later_links_the_calls_after_it(
    ready: StrictSts, edge: EdgeLife, acme: Tenant, alice: User, billing_account: Connection
) -> None:
    keys = keys_of(acme, alice, billing_account, conversation="conv-1", generation="gen-1")
    prompt(acme, alice, "conv-1", "gen-0")
    before = call(edge, keys, acme)
    late = prompt(acme, alice, "conv-1", "gen-1", minute=1)
    assert (before.link, before.prompt_id) == ("D", None)
    after = call(edge, keys, acme)
    assert (after.link, after.prompt_id) == ("B", late.pk)


def test_another_persons_prompt_of_the_same_conversation_name_links_nothing(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, bob: User
) -> None:
    prompt(acme, bob, "conv-1", "gen-1")
    assert (call(edge, keys, acme).link, call(edge, keys, acme).prompt_id) == ("D", None)


def test_another_tenants_prompt_links_nothing(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, globex: Tenant, mallory: User
) -> None:
    prompt(globex, mallory, "conv-1", "gen-1")
    assert call(edge, keys, acme).prompt_id is None


def test_keys_of_no_conversation_link_to_the_person_only(
    ready: StrictSts, edge: EdgeLife, acme: Tenant, alice: User, billing_account: Connection
) -> None:
    prompt(acme, alice, "conv-1", "gen-1")
    row = call(edge, keys_of(acme, alice, billing_account), acme)
    assert (row.link, row.prompt_id) == ("D", None)
    assert "no conversation" in row.link_reason


@pytest.mark.parametrize(("source", "passes"), [("person", "admitted"), ("schedule", "refused")])
def test_policy_sees_who_spoke(
    strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, alice: User, source: str, passes: str
) -> None:
    publish_text(
        acme,
        '@id("all") permit (principal, action, resource) when { context.turn == "human" };',
    )
    prompt(acme, alice, "conv-1", "gen-1", source=source)
    assert call(edge, keys, acme).state == passes


def test_two_connections_of_one_conversation_are_two_sessions(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, alice: User, billing_agent: Agent
) -> None:
    elsewhere = keys_of(acme, alice, account(acme, "production"), agent=billing_agent, conversation="conv-1")
    assert call(edge, keys, acme).session_id != call(edge, elsewhere, acme).session_id


def test_two_edges_of_one_conversation_are_one_session(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    other = enrolled(acme, name="edge-2")
    assert call(edge, keys, acme).session_id == call(other, keys, acme).session_id
