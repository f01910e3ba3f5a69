"""Entering a tenant lasts as long as the transaction, and no pooled connection remembers it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import ProgrammingError, connection
from django.test import override_settings

from gateway.identity.models import Membership
from gateway.tenants.checks import role_is_bound_by_row_security, unbound_role
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant, in_tenant_asking
from hoopweb.stack.postgres import OWNER, SUPERUSER
from hoopweb.stack.services import Services
from tests.conftest import AsOwner

pytestmark = pytest.mark.django_db(transaction=True)


def current() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting('app.tenant_id', true), '')")
        return str(cursor.fetchone()[0])


def test_a_tenant_is_left_with_the_transaction(acme: Tenant) -> None:
    with in_tenant(acme):
        assert current() == str(acme.pk)
    assert current() == ""


def test_a_tenant_is_left_when_the_work_fails(acme: Tenant) -> None:
    with pytest.raises(RuntimeError, match="half way"), in_tenant(acme):
        raise RuntimeError("half way")
    assert current() == ""


def test_the_same_connection_afterwards_sees_nothing(acme: Tenant, bob: object) -> None:
    with in_tenant(acme):
        assert Membership.objects.count() == 1
    assert Membership.objects.count() == 0


MEMBERS = "SELECT count(*) FROM identity_membership WHERE tenant_id = ANY(%s)"


def test_a_statement_asked_on_the_way_in_sees_that_tenant_alone(acme: Tenant, globex: Tenant, bob: object) -> None:
    both = [acme.pk, globex.pk]
    with in_tenant_asking(acme.pk, MEMBERS, [both]) as row:
        assert row == (1,)
        assert current() == str(acme.pk)
    with in_tenant_asking(globex.pk, MEMBERS, [both]) as row:
        assert row == (0,)
    assert current() == ""


def test_a_statement_that_fails_on_the_way_in_leaves_a_connection_that_works(acme: Tenant) -> None:
    with pytest.raises(ProgrammingError), in_tenant_asking(acme.pk, "SELECT nobody FROM nowhere", []):
        raise AssertionError("not reached")
    assert current() == ""
    with in_tenant_asking(acme.pk, "SELECT 1 WHERE false", []) as row:
        assert row is None


def test_the_app_role_is_bound_by_row_security() -> None:
    assert unbound_role() is None


@pytest.mark.parametrize("role", ["web", "web-edge", "worker-approved", "worker-jobs", "beat"])
def test_a_serving_process_starts_as_the_app_role(role: str) -> None:
    with override_settings(ROLE=role):
        assert role_is_bound_by_row_security() == []


@pytest.fixture(params=["SUPERUSER", "BYPASSRLS"])
def walker(request: pytest.FixtureRequest, services: Services) -> Iterator[str]:
    """A role that row-level security does not bind, which the tests' session may take on."""
    server = services.postgres
    with server.connect(SUPERUSER, services.passwords.superuser, "postgres") as superuser:
        superuser.execute(f"CREATE ROLE walker {request.param}")
        superuser.execute(f"GRANT walker TO {OWNER}")
        superuser.commit()
        yield "walker"
        superuser.execute("DROP ROLE walker")


def test_a_serving_process_refuses_a_role_that_walks_through_the_walls(walker: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"RESET ROLE; SET ROLE {walker}")
    try:
        assert unbound_role() == walker
        with override_settings(ROLE="web"):
            (error,) = role_is_bound_by_row_security()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE; SET ROLE hoopweb_app")
    assert error.id == "tenants.E001"
    assert walker in error.msg


def test_a_command_may_run_as_any_role(as_owner: AsOwner) -> None:
    with as_owner(), override_settings(ROLE="command"):
        assert role_is_bound_by_row_security() == []
