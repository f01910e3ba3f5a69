"""Tenants and members: who can be made, by what name, with which roles, and what the ledger says of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db.utils import ProgrammingError

from audit.models import Event
from gateway.identity import services
from gateway.identity.models import Membership, User
from gateway.identity.problems import NameRefused, NameTaken, PasswordRefused, ScopeRefused
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.conftest import AsOwner
from tests.people import NOW

PASSWORD = "correct horse battery staple"


def create(tenant: Tenant, username: str = "dora", **changes: Any) -> Membership:
    given = {"password": PASSWORD, "roles": ["developer"], "groups": ["engineering"], **changes}
    with in_tenant(tenant):
        return services.create_member(tenant=tenant, username=username, by_label="sam", now=NOW, **given)


def events(tenant: Tenant, kind: str) -> list[dict[str, Any]]:
    with in_tenant(tenant):
        rows = Event.objects.for_tenant(tenant).filter(kind=kind).order_by("sequence")
        return [json.loads(bytes(row.body)) for row in rows]


def test_a_member_can_sign_in_and_has_the_rights_of_the_roles(acme: Tenant) -> None:
    made = create(acme, roles=["approver", "auditor"])
    assert made.user.check_password(PASSWORD)
    assert {"approvals:vote", "events:read"} <= {str(right) for right in made.rights}


def test_a_new_member_is_an_event_without_the_password(acme: Tenant) -> None:
    made = create(acme)
    (event,) = events(acme, "member.added")
    assert event["subject"] == str(made.user.pk)
    assert event["data"] == {"by": "sam", "user": "dora", "roles": ["developer"]}


@pytest.mark.parametrize("password", ["", "short", "eleven-char", "password1234"])
def test_an_easy_password_is_refused(acme: Tenant, password: str) -> None:
    with pytest.raises(PasswordRefused):
        create(acme, password=password)
    with in_tenant(acme):
        assert not User.objects.filter(username="dora").exists()


@pytest.mark.parametrize("username", ["dora", "Dora", "DORA"])
def test_a_user_name_is_taken_whoever_took_it_and_however_it_is_written(
    acme: Tenant, globex: Tenant, username: str
) -> None:
    """Else globex could set the password of acme's dora, or seat a `Dora` beside her."""
    theirs = create(acme)
    with pytest.raises(NameTaken):
        create(globex, username, password="another long password")
    assert User.objects.get(pk=theirs.user.pk).check_password(PASSWORD)


@pytest.mark.parametrize("username", ["", "a b", "dora\n", "d\u200bora", "a" * 151, "döra", "<b>dora</b>"])
def test_a_user_name_hides_nothing(acme: Tenant, username: str) -> None:
    with pytest.raises(NameRefused):
        create(acme, username)


@pytest.mark.parametrize("roles", [[], ["root"], ["developer", "Owner"]])
def test_only_known_roles_are_given(acme: Tenant, roles: list[str]) -> None:
    with pytest.raises(ScopeRefused):
        create(acme, roles=roles)


@pytest.mark.parametrize("group", ["", "Platform", "a b", "x" * 81])
def test_a_group_is_a_plain_name(acme: Tenant, group: str) -> None:
    with pytest.raises(NameRefused):
        create(acme, groups=[group])


def test_one_person_may_be_a_member_of_two_tenants(acme: Tenant, globex: Tenant) -> None:
    dora = create(acme).user
    with in_tenant(globex):
        services.add_membership(tenant=globex, user=dora, roles=["auditor"], groups=[], by_label="sam", now=NOW)
    with in_tenant(acme), pytest.raises(NameTaken):
        services.add_membership(tenant=acme, user=dora, roles=["auditor"], groups=[], by_label="sam", now=NOW)
    assert len(events(globex, "member.added")) == 1


def test_the_serving_role_cannot_make_tenants(db: None) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        services.create_tenant(slug="initech", title="Initech")


def test_a_tenants_name_is_taken_once(acme: Tenant, as_owner: AsOwner) -> None:
    with as_owner(), pytest.raises(NameTaken):
        services.create_tenant(slug="acme", title="Another Acme")


@pytest.mark.parametrize("slug", ["", "Acme", "a b", "-a", "a" * 41])
def test_a_tenants_name_is_plain(db: None, as_owner: AsOwner, slug: str) -> None:
    with as_owner(), pytest.raises(NameRefused):
        services.create_tenant(slug=slug, title="X")
