"""API keys: shown once, kept as a hash, never beyond what the person or the granter may do."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gateway.identity import keys, selectors, services
from gateway.identity.models import ApiKey, Membership, User
from gateway.identity.problems import KeyUnknown, LifetimeRefused, NameRefused, NotAMember, ScopeRefused
from gateway.tenants.models import Tenant
from gateway.tenants.rights import RIGHTS_OF, Role
from gateway.tenants.scope import in_tenant
from tests.identity.test_members import events
from tests.people import NOW


def issue(tenant: Tenant, user: User | None, *scopes: str, **changes: Any) -> tuple[ApiKey, str]:
    given = {"name": "siem", "lifetime": timedelta(days=1), **changes}
    with in_tenant(tenant):
        return services.issue_api_key(
            tenant=tenant, user=user, scopes=scopes, by_label="sam", now=NOW, random=os.urandom, **given
        )


def test_the_plaintext_opens_the_key_and_is_kept_nowhere(acme: Tenant, alice: User) -> None:
    made, plaintext = issue(acme, alice, "requests:read")
    named = keys.read_api_key(plaintext)
    assert named is not None
    assert (named.tenant_id, named.key_id) == (acme.pk, made.pk)
    with in_tenant(acme):
        row = ApiKey.objects.for_tenant(acme).filter(pk=made.pk).values().get()
    assert keys.matches(plaintext, bytes(row["digest"]))
    assert plaintext not in str(row)
    assert plaintext.split("_", 2)[2] not in str(events(acme, "api_key.issued"))


def test_two_keys_are_never_the_same(acme: Tenant, alice: User) -> None:
    assert len({issue(acme, alice, "requests:read")[1] for _ in range(5)}) == 5


def test_issuing_is_an_event_with_scopes_and_end(acme: Tenant, alice: User) -> None:
    made, _ = issue(acme, alice, "requests:read", "prompts:write")
    (event,) = events(acme, "api_key.issued")
    assert event["subject"] == str(made.pk)
    assert event["data"]["scopes"] == ["prompts:write", "requests:read"]
    assert event["data"]["user"] == "alice"
    assert event["data"]["expires_at"] == (NOW + timedelta(days=1)).isoformat()


@pytest.mark.parametrize("scope", ["policies:write", "approvals:vote", "members:write"])
def test_a_persons_key_has_no_right_the_person_lacks(acme: Tenant, alice: User, scope: str) -> None:
    with pytest.raises(ScopeRefused, match=scope):
        issue(acme, alice, scope)
    assert events(acme, "api_key.issued") == []


def test_an_administrator_cannot_make_himself_a_key_to_vote_as_bob(acme: Tenant, bob: User) -> None:
    issue(acme, bob, "approvals:vote")
    with pytest.raises(ScopeRefused, match="approvals:vote"):
        issue(acme, bob, "approvals:vote", granter_rights=RIGHTS_OF[Role.OWNER])


def test_a_key_of_nobody_never_votes(acme: Tenant) -> None:
    with pytest.raises(ScopeRefused, match="person"):
        issue(acme, None, "approvals:vote")


def test_a_key_of_nobody_has_no_right_its_granter_lacks(acme: Tenant) -> None:
    with pytest.raises(ScopeRefused):
        issue(acme, None, "members:write", granter_rights=RIGHTS_OF[Role.DEVELOPER])


@pytest.mark.parametrize("scopes", [(), ("requests:*",), ("requests:read", "everything")])
def test_scopes_are_names_of_rights(acme: Tenant, alice: User, scopes: tuple[str, ...]) -> None:
    with pytest.raises(ScopeRefused):
        issue(acme, alice, *scopes)


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(seconds=-1), timedelta(seconds=59), timedelta(days=367)])
def test_a_key_ends_within_a_year(acme: Tenant, alice: User, lifetime: timedelta) -> None:
    with pytest.raises(LifetimeRefused):
        issue(acme, alice, "requests:read", lifetime=lifetime)


@pytest.mark.parametrize("name", ["", "x" * 81, "a\nb", "a\u202eb"])
def test_a_keys_name_hides_nothing(acme: Tenant, alice: User, name: str) -> None:
    with pytest.raises(NameRefused):
        issue(acme, alice, "requests:read", name=name)


def test_people_of_other_tenants_and_past_members_get_no_key(acme: Tenant, alice: User, mallory: User) -> None:
    with pytest.raises(NotAMember):
        issue(acme, mallory, "requests:read")
    with in_tenant(acme):
        Membership.objects.for_tenant(acme).filter(user=alice).update(is_active=False)
    with pytest.raises(NotAMember):
        issue(acme, alice, "requests:read")


def test_revoking_ends_the_key_at_once_and_is_one_event(acme: Tenant, alice: User) -> None:
    made, _ = issue(acme, alice, "requests:read")
    with in_tenant(acme):
        for _ in range(2):
            revoked = services.revoke_api_key(tenant=acme, key_id=made.pk, by_label="sam", now=NOW)
            assert not revoked.is_live(NOW)
    assert [event["subject"] for event in events(acme, "api_key.revoked")] == [str(made.pk)]


def test_another_tenants_key_is_unknown(acme: Tenant, globex: Tenant, alice: User) -> None:
    made, _ = issue(acme, alice, "requests:read")
    with in_tenant(globex):
        with pytest.raises(KeyUnknown):
            services.revoke_api_key(tenant=globex, key_id=made.pk, by_label="sam", now=NOW)
        assert list(selectors.api_keys(globex)) == []


def test_a_call_with_a_key_enters_its_tenant_by_one_statement_beside_the_setting(acme: Tenant, alice: User) -> None:
    with in_tenant(acme):
        _, plaintext = services.issue_api_key(
            tenant=acme, user=alice, scopes=["requests:read"], by_label="sam", name="siem", lifetime=timedelta(days=1),
            now=timezone.now(), random=os.urandom,
        )  # fmt: skip
    client, headers = Client(), {"Authorization": f"Bearer {plaintext}"}
    assert client.get("/api/v1/me/", headers=headers).status_code == 200
    with CaptureQueriesContext(connection) as asked:
        assert client.get("/api/v1/me/", headers=headers).status_code == 200
    before_the_view = [one["sql"] for one in asked if "SAVEPOINT" not in one["sql"]][:2]
    assert "set_config('app.tenant_id'" in before_the_view[0]
    assert before_the_view[1].count("identity_apikey") == 1
    assert [sum(table in one["sql"] for one in asked) for table in ("identity_apikey", "hoopweb_evidenceperiod")] == [
        1,
        1,
    ]
