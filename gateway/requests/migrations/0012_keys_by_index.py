"""What stands behind a key is found by index, however many keys and sessions a tenant has.

Row-level security lets only leakproof conditions choose an index, and joining text to a uuid is none: the session's
name is made beside the join. One plan, kept, and one key at a time: planning eleven tables takes longer than reading them.
"""

from django.db import migrations

_VIEW = """
CREATE OR REPLACE VIEW requests_key WITH (security_invoker = true) AS
SELECT k.tenant_id, k.id, k.access_key_id, k.sealed_secret, k.token_digest, k.expires_at,
       CASE WHEN k.ancestors = '{}' THEN k.revoked_at ELSE coalesce(k.revoked_at, (
           SELECT min(a.revoked_at) FROM identity_gatewaykey a WHERE a.tenant_id = k.tenant_id AND a.id = ANY (k.ancestors)
       )) END AS revoked_at, k.conversation,
       k.generation, k.prompt_id, k.user_id, u.username, u.is_active AND m.is_active AS is_member,
       coalesce(m.groups, '{}') AS groups, k.service_account_id, w.name AS workload, w.is_suspended AS is_workload_out,
       k.agent_id, a.name AS agent, a.is_suspended AS is_agent_out,
       c.id AS connection_id, c.name AS connection, c.account_id, c.role_arn, c.external_id, c.regions,
       c.state AS connection_state, c.observe_only, d.access_key_id AS base_key, d.sealed_secret AS base_secret,
       t.slug AS tenant, t.is_suspended AS is_tenant_out,
       s.id AS session_id, s.calls, s.deletes, s.secrets_masked, s.bytes_out,
       p.id AS last_prompt, p.source AS last_source, p.generation AS last_generation,
       (SELECT current_id FROM policy_policy WHERE tenant_id = k.tenant_id AND name = 'main') AS revision_id,
       s.taint, k.role_chain, k.ancestors, c.opaque_payloads, s.distinct_resources,
       k.device_id, k.link_cap, k.cap_reason, k.issued_at,
       p.recorded_at AS last_recorded, p.level_cap AS last_cap, p.cap_reason AS last_cap_reason,
       p.device_id AS last_device, p.superseded_at, tu.open_tools, tu.tool_use_id, tu.signed_at AS last_sign
FROM identity_gatewaykey k
JOIN tenants_tenant t ON t.id = k.tenant_id
JOIN connections_connection c ON c.tenant_id = k.tenant_id AND c.id = k.connection_id
LEFT JOIN connections_credential d ON d.tenant_id = k.tenant_id AND d.id = c.credential_id
LEFT JOIN identity_user u ON u.id = k.user_id
LEFT JOIN identity_membership m ON m.tenant_id = k.tenant_id AND m.user_id = k.user_id
LEFT JOIN identity_serviceaccount w ON w.tenant_id = k.tenant_id AND w.id = k.service_account_id
LEFT JOIN identity_agent a ON a.tenant_id = k.tenant_id AND a.id = k.agent_id
CROSS JOIN LATERAL (
    SELECT CASE WHEN k.conversation = '' THEN 'key:' || coalesce(k.ancestors[1], k.id) ELSE k.conversation END AS session
    OFFSET 0
) named
LEFT JOIN audit_session s ON s.tenant_id = k.tenant_id AND s.connection_id = k.connection_id
     AND s.person_id IS NOT DISTINCT FROM k.user_id AND s.conversation = named.session
LEFT JOIN LATERAL (
    SELECT q.id, q.source, q.generation, q.recorded_at, q.level_cap, q.cap_reason, q.device_id,
           CASE WHEN k.generation <> '' THEN (
               SELECT min(n.recorded_at) FROM audit_prompt n
               WHERE n.tenant_id = q.tenant_id AND n.conversation = q.conversation AND n.recorded_at > q.recorded_at
                 AND n.person_id IS NOT DISTINCT FROM k.user_id
           ) END AS superseded_at
    FROM audit_prompt q
    WHERE q.tenant_id = k.tenant_id AND q.conversation = k.conversation AND k.conversation <> ''
      AND q.person_id IS NOT DISTINCT FROM k.user_id
      AND (k.generation = '' OR q.generation = k.generation)
    ORDER BY q.recorded_at DESC LIMIT 1
) p ON true
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE t.ended_at IS NULL) AS open_tools,
           (array_agg(t.id) FILTER (WHERE t.ended_at IS NULL))[1] AS tool_use_id,
           max(coalesce(t.ended_at, t.began_at)) AS signed_at
    FROM audit_tooluse t
    WHERE t.tenant_id = k.tenant_id AND t.prompt_id = p.id AND k.device_id IS NOT NULL
) tu ON true;
"""

# HB001: the boot that brings the calls may admit no more.
_FUNCTION = """
CREATE OR REPLACE FUNCTION requests_keys(of_tenant uuid, names text[], edge uuid, boot uuid) RETURNS SETOF requests_key
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    name text;
BEGIN
    IF boot IS NOT NULL AND NOT EXISTS (
        SELECT FROM requests_edgeboot b WHERE b.id = boot AND b.edge_id = edge AND b.fenced_at IS NULL
    ) THEN
        RAISE EXCEPTION 'the boot is fenced' USING ERRCODE = 'HB001';
    END IF;
    PERFORM tenants_enter(of_tenant);
    FOREACH name IN ARRAY names LOOP
        RETURN QUERY SELECT * FROM requests_key k WHERE k.tenant_id = of_tenant AND k.access_key_id = name;
    END LOOP;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("requests", "0011_links")]
    # A view's columns stay as they are: going back, 0004 drops both whole.
    operations = [
        migrations.RunSQL(_VIEW, migrations.RunSQL.noop),
        migrations.RunSQL(_FUNCTION, migrations.RunSQL.noop),
    ]
