"""How fresh the proof of a voting person must be is each tenant's to say."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0004_lookup_by_slug")]
    operations = [
        migrations.AddField(
            model_name="tenant",
            name="fresh_proof_minutes",
            field=models.PositiveSmallIntegerField(default=15),
        ),
    ]
