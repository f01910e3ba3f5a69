"""Sessions keep what they have touched: rules read it before later calls. The counters' function adds to it."""

import django.contrib.postgres.fields
from django.db import migrations, models

_BUMP = """
CREATE OR REPLACE FUNCTION audit_bump_sessions(tenant uuid, added jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one record;
BEGIN
    -- By ascending id: two transactions that share sessions must lock them alike.
    FOR one IN SELECT * FROM jsonb_to_recordset(added)
               AS (id uuid, now timestamptz, calls integer, refused integer, held integer, deletes integer,
                   secrets_masked integer, bytes_out bigint{declared}) ORDER BY id
    LOOP
        UPDATE audit_session SET calls = calls + one.calls, refused = refused + one.refused, held = held + one.held,
            deletes = deletes + one.deletes, secrets_masked = secrets_masked + one.secrets_masked,
            bytes_out = bytes_out + one.bytes_out, last_at = greatest(last_at, one.now){added}
        WHERE tenant_id = tenant AND id = one.id;
    END LOOP;
END $$
"""
# Nothing new, the usual case, leaves the array as it is.
_UNION = """,
            taint = CASE WHEN one.taint <@ taint THEN taint
                         ELSE ARRAY(SELECT DISTINCT unnest(taint || one.taint) ORDER BY 1) END"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_one_statement")]
    operations = [
        migrations.AddField(
            model_name="session",
            name="taint",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=20), default=list, size=None
            ),
        ),
        migrations.RunSQL(
            _BUMP.format(declared=", taint varchar[]", added=_UNION), _BUMP.format(declared="", added="")
        ),
    ]
