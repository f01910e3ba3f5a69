"""`/keys/`: gateway keys in the shape `credential_process` expects, each bound to one connection."""

from __future__ import annotations

from datetime import datetime

import pytest

from audit.kinds import EventKind
from audit.models import Event
from gateway.connections.models import Connection
from gateway.identity.models import Agent, GatewayKey, User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from tests.api.asking import ANY_ID, api_of, is_problem
from tests.people import account, gateway_key_of


def test_a_developer_issues_keys_for_her_agent(
    acme: Tenant, alice: User, billing_agent: Agent, billing_account: Connection
) -> None:
    api = api_of(acme, alice, Right.KEYS_ISSUE)
    body = {"connection": str(billing_account.pk), "agent": str(billing_agent.pk), "conversation": "c1", "seconds": 900}
    answer = api.post("keys/", body)
    told = answer.json()
    assert answer.status_code == 201
    assert told["Version"] == 1
    assert told["AccessKeyId"].startswith("HWIA")
    assert len(told["SecretAccessKey"]) == 40
    assert datetime.fromisoformat(told["Expiration"]) == GatewayKey.objects.for_tenant(acme).get().expires_at.replace(
        microsecond=0
    )
    assert Event.objects.for_tenant(acme).filter(kind=EventKind.KEY_ISSUED).count() == 1


def test_the_list_never_shows_a_secret(acme: Tenant, alice: User, billing_account: Connection) -> None:
    api = api_of(acme, alice, Right.KEYS_ISSUE)
    issued = api.post("keys/", {"connection": str(billing_account.pk)}).json()
    answer = api.get("keys/")
    assert issued["SecretAccessKey"] not in answer.content.decode()
    assert issued["SessionToken"] not in answer.content.decode()
    assert [one["access_key_id"] for one in answer.json()["items"]] == [issued["AccessKeyId"]]


def test_a_connection_of_another_tenant_is_unknown(acme: Tenant, globex: Tenant, alice: User) -> None:
    answer = api_of(acme, alice, Right.KEYS_ISSUE).post("keys/", {"connection": str(account(globex, "theirs").pk)})
    assert is_problem(answer, 404, "connections.unknown")


def test_a_key_that_is_nobodys_own_issues_none(acme: Tenant, billing_account: Connection) -> None:
    answer = api_of(acme, None, Right.KEYS_ISSUE).post("keys/", {"connection": str(billing_account.pk)})
    assert is_problem(answer, 404, "identity.not_a_member")


@pytest.mark.parametrize("body", [{}, {"connection": "x"}, {"connection": str(ANY_ID), "seconds": 5}, []])
def test_a_malformed_body_is_a_400(acme: Tenant, alice: User, body: object) -> None:
    assert is_problem(api_of(acme, alice, Right.KEYS_ISSUE).post("keys/", body), 400, "api.malformed")


def test_anyone_ends_his_own_key_and_only_a_revoker_anothers(
    acme: Tenant, alice: User, bob: User, billing_account: Connection
) -> None:
    alices, bobs = (gateway_key_of(acme, one, billing_account) for one in (alice, bob))
    api = api_of(acme, alice, Right.KEYS_ISSUE)
    assert is_problem(api.delete(f"keys/{bobs.pk}/"), 403, "identity.right_missing")
    assert api.delete(f"keys/{alices.pk}/").status_code == 204
    assert [one["id"] for one in api.get("keys/").json()["items"]] == [str(alices.pk)]
    admin = api_of(acme, None, Right.KEYS_ISSUE, Right.KEYS_REVOKE)
    assert admin.delete(f"keys/{bobs.pk}/").status_code == 204
    assert GatewayKey.objects.for_tenant(acme).filter(revoked_at=None).count() == 0
    assert Event.objects.for_tenant(acme).filter(kind=EventKind.KEY_REVOKED).count() == 2


def test_another_tenants_key_is_not_there(acme: Tenant, globex: Tenant, alices_key: GatewayKey) -> None:
    api = api_of(globex, None, *Right)
    assert is_problem(api.delete(f"keys/{alices_key.pk}/"), 404, "identity.key_unknown")
