"""Row-level security of the tenants room, and who may see a tenant at all."""

from django.db import migrations

from gateway.tenants.isolation import CURRENT_TENANT, force_row_security, grant, isolate, policy


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]
    operations = [
        force_row_security("tenants_tenant"),
        policy("tenants_tenant", f"id = {CURRENT_TENANT}"),
        # For tasks that visit each tenant in turn: they learn the ids, and nothing of any other table.
        policy(
            "tenants_tenant",
            "current_setting('app.all_tenants', true) = 'sweep'",
            command="SELECT",
            name="hoopweb_sweep",
        ),
        grant("tenants_tenant", "SELECT, UPDATE"),
        *isolate("tenants_outboxmessage", rights="SELECT, INSERT, UPDATE"),
    ]
