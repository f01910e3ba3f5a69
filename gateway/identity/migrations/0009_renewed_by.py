"""By what a person at a browser proved himself again, where a provider had opened it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("identity", "0008_ending_keys")]
    operations = [migrations.AddField("signin", "renewed_by", models.CharField(blank=True, max_length=10))]
