"""Accounts beside its own that a connection's role chains and calls may reach; none, as before, unless said."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connections", "0005_object_grants")]
    operations = [
        migrations.AddField(
            model_name="connection",
            name="further_accounts",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=12), db_default=[], default=list, size=None
            ),
        ),
    ]
