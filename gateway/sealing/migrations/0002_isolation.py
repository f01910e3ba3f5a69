"""Row-level security of the sealing room."""

from django.db import migrations

from gateway.tenants.isolation import isolate


class Migration(migrations.Migration):
    dependencies = [("sealing", "0001_initial"), ("tenants", "0002_isolation")]
    operations = isolate("sealing_datakey", rights="SELECT, INSERT")
