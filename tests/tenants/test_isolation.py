"""The walls between tenants, tried as the role that serves."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.apps import apps
from django.db import Error, IntegrityError, ProgrammingError, connection, models, transaction

from approvals.models import ApprovalRequest, ApprovalRequirement, ApprovalRule, Vote
from audit.kinds import EventKind
from audit.models import Event, LedgerHead
from audit.services import append
from gateway.connections.models import Connection
from gateway.identity.models import Agent, ApiKey, GatewayKey, Membership, User
from gateway.tenants.models import Tenant, TenantScoped
from gateway.tenants.scope import all_tenant_ids, as_user, in_tenant
from tests.approvals.asking import Asking
from tests.conftest import AsOwner
from tests.people import NOW, account, api_key_of, gateway_key_of

pytestmark = pytest.mark.django_db

# Models of ours that belong to no tenant, each with the reason.
NOT_OF_A_TENANT = {
    "tenants.Tenant": "is the tenant; its own policy shows each only itself",
    "identity.User": "a person may be a member of several tenants",
    "identity.ExternalIdentity": "how a provider knows a person, before any tenant is known",
    "audit.Event": "tenant-owned without TenantScoped: its key is (tenant, sequence)",
    "audit.LedgerHead": "tenant-owned without TenantScoped: one row a tenant",
    "audit.RefusalCount": "refusals before a tenant is verified; holds no tenant's data",
    "requests.Edge": "one edge may serve several tenants; EdgeScope says which",
    "requests.EnrolmentToken": "invites an edge, which serves several tenants",
    "requests.EdgeBoot": "one life of an edge process",
}
OURS = ("tenants", "sealing", "identity", "audit", "policy", "connections", "approvals", "requests", "jobs", "hoopweb")


def our_models() -> list[type[models.Model]]:
    return [one for one in apps.get_models() if one._meta.app_label in OURS]


def tables_behind_walls() -> list[str]:
    owned = [one._meta.db_table for one in our_models() if issubclass(one, TenantScoped)]
    return sorted([*owned, "audit_event", "audit_ledgerhead", "tenants_tenant"])


@pytest.mark.parametrize("model", our_models(), ids=lambda model: model._meta.label)
def test_every_model_is_a_tenants_or_says_why_not(model: type[models.Model]) -> None:
    assert issubclass(model, TenantScoped) != (model._meta.label in NOT_OF_A_TENANT)


def test_no_reason_is_kept_for_a_model_that_is_gone() -> None:
    assert set(NOT_OF_A_TENANT) <= {model._meta.label for model in our_models()}


@pytest.mark.parametrize("table", tables_behind_walls())
def test_every_tenants_table_has_forced_row_security_and_a_policy(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relrowsecurity, relforcerowsecurity, "
            "(SELECT count(*) FROM pg_policies WHERE tablename = relname AND cmd = 'ALL') "
            "FROM pg_class WHERE relname = %s",
            [table],
        )
        assert cursor.fetchone() == (True, True, 1)


@pytest.mark.parametrize("table", [table for table in tables_behind_walls() if table not in {"tenants_tenant"}])
def test_the_serving_role_cannot_empty_a_tenants_table(table: str) -> None:
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), transaction.atomic():
        run(f"TRUNCATE {table}")


def test_every_reference_between_tenants_tables_is_bound_to_the_tenant() -> None:
    """Django's own foreign key checks run as the table's owner and see every tenant: only composite ones hold."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.conrelid::regclass::text, c.confrelid::regclass::text, "
            "array_length(c.conkey, 1) FROM pg_constraint c WHERE c.contype = 'f' AND c.conparentid = 0"
        )
        found = cursor.fetchall()
    walls = set(tables_behind_walls()) - {"tenants_tenant"}
    between = [(table, target, columns) for table, target, columns in found if {table, target} <= walls]
    assert between
    assert [one for one in between if one[2] != 2] == []
    bound = {(table, target) for table, target, _ in between}
    for model in our_models():
        for field in model._meta.get_fields():
            if isinstance(field, models.ForeignKey) and field.related_model._meta.db_table in walls:
                assert (model._meta.db_table, field.related_model._meta.db_table) in bound, field


