"""Row-level security of the idempotency keys."""

from django.db import migrations

from gateway.tenants.isolation import isolate


class Migration(migrations.Migration):
    dependencies = [("hoopweb", "0001_initial"), ("tenants", "0002_isolation")]
    operations = [*isolate("hoopweb_idempotencykey", rights="SELECT, INSERT, UPDATE, DELETE")]
