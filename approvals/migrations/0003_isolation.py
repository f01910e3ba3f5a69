"""Row-level security of the approvals room. A vote is never changed or deleted by the app role."""

from django.db import migrations

from gateway.tenants.isolation import isolate


class Migration(migrations.Migration):
    dependencies = [("approvals", "0002_initial"), ("tenants", "0002_isolation")]
    operations = [
        *isolate("approvals_approvalrule", rights="SELECT, INSERT, UPDATE"),
        *isolate("approvals_approvalrequest", rights="SELECT, INSERT, UPDATE"),
        *isolate(
            "approvals_approvalrequirement",
            rights="SELECT, INSERT",
            references={"approval_id": "approvals_approvalrequest"},
        ),
        *isolate("approvals_vote", rights="SELECT, INSERT", references={"approval_id": "approvals_approvalrequest"}),
    ]
