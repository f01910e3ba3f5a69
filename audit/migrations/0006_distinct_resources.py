"""Sessions count the distinct resources they touched: digests kept beside them, bounded, added with the counters."""

from django.db import migrations, models

from gateway.tenants.isolation import CURRENT_TENANT, force_row_security, grant, policy

_TABLE = """
CREATE TABLE audit_sessionresource (
    tenant_id uuid NOT NULL, session_id uuid NOT NULL, digest uuid NOT NULL,
    PRIMARY KEY (tenant_id, session_id, digest),
    FOREIGN KEY (tenant_id, session_id) REFERENCES audit_session (tenant_id, id) ON DELETE CASCADE
)
"""
_BUMP = """
CREATE OR REPLACE FUNCTION audit_bump_sessions(tenant uuid, added jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one record;{variables}
BEGIN
    -- By ascending id: two transactions that share sessions must lock them alike.
    FOR one IN SELECT * FROM jsonb_to_recordset(added)
               AS (id uuid, now timestamptz, calls integer, refused integer, held integer, deletes integer,
                   secrets_masked integer, bytes_out bigint, taint varchar[]{declared}) ORDER BY id
    LOOP{before}
        UPDATE audit_session SET calls = calls + one.calls, refused = refused + one.refused, held = held + one.held,
            deletes = deletes + one.deletes, secrets_masked = secrets_masked + one.secrets_masked,
            bytes_out = bytes_out + one.bytes_out, last_at = greatest(last_at, one.now),
            taint = CASE WHEN one.taint <@ taint THEN taint
                         ELSE ARRAY(SELECT DISTINCT unnest(taint || one.taint) ORDER BY 1) END{added}
        WHERE tenant_id = tenant AND id = one.id;
    END LOOP;
END $$
"""
# Locked first: whoever waited sees what the other kept, so none counts twice and the bound holds.
_KEEP = """
        fresh := 0;
        IF cardinality(one.resources) > 0 THEN
            SELECT 10000 - s.distinct_resources INTO room FROM audit_session s
            WHERE s.tenant_id = tenant AND s.id = one.id FOR NO KEY UPDATE;
            IF room > 0 THEN
                INSERT INTO audit_sessionresource (tenant_id, session_id, digest)
                SELECT tenant, one.id, touched FROM (SELECT DISTINCT unnest(one.resources) AS touched) AS t
                WHERE NOT EXISTS (SELECT FROM audit_sessionresource k
                                  WHERE k.tenant_id = tenant AND k.session_id = one.id AND k.digest = touched)
                LIMIT room;
                GET DIAGNOSTICS fresh = ROW_COUNT;
            END IF;
        END IF;"""
_NEW = _BUMP.format(
    variables="\n    room integer;\n    fresh integer;",
    declared=", resources uuid[]",
    before=_KEEP,
    added=",\n            distinct_resources = distinct_resources + fresh",
)


class Migration(migrations.Migration):
    dependencies = [("audit", "0005_newest_prompts")]
    operations = [
        migrations.AddField(
            model_name="session", name="distinct_resources", field=models.PositiveIntegerField(default=0)
        ),
        migrations.RunSQL(_TABLE, "DROP TABLE audit_sessionresource"),
        force_row_security("audit_sessionresource"),
        policy("audit_sessionresource", f"tenant_id = {CURRENT_TENANT}"),
        grant("audit_sessionresource", "SELECT, INSERT"),
        migrations.RunSQL(_NEW, _BUMP.format(variables="", declared="", before="", added="")),
    ]
