"""Devices sign requests: where their keys lie, nonces used once, and the keys they asked for."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

import gateway.tenants.models
from gateway.tenants.isolation import isolate, policy, reference


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0006_token_exchange"),
        ("tenants", "0005_fresh_proof"),
    ]

    operations = [
        migrations.AddField(
            model_name="device",
            name="key_storage",
            field=models.CharField(default="file", max_length=20),
        ),
        migrations.AddField(
            model_name="device",
            name="refusal_told_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="devicelogin",
            name="key_storage",
            field=models.CharField(default="file", max_length=20),
        ),
        migrations.AddField(
            model_name="gatewaykey",
            name="cap_reason",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="gatewaykey",
            name="device",
            field=gateway.tenants.models.TenantForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="gateway_keys",
                to="identity.device",
            ),
        ),
        migrations.AddField(
            model_name="gatewaykey",
            name="link_cap",
            field=models.CharField(blank=True, max_length=1),
        ),
        migrations.CreateModel(
            name="DeviceNonce",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("nonce", models.BinaryField()),
                ("seen_at", models.DateTimeField()),
                (
                    "device",
                    gateway.tenants.models.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="nonces",
                        to="identity.device",
                    ),
                ),
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
            options={
                "indexes": [models.Index(fields=["tenant", "device", "seen_at"], name="nonces_by_age")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "device", "nonce"), name="one_use_per_nonce")
                ],
            },
        ),
        *isolate("identity_devicenonce", rights="SELECT, INSERT, DELETE", references={"device_id": "identity_device"}),
        reference("identity_gatewaykey", "device_id", "identity_device"),
        # A signed request names its device and nothing else: the row says whose it is.
        policy(
            "identity_device",
            "id = NULLIF(current_setting('app.device_id', true), '')::uuid",
            command="SELECT",
            name="hoopweb_lookup",
        ),
    ]
