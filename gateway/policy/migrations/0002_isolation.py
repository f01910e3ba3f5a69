"""Row-level security of the policy room. Revisions are never updated or deleted by the app role."""

from django.db import migrations

from gateway.tenants.isolation import isolate, reference


class Migration(migrations.Migration):
    dependencies = [("policy", "0001_initial"), ("tenants", "0002_isolation")]
    operations = [
        *isolate("policy_policy", rights="SELECT, INSERT, UPDATE"),
        *isolate("policy_revision", rights="SELECT, INSERT", references={"policy_id": "policy_policy"}),
        reference("policy_policy", "current_id", "policy_revision"),
    ]
