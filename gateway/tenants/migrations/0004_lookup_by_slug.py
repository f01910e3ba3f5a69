"""Whoever stands at the door names his organisation: its own row opens to that, nothing of its."""

from django.db import migrations

from gateway.tenants.isolation import ASKED_SLUG, policy


class Migration(migrations.Migration):
    dependencies = [("tenants", "0003_password_alone")]
    operations = [policy("tenants_tenant", f"slug = {ASKED_SLUG}", command="SELECT", name="hoopweb_lookup_by_slug")]
