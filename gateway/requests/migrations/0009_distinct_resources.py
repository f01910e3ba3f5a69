"""What stands behind a key also says how many resources its session has touched. A view takes new columns at its end."""

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
       s.taint, k.role_chain, k.ancestors, c.opaque_payloads, s.distinct_resources
FROM identity_gatewaykey k
JOIN tenants_tenant t ON t.id = k.tenant_id
JOIN connections_connection c ON c.tenant_id = k.tenant_id AND c.id = k.connection_id
LEFT JOIN connections_credential d ON d.tenant_id = k.tenant_id AND d.id = c.credential_id
LEFT JOIN identity_user u ON u.id = k.user_id
LEFT JOIN identity_membership m ON m.tenant_id = k.tenant_id AND m.user_id = k.user_id
LEFT JOIN identity_serviceaccount w ON w.tenant_id = k.tenant_id AND w.id = k.service_account_id
LEFT JOIN identity_agent a ON a.tenant_id = k.tenant_id AND a.id = k.agent_id
LEFT JOIN audit_session s ON s.tenant_id = k.tenant_id AND s.connection_id = k.connection_id
     AND s.person_id IS NOT DISTINCT FROM k.user_id
     AND s.conversation = CASE WHEN k.conversation = '' THEN 'key:' || coalesce(k.ancestors[1], k.id) ELSE k.conversation END
LEFT JOIN LATERAL (
    SELECT id, source, generation FROM audit_prompt
    WHERE tenant_id = k.tenant_id AND conversation = k.conversation AND k.conversation <> ''
      AND person_id IS NOT DISTINCT FROM k.user_id
      AND (k.generation = '' OR generation = k.generation)
    ORDER BY recorded_at DESC LIMIT 1
) p ON true;
"""


class Migration(migrations.Migration):
    dependencies = [("requests", "0008_opaque_payloads"), ("audit", "0006_distinct_resources")]
    # A column cannot be taken back out of a view: going back, 0004 drops it whole.
    operations = [migrations.RunSQL(_VIEW, migrations.RunSQL.noop)]
