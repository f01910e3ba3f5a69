"""What every call writes into the record, as functions: one round trip, and none while the ledger's head is held.

Everything runs as its caller, so row-level security holds as in any statement. Why functions: docs/decisions/0007.
"""

from django.db import migrations

_ENTER = """
CREATE FUNCTION tenants_enter(tenant uuid) RETURNS void LANGUAGE sql AS $$
    -- Local to the transaction, as everywhere; a function of its own statement enters for that statement alone.
    SELECT set_config('app.tenant_id', tenant::text, true);
$$
"""

# `before` and `after` are the canonical bytes around the sequence number, which nobody knows before the head is held.
_APPEND = """
CREATE FUNCTION audit_append(tenant uuid, events jsonb) RETURNS TABLE (sequence bigint, leaf bytea)
LANGUAGE plpgsql AS $$
DECLARE
    first_free bigint;
BEGIN
    INSERT INTO audit_ledgerhead AS head (tenant_id, next_sequence) VALUES (tenant, jsonb_array_length(events))
    ON CONFLICT (tenant_id) DO UPDATE SET next_sequence = head.next_sequence + EXCLUDED.next_sequence
    RETURNING head.next_sequence - jsonb_array_length(events) INTO first_free;
    RETURN QUERY
    INSERT INTO audit_event AS made (tenant_id, sequence, kind, at, subject, session_id, body, leaf)
    SELECT tenant, first_free + given.n - 1, given.kind, given.at, given.subject, given.session, canonical.body,
           sha256('\\x00'::bytea || canonical.body)
    FROM ROWS FROM (jsonb_to_recordset(events)
                    AS (kind text, at timestamptz, subject uuid, session uuid, before text, after text))
         WITH ORDINALITY AS given (kind, at, subject, session, before, after, n),
         LATERAL (SELECT convert_to(given.before || (first_free + given.n - 1) || given.after, 'UTF8') AS body) canonical
    ORDER BY given.n
    RETURNING made.sequence, made.leaf;
END $$
"""

# A batch may commit after a later one did, so the newest time stays.
_BUMP = """
CREATE FUNCTION audit_bump_sessions(tenant uuid, added jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one record;
BEGIN
    -- By ascending id: two transactions that share sessions must lock them alike.
    FOR one IN SELECT * FROM jsonb_to_recordset(added)
               AS (id uuid, now timestamptz, calls integer, refused integer, held integer, deletes integer,
                   secrets_masked integer, bytes_out bigint) ORDER BY id
    LOOP
        UPDATE audit_session SET calls = calls + one.calls, refused = refused + one.refused, held = held + one.held,
            deletes = deletes + one.deletes, secrets_masked = secrets_masked + one.secrets_masked,
            bytes_out = bytes_out + one.bytes_out, last_at = greatest(last_at, one.now)
        WHERE tenant_id = tenant AND id = one.id;
    END LOOP;
END $$
"""

# A correcting report replaces the earlier half; nearly every call leaves one, nearly none a second.
_RECORD = """
CREATE FUNCTION audit_store_recordings(tenant uuid, halves jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO audit_recording AS kept (id, tenant_id, request_id, part, content_type, sealed_body, sealed_salt,
                                         byte_count, is_whole, recorded_at)
    SELECT gen_random_uuid(), tenant, request_id, part, content_type, sealed_body, sealed_salt, byte_count, is_whole,
           recorded_at
    FROM jsonb_to_recordset(halves) AS (request_id uuid, part text, content_type text, sealed_body bytea,
         sealed_salt bytea, byte_count bigint, is_whole boolean, recorded_at timestamptz)
    ON CONFLICT (tenant_id, request_id, part) DO UPDATE SET content_type = EXCLUDED.content_type,
        sealed_body = EXCLUDED.sealed_body, sealed_salt = EXCLUDED.sealed_salt, byte_count = EXCLUDED.byte_count,
        is_whole = EXCLUDED.is_whole, recorded_at = EXCLUDED.recorded_at
$$
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_ledger")]
    operations = [
        migrations.RunSQL(_ENTER, "DROP FUNCTION tenants_enter(uuid)"),
        migrations.RunSQL(_APPEND, "DROP FUNCTION audit_append(uuid, jsonb)"),
        migrations.RunSQL(_BUMP, "DROP FUNCTION audit_bump_sessions(uuid, jsonb)"),
        migrations.RunSQL(_RECORD, "DROP FUNCTION audit_store_recordings(uuid, jsonb)"),
    ]
