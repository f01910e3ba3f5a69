"""The ledger's table, partitioned by sequence range and append-only, and the room's row-level security."""

from django.db import migrations

from gateway.tenants.isolation import APP_ROLE, CURRENT_TENANT, force_row_security, grant, isolate, policy

# Sequences are per tenant, so one range holds the same stretch of every tenant's ledger.
_TABLE = """
CREATE TABLE audit_event (
    tenant_id uuid NOT NULL REFERENCES tenants_tenant (id),
    sequence bigint NOT NULL CHECK (sequence >= 0),
    kind varchar(40) NOT NULL,
    at timestamptz NOT NULL,
    subject uuid NOT NULL,
    session_id uuid NULL,
    body bytea NOT NULL,
    leaf bytea NOT NULL CHECK (length(leaf) = 32),
    PRIMARY KEY (tenant_id, sequence)
) PARTITION BY RANGE (sequence);
CREATE INDEX audit_event_subject ON audit_event (tenant_id, subject);
CREATE INDEX audit_event_session ON audit_event (tenant_id, session_id, sequence) WHERE session_id IS NOT NULL;
CREATE INDEX audit_event_kind ON audit_event (tenant_id, kind, sequence);

CREATE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();

-- Runs as the owner, so that the serving role can have room made ahead without any right to change the table.
CREATE FUNCTION audit_ensure_partitions(highest bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    width CONSTANT bigint := 1000000;
    number bigint;
    made integer := 0;
BEGIN
    FOR number IN 0 .. (highest / width) + 1 LOOP
        IF to_regclass('public.audit_event_p' || number) IS NULL THEN
            EXECUTE format('CREATE TABLE public.audit_event_p%s PARTITION OF public.audit_event '
                           'FOR VALUES FROM (%s) TO (%s)', number, number * width, (number + 1) * width);
            EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON public.audit_event_p%s '
                           'FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse_change()', number);
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END $$;
REVOKE ALL ON FUNCTION audit_ensure_partitions(bigint) FROM PUBLIC;
SELECT audit_ensure_partitions(3000000);
"""
_UNDO = "DROP TABLE audit_event; DROP FUNCTION audit_ensure_partitions(bigint); DROP FUNCTION audit_refuse_change()"


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial"), ("tenants", "0002_isolation")]
    operations = [
        migrations.RunSQL(_TABLE, _UNDO),
        migrations.RunSQL(
            f"GRANT EXECUTE ON FUNCTION audit_ensure_partitions(bigint) TO {APP_ROLE}", migrations.RunSQL.noop
        ),
        force_row_security("audit_event"),
        policy("audit_event", f"tenant_id = {CURRENT_TENANT}"),
        grant("audit_event", "SELECT, INSERT"),
        force_row_security("audit_ledgerhead"),
        policy("audit_ledgerhead", f"tenant_id = {CURRENT_TENANT}"),
        grant("audit_ledgerhead", "SELECT, INSERT, UPDATE"),
        *isolate("audit_session", rights="SELECT, INSERT, UPDATE"),
        *isolate("audit_prompt", rights="SELECT, INSERT, UPDATE"),
        *isolate("audit_recording", rights="SELECT, INSERT, UPDATE"),
        grant("audit_refusalcount", "SELECT, INSERT, UPDATE"),
    ]
