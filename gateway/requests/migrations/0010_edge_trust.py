"""An edge's keys in rotation, invitations for single connections, and how far each boot's journal was."""

import django.contrib.postgres.fields
from django.db import migrations, models
from django.utils import timezone


class Migration(migrations.Migration):
    dependencies = [("requests", "0009_distinct_resources")]
    operations = [
        migrations.AddField("edge", "next_public_key", models.BinaryField(null=True)),
        migrations.AddField("edge", "previous_public_key", models.BinaryField(null=True)),
        migrations.AddField("edge", "previous_until", models.DateTimeField(null=True)),
        migrations.AddField(
            "edge", "key_since", models.DateTimeField(auto_now_add=True, default=timezone.now), preserve_default=False
        ),
        migrations.AddField("edge", "is_key_due", models.BooleanField(default=False)),
        migrations.AddField("edge", "journal_tenant_id", models.UUIDField(null=True)),
        migrations.AddField(
            "enrolmenttoken",
            "connections",
            django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), default=list, size=None),
        ),
        migrations.AddField("edgeboot", "journal_records", models.PositiveBigIntegerField(default=0)),
    ]
