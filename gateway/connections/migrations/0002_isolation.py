"""Row-level security of the connections room; gateway keys are bound to a connection of their own tenant."""

from django.db import migrations

from gateway.tenants.isolation import isolate, reference


class Migration(migrations.Migration):
    dependencies = [("connections", "0001_initial"), ("identity", "0002_isolation")]
    operations = [
        *isolate("connections_credential", rights="SELECT, INSERT, UPDATE"),
        *isolate(
            "connections_connection",
            rights="SELECT, INSERT, UPDATE",
            references={"credential_id": "connections_credential"},
        ),
        reference("identity_gatewaykey", "connection_id", "connections_connection"),
    ]
