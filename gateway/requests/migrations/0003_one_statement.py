"""What every admission and every outcome writes, as functions: one round trip each, and no lock held between two.

Everything runs as its caller, so row-level security holds as in any statement. Why functions: docs/decisions/0007.
"""

from django.db import migrations

# The rows' own events are the last of `events`, in the rows' order; those before them stand for what led to them.
_ADMIT = """
CREATE FUNCTION requests_admit(tenant uuid, sessions jsonb, events jsonb, requests jsonb)
RETURNS TABLE (sequence bigint, leaf bytea) LANGUAGE plpgsql AS $$
DECLARE
    earlier integer := jsonb_array_length(events) - jsonb_array_length(requests);
    sequences bigint[];
    leaves bytea[];
BEGIN
    PERFORM tenants_enter(tenant);
    PERFORM audit_bump_sessions(tenant, sessions);
    SELECT array_agg(made.sequence ORDER BY made.sequence), array_agg(made.leaf ORDER BY made.sequence)
    INTO sequences, leaves FROM audit_append(tenant, events) AS made;
    INSERT INTO requests_proxiedrequest
    SELECT made.* FROM jsonb_array_elements(requests) WITH ORDINALITY AS given (facts, n),
        LATERAL jsonb_populate_record(NULL::requests_proxiedrequest, given.facts || jsonb_build_object(
            'event_sequence', sequences[earlier + given.n], 'event_leaf', leaves[earlier + given.n]::text)) AS made;
    RETURN QUERY SELECT placed.sequence, placed.leaf FROM unnest(sequences, leaves) AS placed (sequence, leaf);
END $$
"""

# Outcomes come by id alone: an edge finds what it brought itself.
_OF_EDGE = """
CREATE FUNCTION requests_of_edge(edge uuid, ids uuid[])
RETURNS TABLE (id uuid, tenant_id uuid, state varchar, session_id uuid, approval_id uuid, sealed_salt bytea)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.edge_id', edge::text, true);
    RETURN QUERY SELECT r.id, r.tenant_id, r.state, r.session_id, r.approval_id, r.sealed_salt
                 FROM requests_proxiedrequest r WHERE r.id = ANY (ids) AND r.edge_id = edge;
END $$
"""

# All or nothing: false, and nothing written, where one of them is not what the caller saw (just admitted) any more.
_COMPLETE = """
CREATE FUNCTION requests_complete(tenant uuid, outcomes jsonb, halves jsonb, sessions jsonb, events jsonb)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    seen integer;
BEGIN
    PERFORM tenants_enter(tenant);
    -- In the order of their ids, as everywhere; not against references, which others make to them.
    PERFORM FROM requests_proxiedrequest r WHERE r.tenant_id = tenant AND r.state = 'admitted'
        AND r.id IN (SELECT (one ->> 'id')::uuid FROM jsonb_array_elements(outcomes) AS one)
        ORDER BY r.id FOR NO KEY UPDATE;
    GET DIAGNOSTICS seen = ROW_COUNT;
    IF seen < jsonb_array_length(outcomes) THEN
        RETURN false;
    END IF;
    UPDATE requests_proxiedrequest r SET state = told.state, started_at = told.started_at, ended_at = told.ended_at,
        status = told.status, error = told.error, aws_request_id = told.aws_request_id, bytes_up = told.bytes_up,
        bytes_down = told.bytes_down, bytes_scanned = told.bytes_scanned, bytes_unscanned = told.bytes_unscanned,
        masked = told.masked
    FROM jsonb_populate_recordset(NULL::requests_proxiedrequest, outcomes) AS told
    WHERE r.tenant_id = tenant AND r.id = told.id;
    PERFORM audit_store_recordings(tenant, halves);
    PERFORM audit_bump_sessions(tenant, sessions);
    PERFORM audit_append(tenant, events);
    RETURN true;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("requests", "0002_isolation"), ("audit", "0003_one_statement")]
    operations = [
        migrations.RunSQL(_ADMIT, "DROP FUNCTION requests_admit(uuid, jsonb, jsonb, jsonb)"),
        migrations.RunSQL(_OF_EDGE, "DROP FUNCTION requests_of_edge(uuid, uuid[])"),
        migrations.RunSQL(_COMPLETE, "DROP FUNCTION requests_complete(uuid, jsonb, jsonb, jsonb, jsonb)"),
    ]
