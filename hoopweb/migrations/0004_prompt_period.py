"""A reader's period binds readers alone: the search keeps it by itself.

A policy for a role binds every role that is a member of it, the owner among them, as whom the search runs. Prompts keep
the period inside the tenant's own policy: a second, restrictive one would stand before the text index.
"""

from django.db import migrations

from gateway.tenants.isolation import APP_ROLE, CURRENT_TENANT

_SINCE = "COALESCE(NULLIF(current_setting('app.evidence_since', true), '')::timestamptz, '-infinity')"
_UNTIL = "COALESCE(NULLIF(current_setting('app.evidence_until', true), '')::timestamptz, 'infinity')"
_TENANT = f"tenant_id = {CURRENT_TENANT}"
_PROMPT = f"recorded_at >= {_SINCE} AND recorded_at < {_UNTIL}"


class Migration(migrations.Migration):
    dependencies = [("hoopweb", "0003_access_reviews")]
    operations = [
        migrations.RunSQL(
            f"DROP POLICY within_period ON audit_prompt;"
            f"ALTER POLICY tenant_isolation ON audit_prompt USING ({_TENANT} AND {_PROMPT}) WITH CHECK ({_TENANT})",
            f"ALTER POLICY tenant_isolation ON audit_prompt USING ({_TENANT}) WITH CHECK ({_TENANT});"
            f"CREATE POLICY within_period ON audit_prompt AS RESTRICTIVE FOR SELECT TO {APP_ROLE} USING ({_PROMPT})",
        ),
    ]
