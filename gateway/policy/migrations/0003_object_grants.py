"""Which groups a policy is kept for."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

import gateway.tenants.models
from gateway.tenants.isolation import isolate


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("policy", "0002_isolation"),
        ("tenants", "0005_fresh_proof"),
    ]
    operations = [
        migrations.CreateModel(
            name="PolicyGrant",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "content_object",
                    gateway.tenants.models.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="grants",
                        to="policy.policy",
                    ),
                ),
                ("group", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="auth.group")),
                ("permission", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="auth.permission")),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={"unique_together": {("group", "permission", "content_object")}},
        ),
        *isolate(
            "policy_policygrant",
            rights="SELECT, INSERT, DELETE",
            references={"content_object_id": "policy_policy"},
        ),
    ]
