"""Level C: a conversation the client only names links to that person's prompt, and is never taken for more."""

from __future__ import annotations

import pytest

from gateway.connections.models import Connection
from gateway.identity.models import User
from gateway.requests.declared import declared_conversation
from gateway.requests.models import ProxiedRequest
from gateway.tenants.models import Tenant
from gateway.wire.request import WireRequest
from tests.connections.strict_sts import StrictSts
from tests.requests.test_links import prompt
from tests.requests.world import EdgeLife, Keys, caught, keys_of, publish_text, row_of


@pytest.fixture
def unbound(acme: Tenant, alice: User, billing_account: Connection) -> Keys:
    """Keys that name no conversation."""
    return keys_of(acme, alice, billing_account)


def call(edge: EdgeLife, keys: Keys, tenant: Tenant, app_id: str) -> ProxiedRequest:
    """A call of an SDK told `AWS_SDK_UA_APP_ID`."""
    item = caught(lambda: keys.client("secretsmanager", user_agent_appid=app_id).list_secrets())
    edge.admit(item)
    return row_of(tenant, item)


def test_a_conversation_the_client_names_links_as_declared(
    ready: StrictSts, edge: EdgeLife, unbound: Keys, acme: Tenant, alice: User
) -> None:
    prompt(acme, alice, "conv-1", "gen-1")
    newest = prompt(acme, alice, "conv-1", "gen-2", minute=1)
    row = call(edge, unbound, acme, "conversation-conv-1")
    assert (row.link, row.prompt_id) == ("C", newest.pk)
    assert "nothing proves it" in row.link_reason


def test_what_the_key_itself_names_is_stronger(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, alice: User
) -> None:
    mine = prompt(acme, alice, "conv-1", "gen-1")
    prompt(acme, alice, "conv-2", "gen-2", minute=1)
    row = call(edge, keys, acme, "conversation-conv-2")
    assert (row.link, row.prompt_id) == ("B", mine.pk)


def test_nobody_points_at_another_persons_or_tenants_words(
    ready: StrictSts, edge: EdgeLife, unbound: Keys, acme: Tenant, globex: Tenant, bob: User, mallory: User
) -> None:
    prompt(acme, bob, "conv-1", "gen-1")
    prompt(globex, mallory, "conv-1", "gen-1")
    row = call(edge, unbound, acme, "conversation-conv-1")
    assert (row.link, row.prompt_id) == ("D", None)


def test_policy_that_demands_more_refuses_it(
    strict_sts: StrictSts, edge: EdgeLife, unbound: Keys, acme: Tenant, alice: User
) -> None:
    prompt(acme, alice, "conv-1", "gen-1")
    publish_text(acme, '@id("linked") permit (principal, action, resource) when { context.link.rank >= 3 };')
    assert call(edge, unbound, acme, "conversation-conv-1").state == "refused"


@pytest.mark.parametrize(
    ("agents", "named"),
    [
        (["Boto3/1 app/conversation-conv-1 md/x"], "conv-1"),
        (["app/conversation-a.b_c~9"], "a.b_c~9"),
        (["app/conversation-a app/conversation-a"], "a"),
        (["app/conversation-a app/conversation-b"], None),
        (["app/conversation-a", "app/conversation-b"], None),
        (["xapp/conversation-a"], None),
        (["app/conversation-"], None),
        (["app/conversation-" + "a" * 38], None),
        (["app/conversation-a%00b"], None),
        ([], None),
    ],
)
def test_one_name_or_none(agents: list[str], named: str | None) -> None:
    headers = tuple(("User-Agent", agent) for agent in agents)
    assert declared_conversation(WireRequest(method="GET", target="/", headers=headers, body=b"")) == named
