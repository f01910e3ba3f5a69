"""A busy session's row is updated in place: `last_at` moves by whole seconds, and the resources are locked for only when new.

`last_at` stands in an index, so every move of it made the row's next version a stranger to all its indexes.
"""

from django.db import migrations

_BUMP = """
CREATE OR REPLACE FUNCTION audit_bump_sessions(tenant uuid, added jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one record;
    room integer;
    fresh integer;
BEGIN
    -- By ascending id: two transactions that share sessions must lock them alike.
    FOR one IN SELECT * FROM jsonb_to_recordset(added)
               AS (id uuid, now timestamptz, calls integer, refused integer, held integer, deletes integer,
                   secrets_masked integer, bytes_out bigint, taint varchar[], resources uuid[]) ORDER BY id
    LOOP{before}
        UPDATE audit_session SET calls = calls + one.calls, refused = refused + one.refused, held = held + one.held,
            deletes = deletes + one.deletes, secrets_masked = secrets_masked + one.secrets_masked,
            bytes_out = bytes_out + one.bytes_out, last_at = {last_at},
            taint = CASE WHEN one.taint <@ taint THEN taint
                         ELSE ARRAY(SELECT DISTINCT unnest(taint || one.taint) ORDER BY 1) END,
            distinct_resources = distinct_resources + fresh
        WHERE tenant_id = tenant AND id = one.id;
    END LOOP;
END $$
"""
_UNKNOWN = """EXISTS (
            SELECT FROM unnest(one.resources) AS touched WHERE NOT EXISTS (
                SELECT FROM audit_sessionresource k
                WHERE k.tenant_id = tenant AND k.session_id = one.id AND k.digest = touched))"""
# Locked first: whoever waited sees what the other kept, so none counts twice and the bound holds.
_KEEP = """
        fresh := 0;
        IF {wanted} THEN
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
    before=_KEEP.format(wanted=_UNKNOWN),
    last_at="CASE WHEN one.now >= last_at + interval '1 second' THEN one.now ELSE last_at END",
)
_OLD = _BUMP.format(
    before=_KEEP.format(wanted="cardinality(one.resources) > 0"), last_at="greatest(last_at, one.now)"
)


class Migration(migrations.Migration):
    dependencies = [("audit", "0006_distinct_resources")]
    operations = [
        migrations.RunSQL(_NEW, _OLD),
        # Room on each page for the next version of its rows.
        migrations.RunSQL(
            "ALTER TABLE audit_session SET (fillfactor = 60)", "ALTER TABLE audit_session RESET (fillfactor)"
        ),
    ]
