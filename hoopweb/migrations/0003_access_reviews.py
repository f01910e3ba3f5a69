"""Access reviews, operators' access, and auditors' periods: the evidence tables themselves keep a period."""

import django.db.models.deletion
import gateway.tenants.models
import uuid
from django.conf import settings
from django.db import migrations, models

from gateway.tenants.isolation import APP_ROLE, isolate

# Set by `hoopweb.period` for the one request of a member with a period; without it, all times are open.
_SINCE = "COALESCE(NULLIF(current_setting('app.evidence_since', true), '')::timestamptz, '-infinity')"
_UNTIL = "COALESCE(NULLIF(current_setting('app.evidence_until', true), '')::timestamptz, 'infinity')"
_EVIDENCE = {
    "audit_prompt": "recorded_at >= {since} AND recorded_at < {until}",
    "audit_recording": "recorded_at >= {since} AND recorded_at < {until}",
    "audit_event": "at >= {since} AND at < {until}",
    "requests_proxiedrequest": "received_at >= {since} AND received_at < {until}",
    "approvals_approvalrequest": "opened_at >= {since} AND opened_at < {until}",
    "approvals_vote": "voted_at >= {since} AND voted_at < {until}",
    # A session that reaches into the period, with those of its calls that lie there.
    "audit_session": "last_at >= {since} AND opened_at < {until}",
}


def within_period(table: str, condition: str) -> migrations.RunSQL:
    """Restrictive: it narrows what the tenant's own policy opens, and never opens anything."""
    return migrations.RunSQL(
        f"CREATE POLICY within_period ON {table} AS RESTRICTIVE FOR SELECT TO {APP_ROLE} "
        f"USING ({condition.format(since=_SINCE, until=_UNTIL)})",
        f"DROP POLICY within_period ON {table}",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("hoopweb", "0002_isolation"),
        ("tenants", "0005_fresh_proof"),
        ("audit", "0008_prompt_search"),
        ("requests", "0002_isolation"),
        ("approvals", "0003_isolation"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AccessReview",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("quarter", models.CharField(max_length=7)),
                ("opened_by", models.CharField(max_length=150)),
                ("opened_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
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
        ),
        migrations.CreateModel(
            name="EvidencePeriod",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("since", models.DateTimeField(null=True)),
                ("until", models.DateTimeField(null=True)),
                ("ends_at", models.DateTimeField(null=True)),
                ("set_by", models.CharField(max_length=150)),
                ("set_at", models.DateTimeField()),
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
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="OperatorAccess",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("operator", models.CharField(max_length=80)),
                ("reason", models.CharField(max_length=500)),
                ("hours", models.PositiveSmallIntegerField()),
                ("asked_at", models.DateTimeField()),
                ("is_allowed", models.BooleanField(null=True)),
                ("answered_by", models.CharField(blank=True, max_length=150)),
                ("answered_at", models.DateTimeField(null=True)),
                ("ends_at", models.DateTimeField(null=True)),
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
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ReviewItem",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("member", "person"),
                            ("api-key", "API key"),
                            ("service-account", "service account"),
                            ("device", "device"),
                            ("workload-rule", "workload rule"),
                        ],
                        max_length=20,
                    ),
                ),
                ("subject", models.UUIDField()),
                ("label", models.CharField(max_length=300)),
                ("access", models.TextField()),
                ("since", models.DateTimeField()),
                ("last_used_at", models.DateTimeField(null=True)),
                (
                    "answer",
                    models.CharField(blank=True, choices=[("keep", "Keep"), ("remove", "Remove")], max_length=10),
                ),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("answered_by", models.CharField(blank=True, max_length=150)),
                ("answered_at", models.DateTimeField(null=True)),
                (
                    "review",
                    gateway.tenants.models.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="items",
                        to="hoopweb.accessreview",
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
        ),
        migrations.AddConstraint(
            model_name="accessreview",
            constraint=models.UniqueConstraint(fields=("tenant", "quarter"), name="one_access_review_per_quarter"),
        ),
        migrations.AddConstraint(
            model_name="evidenceperiod",
            constraint=models.UniqueConstraint(fields=("tenant", "user"), name="one_evidence_period_per_member"),
        ),
        migrations.AddConstraint(
            model_name="reviewitem",
            constraint=models.UniqueConstraint(
                fields=("tenant", "review", "kind", "subject"), name="one_review_item_per_holder"
            ),
        ),
        *isolate("hoopweb_accessreview", rights="SELECT, INSERT, UPDATE"),
        *isolate(
            "hoopweb_reviewitem", rights="SELECT, INSERT, UPDATE", references={"review_id": "hoopweb_accessreview"}
        ),
        *isolate("hoopweb_evidenceperiod", rights="SELECT, INSERT, UPDATE, DELETE"),
        *isolate("hoopweb_operatoraccess", rights="SELECT, INSERT, UPDATE"),
        *(within_period(table, condition) for table, condition in _EVIDENCE.items()),
    ]
