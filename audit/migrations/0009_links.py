"""Prompts tell device, agent and parentage; tool uses; what a tenant chose about its prompts."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from gateway.tenants.isolation import isolate


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0008_prompt_search"),
        ("tenants", "0005_fresh_proof"),
    ]

    operations = [
        migrations.AddField(
            model_name="prompt",
            name="agent_kind",
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name="prompt",
            name="agent_version",
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AddField(
            model_name="prompt",
            name="attachments",
            field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), default=list, size=None),
        ),
        migrations.AddField(
            model_name="prompt",
            name="cap_reason",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="prompt",
            name="caused_by_id",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="prompt",
            name="device_id",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="prompt",
            name="device_label",
            field=models.CharField(blank=True, max_length=120),
        ),
        migrations.AddField(
            model_name="prompt",
            name="erased_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="prompt",
            name="is_late",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="prompt",
            name="level_cap",
            field=models.CharField(default="B", max_length=1),
        ),
        migrations.AddField(
            model_name="prompt",
            name="occurred_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="prompt",
            name="parent_conversation",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="prompt",
            name="parent_tool_use",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="prompt",
            name="process",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="prompt",
            name="subagent",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="prompt",
            name="workspace",
            field=models.TextField(blank=True),
        ),
        migrations.CreateModel(
            name="PromptKeeping",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "on_unreachable",
                    models.CharField(choices=[("block", "Block"), ("spool", "Spool")], default="block", max_length=5),
                ),
                ("retention_days", models.PositiveIntegerField(null=True)),
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
                "constraints": [models.UniqueConstraint(fields=("tenant",), name="one_prompt_keeping_per_tenant")],
            },
        ),
        migrations.CreateModel(
            name="ToolUse",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("prompt_id", models.UUIDField(null=True)),
                ("person_id", models.UUIDField(null=True)),
                ("device_id", models.UUIDField(null=True)),
                ("agent_kind", models.CharField(blank=True, max_length=40)),
                ("conversation", models.CharField(max_length=200)),
                ("generation", models.CharField(blank=True, max_length=200)),
                ("name", models.CharField(max_length=200)),
                ("tool", models.CharField(max_length=200)),
                ("sealed_command", models.BinaryField()),
                ("sealed_salt", models.BinaryField()),
                ("masked_command", models.TextField()),
                ("commitment", models.CharField(max_length=64)),
                ("cwd", models.TextField(blank=True)),
                ("subagent", models.CharField(blank=True, max_length=200)),
                ("parent_conversation", models.CharField(blank=True, max_length=200)),
                ("parent_tool_use", models.CharField(blank=True, max_length=200)),
                ("began_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("is_late", models.BooleanField(default=False)),
                ("erased_at", models.DateTimeField(null=True)),
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
                "indexes": [models.Index(fields=["tenant", "prompt_id", "began_at"], name="tool_use_by_prompt")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "conversation", "generation", "name", "person_id"),
                        name="one_tool_use_per_name",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        *isolate("audit_tooluse", rights="SELECT, INSERT, UPDATE"),
        *isolate("audit_promptkeeping", rights="SELECT, INSERT, UPDATE"),
    ]