def run(sql: str, *values: UUID) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return int(cursor.rowcount)


def count(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return int(cursor.fetchone()[0])


def test_the_tests_run_as_the_role_that_serves() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == ("hoopweb_app", False, False)


class TestTwoTenants:
    """Acme and globex, each with a row in most rooms."""

    ROWS = (Membership, Agent, ApiKey, GatewayKey, Connection, ApprovalRequest, ApprovalRequirement, ApprovalRule)

    @pytest.fixture(autouse=True)
    def rows_next_door(self, asking: Asking, acme: Tenant, globex: Tenant, mallory: User) -> None:
        asking.open()
        connection_ = account(globex, "theirs")
        key = gateway_key_of(globex, mallory, connection_)
        for tenant, person in ((acme, asking.alice), (globex, mallory)):
            api_key_of(tenant, person)
        with in_tenant(globex):
            Agent.objects.create(tenant=globex, name="their-agent", owner=mallory)
            ApprovalRule.objects.create(tenant=globex, name="operators", group="operators")
        theirs = Asking(globex, mallory, None, key)
        theirs.open()

    @pytest.mark.parametrize("model", ROWS, ids=lambda model: model.__name__)
    def test_each_sees_its_own_rows_without_any_filter(
        self, acme: Tenant, globex: Tenant, model: type[TenantScoped]
    ) -> None:
        for tenant in (acme, globex):
            with in_tenant(tenant):
                assert set(model.objects.values_list("tenant_id", flat=True)) == {tenant.pk}

    def test_each_sees_its_own_events_and_itself(self, acme: Tenant, globex: Tenant) -> None:
        for tenant in (acme, globex):
            with in_tenant(tenant):
                assert set(Event.objects.values_list("tenant_id", flat=True)) == {tenant.pk}
                assert list(Tenant.objects.all()) == [tenant]
                assert LedgerHead.objects.get().tenant_id == tenant.pk

    @pytest.mark.parametrize("table", tables_behind_walls())
    def test_outside_every_tenant_there_is_nothing(self, table: str) -> None:
        run("SELECT set_config('app.tenant_id', '', true)")
        assert count(table) == 0

    def test_an_unfiltered_update_stays_inside(self, acme: Tenant, globex: Tenant) -> None:
        with in_tenant(acme):
            Agent.objects.update(kind="changed")
        with in_tenant(globex):
            assert Agent.objects.get().kind != "changed"

    def test_another_tenants_row_can_neither_be_changed_nor_deleted(self, acme: Tenant, globex: Tenant) -> None:
        with in_tenant(globex):
            theirs = ApprovalRequest.objects.get()
        with in_tenant(acme):
            assert run("UPDATE approvals_approvalrequest SET state = 'granted' WHERE id = %s", theirs.pk) == 0
            assert ApprovalRequest.objects.for_tenant(globex).count() == 0

    def test_a_row_in_another_tenants_name_is_refused(self, acme: Tenant, globex: Tenant) -> None:
        with (
            pytest.raises(ProgrammingError, match="row-level security"),
            in_tenant(acme),
        ):
            Agent.objects.create(tenant=globex, name="planted")

    def test_a_row_cannot_be_moved_to_another_tenant(self, acme: Tenant, globex: Tenant) -> None:
        with pytest.raises(ProgrammingError, match="row-level security"), in_tenant(acme):
            run("UPDATE identity_agent SET tenant_id = %s", globex.pk)

    def test_an_event_in_another_tenants_ledger_is_refused(self, acme: Tenant, globex: Tenant) -> None:
        with pytest.raises(ProgrammingError, match="row-level security"), in_tenant(acme):
            append(tenant_id=globex.pk, kind=EventKind.EVIDENCE_READ, at=NOW, subject=acme.pk)

    def test_a_reference_into_another_tenant_is_refused(self, acme: Tenant, globex: Tenant, bob: User) -> None:
        with in_tenant(globex):
            theirs = ApprovalRequest.objects.get()
        # The composite keys wait for the commit; asked now, so that the refusal is this statement's.
        run("SET CONSTRAINTS ALL IMMEDIATE")
        planted = Vote(tenant=acme, approval_id=theirs.pk, voter=bob, voter_label="bob", answer="approve", voted_at=NOW)
        with pytest.raises(IntegrityError, match="in_tenant"), in_tenant(acme):
            planted.save(force_insert=True)

    def test_a_person_sees_only_his_own_memberships_before_a_tenant_is_chosen(
        self, acme: Tenant, globex: Tenant, mallory: User
    ) -> None:
        run("SELECT set_config('app.tenant_id', '', true)")
        with as_user(mallory.pk):
            assert [one.user_id for one in Membership.objects.all()] == [mallory.pk]
            assert list(Tenant.objects.all()) == [globex]
            assert count("identity_agent") == 0

    def test_a_sweep_learns_the_tenants_and_nothing_of_them(self, acme: Tenant, globex: Tenant) -> None:
        run("SELECT set_config('app.tenant_id', '', true)")
        assert set(all_tenant_ids()) == {acme.pk, globex.pk}
        assert count("identity_agent") == 0
        assert count("audit_event") == 0


class TestWhatTheServingRoleMayNot:
    """Rights the app role has no use for, each tried."""

    @pytest.fixture(autouse=True)
    def an_event(self, acme: Tenant) -> None:
        with in_tenant(acme):
            append(tenant_id=acme.pk, kind=EventKind.EVIDENCE_READ, at=NOW, subject=acme.pk)

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE audit_event SET kind = 'request.refused'",
            "DELETE FROM audit_event",
            "TRUNCATE audit_event",
            "TRUNCATE audit_event_p0",
            "SELECT * FROM audit_event_p0",
            "INSERT INTO audit_event_p0 SELECT * FROM audit_event",
            "ALTER TABLE audit_event DISABLE TRIGGER ALL",
            "ALTER TABLE audit_event DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE identity_agent NO FORCE ROW LEVEL SECURITY",
            "DROP POLICY tenant_isolation ON identity_agent",
            "CREATE POLICY wide ON identity_agent USING (true)",
            "DROP TABLE audit_event",
            "DELETE FROM approvals_vote",
            "UPDATE approvals_vote SET answer = 'approve'",
            "DELETE FROM audit_prompt",
            "DELETE FROM audit_ledgerhead",
            "DELETE FROM tenants_tenant",
            "INSERT INTO tenants_tenant SELECT gen_random_uuid(), 'own', title, true, false, now() FROM tenants_tenant",
            "SET session_replication_role = replica",
            "CREATE ROLE helper SUPERUSER",
            "COPY audit_event TO PROGRAM 'cat'",
        ],
    )
    def test_it_is_refused(self, acme: Tenant, sql: str) -> None:
        with pytest.raises(Error, match=r"denied|must be owner|must be able|append-only"), in_tenant(acme):
            run(sql)

    def test_row_security_turned_off_for_a_session_is_an_error_not_a_way_around(self, acme: Tenant) -> None:
        run("SET LOCAL row_security = off")
        with pytest.raises(ProgrammingError, match="row-level security"), in_tenant(acme):
            count("identity_membership")

    def test_the_ledger_refuses_change_from_its_owner_too(self, acme: Tenant, as_owner: AsOwner) -> None:
        for sql in ("UPDATE audit_event SET kind = 'x'", "DELETE FROM audit_event", "TRUNCATE audit_event_p0"):
            with pytest.raises(Error, match="append-only"), as_owner(), in_tenant(acme):
                run(sql)

    def test_the_owner_without_a_tenant_sees_nothing(self, acme: Tenant, as_owner: AsOwner) -> None:
        run("SELECT set_config('app.tenant_id', '', true)")
        with as_owner():
            assert count("audit_event") == 0
