"""Which groups a connection is kept for. Groups are behind row-level security, by the tenant in their names."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

import gateway.tenants.models
from gateway.tenants.isolation import isolate, force_row_security, policy


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("identity", "0002_isolation"),
        ("connections", "0004_opaque_asked"),
        ("tenants", "0005_fresh_proof"),
    ]
    operations = [
        migrations.CreateModel(
            name="ConnectionGrant",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "content_object",
                    gateway.tenants.models.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="grants",
                        to="connections.connection",
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
            "connections_connectiongrant",
            rights="SELECT, INSERT, DELETE",
            references={"content_object_id": "connections_connection"},
        ),
        force_row_security("auth_group"),
        policy("auth_group", "split_part(name, ':', 1) = current_setting('app.tenant_id', true)"),
        # guardian's own tables know no tenant: nothing of ours is kept there.
        migrations.RunSQL(
            "REVOKE ALL ON guardian_userobjectpermission, guardian_groupobjectpermission, auth_group_permissions "
            "FROM hoopweb_app",
            "GRANT SELECT, INSERT, DELETE ON guardian_userobjectpermission, guardian_groupobjectpermission, "
            "auth_group_permissions TO hoopweb_app",
        ),
    ]
