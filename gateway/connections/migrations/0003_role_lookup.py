"""A workload that asks for a role by its ARN finds the connections of that role, and the tenants they belong to."""

from django.db import migrations

from gateway.tenants.isolation import policy


class Migration(migrations.Migration):
    dependencies = [("connections", "0002_isolation")]
    operations = [
        policy(
            "connections_connection",
            "role_arn = NULLIF(current_setting('app.role_arn', true), '')",
            command="SELECT",
            name="hoopweb_lookup",
        ),
    ]
