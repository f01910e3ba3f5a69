"""Outside tokens that were exchanged, each once, and what a rule lets an exchanged token do."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

from gateway.tenants.isolation import isolate


class Migration(migrations.Migration):
    dependencies = [("identity", "0005_account_secret_scopes")]
    operations = [
        migrations.CreateModel(
            name="SeenToken",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("digest", models.BinaryField()),
                ("expires_at", models.DateTimeField()),
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
            model_name="seentoken",
            constraint=models.UniqueConstraint(fields=("tenant", "digest"), name="one_exchange_per_token"),
        ),
        *isolate("identity_seentoken", rights="SELECT, INSERT, DELETE"),
    ]
