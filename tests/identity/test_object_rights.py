"""Connections and policies kept for groups: who is in none neither sees nor uses them, and no group crosses tenants."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection as database
from django.db.utils import ProgrammingError
from guardian.shortcuts import get_group_perms

from gateway.connections.models import Connection, ConnectionGrant
from gateway.identity.models import GatewayKey, Membership, ServiceAccount, User
from gateway.policy.models import Policy
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant
from tests.api.asking import Api, api_of, is_problem
from tests.identity.test_members import events
from tests.people import account, api_key_of, gateway_key_of, member
from tests.ui.browsing import browser_of, page

PERMIT = '@id("all") permit (principal, action, resource);'


@pytest.fixture
def admin(acme: Tenant) -> Api:
    return api_of(acme, member(acme, "sam", roles=[Role.SECURITY_ADMIN]), *Right)


@pytest.fixture
def owner(acme: Tenant) -> Api:
    return api_of(acme, member(acme, "olga", roles=[Role.OWNER]), *Right)


@pytest.fixture
def dave(acme: Tenant) -> User:
    return member(acme, "dave", roles=[Role.DEVELOPER], groups=["platform"])


def keep(api: Api, kind: str, thing: Any, *groups: str) -> Any:
    return api.post(f"{kind}/{thing.pk}/access/", {"groups": list(groups)})


def seen(api: Api) -> list[str]:
    return [one["name"] for one in api.get("connections/").json()["items"]]


def test_without_groups_every_role_that_may_uses_it(acme: Tenant, alice: User, billing_account: Connection) -> None:
    api = api_of(acme, alice, *Right)
    assert seen(api) == ["billing"]
    assert api.get(f"connections/{billing_account.pk}/access/").json() == {"groups": []}
    assert api.post("keys/", {"connection": str(billing_account.pk)}).status_code == 201


def test_kept_for_a_group_it_is_nobodys_to_everybody_else(
    acme: Tenant, admin: Api, alice: User, dave: User, billing_account: Connection
) -> None:
    assert keep(admin, "connections", billing_account, "engineering").json() == {"groups": ["engineering"]}
    hers, his = api_of(acme, alice, *Right), api_of(acme, dave, *Right)
    assert (seen(hers), seen(his)) == (["billing"], [])
    body = {"connection": str(billing_account.pk)}
    assert hers.post("keys/", body).status_code == 201
    assert is_problem(his.post("keys/", body), 404, "connections.unknown")
    for path in ("", "access/"):
        assert is_problem(his.get(f"connections/{billing_account.pk}/{path}"), 404, "connections.unknown")
    assert browser_of(alice).get(f"/connections/{billing_account.pk}/").status_code == 200
    assert browser_of(dave).get(f"/connections/{billing_account.pk}/").status_code == 404
    assert "billing" not in page(browser_of(dave).get("/connections/")).text


def test_administrators_and_auditors_see_it_and_use_it_only_from_inside(
    acme: Tenant, admin: Api, billing_account: Connection
) -> None:
    keep(admin, "connections", billing_account, "engineering")
    auditor = api_of(acme, member(acme, "eve", roles=[Role.AUDITOR]), *Right)
    assert seen(admin) == seen(auditor) == ["billing"]
    assert is_problem(admin.post("keys/", {"connection": str(billing_account.pk)}), 404, "connections.unknown")


def test_keys_of_those_outside_end_at_once_and_others_go_on(
    acme: Tenant, admin: Api, alice: User, dave: User, billing_account: Connection
) -> None:
    with in_tenant(acme):
        workload = ServiceAccount.objects.create(tenant=acme, name="ci")
    hers, his = (gateway_key_of(acme, one, billing_account) for one in (alice, dave))
    its = gateway_key_of(acme, None, billing_account)
    elsewhere = gateway_key_of(acme, dave, account(acme, "other"))
    with in_tenant(acme):
        GatewayKey.objects.for_tenant(acme).filter(pk=its.pk).update(service_account=workload)
        # Live by the real clock: what has ended is not ended again.
        GatewayKey.objects.for_tenant(acme).update(expires_at="2099-01-01T00:00:00Z")
    keep(admin, "connections", billing_account, "engineering")
    with in_tenant(acme):
        ended = set(GatewayKey.objects.for_tenant(acme).exclude(revoked_at=None).values_list("pk", flat=True))
    assert ended == {his.pk, its.pk}
    assert {hers.pk, elsewhere.pk}.isdisjoint(ended)
    assert len(events(acme, "key.revoked")) == 2


def test_groups_follow_the_provider(acme: Tenant, admin: Api, dave: User, billing_account: Connection) -> None:
    keep(admin, "connections", billing_account, "engineering")
    his = api_of(acme, dave, *Right)
    assert seen(his) == []
    with in_tenant(acme):
        # As a sign-in leaves it, from the provider's claim by the tenant's map (tests/identity/test_oidc.py).
        Membership.objects.for_tenant(acme).filter(user=dave).update(groups=["engineering"])
    assert seen(his) == ["billing"]


def test_taking_all_groups_away_opens_it_and_each_change_is_one_event(
    acme: Tenant, admin: Api, dave: User, billing_account: Connection
) -> None:
    for groups in (["engineering"], ["engineering"], ["security", "engineering"], []):
        assert keep(admin, "connections", billing_account, *groups).json() == {"groups": sorted(groups)}
    assert seen(api_of(acme, dave, *Right)) == ["billing"]
    told = [one["data"] for one in events(acme, "access.changed")]
    assert [one["result"] for one in told] == [
        "kept for engineering",
        "kept for engineering, security",
        "open to every role that may",
    ]
    assert {(one["by"], one["what"]) for one in told} == {("sam", "connection billing")}


@pytest.mark.parametrize("groups", [["Bad Name"], ["a:b"], [""], [f"g{number}" for number in range(51)], "x", [["x"]]])
def test_what_is_no_group_changes_nothing(
    acme: Tenant, admin: Api, billing_account: Connection, groups: object
) -> None:
    answer = admin.post(f"connections/{billing_account.pk}/access/", {"groups": groups})
    assert answer.status_code == 400
    with in_tenant(acme):
        assert not ConnectionGrant.objects.for_tenant(acme).exists()


def test_a_key_that_is_nobodys_is_in_no_group(acme: Tenant, admin: Api, billing_account: Connection) -> None:
    keep(admin, "connections", billing_account, "engineering")
    assert seen(api_of(acme, None, Right.CONNECTIONS_READ)) == []
    assert seen(api_of(acme, None, Right.CONNECTIONS_READ, Right.EVENTS_READ)) == ["billing"]


def test_a_policy_kept_for_a_group_is_published_from_inside_alone(acme: Tenant, admin: Api, owner: Api) -> None:
    assert admin.post("policies/", {"text": PERMIT}).status_code == 201
    with in_tenant(acme):
        policy = Policy.objects.for_tenant(acme).get()
    # Who writes policies does not say who writes them.
    assert is_problem(keep(admin, "policies", policy, "security"), 403, "identity.right_missing")
    assert keep(owner, "policies", policy, "security").status_code == 200
    assert admin.get(f"policies/{policy.pk}/access/").json() == {"groups": ["security"]}
    for path in ("policies/", f"policies/{policy.pk}/revisions/"):
        assert is_problem(admin.post(path, {"text": PERMIT}), 403, "identity.right_missing")
    with in_tenant(acme):
        Membership.objects.for_tenant(acme).filter(user__username="sam").update(groups=["security"])
    assert admin.post("policies/", {"text": PERMIT}).status_code == 201


def test_the_page_keeps_it_too(acme: Tenant, dave: User, billing_account: Connection) -> None:
    path = f"/connections/{billing_account.pk}/access/"
    admin = browser_of(member(acme, "sam", roles=[Role.SECURITY_ADMIN]))
    assert admin.post(path, {"groups": "engineering, security"}).status_code == 302
    assert "engineering, security" in page(admin.get(f"/connections/{billing_account.pk}/")).text
    assert browser_of(dave).post(path, {"groups": ""}).status_code == 403
    assert admin.post(path, {"groups": "Not A Group!"}).status_code == 400


class TestTwoTenants:
    """Equal names next door are other groups, and neither sees the other's."""

    @pytest.fixture(autouse=True)
    def kept(self, acme: Tenant, globex: Tenant, admin: Api, billing_account: Connection) -> None:
        keep(admin, "connections", billing_account, "engineering")
        with in_tenant(globex):
            Group.objects.create(name=f"{globex.pk}:engineering")

    def test_guardian_knows_each_group_by_its_tenant(self, acme: Tenant, billing_account: Connection) -> None:
        with in_tenant(acme):
            (group,) = Group.objects.all()
            assert group.name == f"{acme.pk}:engineering"
            assert [str(one) for one in get_group_perms(group, billing_account)] == ["view_connection"]
            assert ConnectionGrant.objects.get().tenant_id == acme.pk

    def test_a_neighbour_in_a_group_of_that_name_gets_nothing(
        self, globex: Tenant, acme: Tenant, billing_account: Connection
    ) -> None:
        trudy = member(globex, "trudy", roles=[Role.OWNER], groups=["engineering"])
        api = Api(api_key_of(globex, trudy, *Right)[1])
        assert seen(api) == []
        assert is_problem(keep(api, "connections", billing_account), 404, "connections.unknown")
        with in_tenant(globex):
            assert not ConnectionGrant.objects.exists()

    def test_nobody_makes_a_group_in_anothers_name(self, acme: Tenant, globex: Tenant) -> None:
        with pytest.raises(ProgrammingError, match="row-level security"), in_tenant(globex):
            Group.objects.create(name=f"{acme.pk}:operators")

    @pytest.mark.parametrize("table", ["guardian_groupobjectpermission", "guardian_userobjectpermission"])
    def test_guardians_own_tables_which_know_no_tenant_are_shut(self, acme: Tenant, table: str) -> None:
        with pytest.raises(ProgrammingError, match="permission denied"), in_tenant(acme), database.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table}")
