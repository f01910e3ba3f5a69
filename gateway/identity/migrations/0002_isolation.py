"""Row-level security of the identity room, and the app role's rights on Django's own tables."""

from django.db import migrations

from gateway.tenants.isolation import CURRENT_USER, grant, isolate, policy


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0001_initial"),
        ("tenants", "0002_isolation"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("sessions", "0001_initial"),
        ("guardian", "0001_initial"),
    ]
    operations = [
        *isolate("identity_membership", rights="SELECT, INSERT, UPDATE"),
        # A signed-in person finds the tenants he belongs to, before one is chosen.
        policy("identity_membership", f"user_id = {CURRENT_USER}", command="SELECT", name="hoopweb_lookup"),
        policy(
            "tenants_tenant",
            f"id IN (SELECT tenant_id FROM identity_membership WHERE user_id = {CURRENT_USER})",
            command="SELECT",
            name="hoopweb_lookup",
        ),
        *isolate("identity_agent", rights="SELECT, INSERT, UPDATE"),
        *isolate("identity_serviceaccount", rights="SELECT, INSERT, UPDATE"),
        *isolate("identity_device", rights="SELECT, INSERT, UPDATE"),
        *isolate(
            "identity_apikey",
            rights="SELECT, INSERT, UPDATE",
            references={"service_account_id": "identity_serviceaccount"},
        ),
        *isolate(
            "identity_gatewaykey",
            rights="SELECT, INSERT, UPDATE",
            references={"service_account_id": "identity_serviceaccount", "agent_id": "identity_agent"},
        ),
        grant("identity_user", "SELECT, INSERT, UPDATE"),
        grant("identity_externalidentity", "SELECT, INSERT, UPDATE, DELETE"),
        grant("identity_user_groups", "SELECT, INSERT, DELETE"),
        grant("identity_user_user_permissions", "SELECT, INSERT, DELETE"),
        grant("auth_group", "SELECT, INSERT"),
        grant("auth_group_permissions", "SELECT, INSERT, DELETE"),
        grant("auth_permission", "SELECT"),
        grant("django_content_type", "SELECT"),
        grant("django_session", "SELECT, INSERT, UPDATE, DELETE"),
        grant("django_admin_log", "SELECT, INSERT"),
        grant("guardian_userobjectpermission", "SELECT, INSERT, DELETE"),
        grant("guardian_groupobjectpermission", "SELECT, INSERT, DELETE"),
        grant("django_migrations", "SELECT"),
    ]
