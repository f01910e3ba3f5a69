"""Keys derived from others (AssumeRole answered here), and issuers whose key set is kept rather than fetched."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("identity", "0003_doors")]
    operations = [
        migrations.AddField(
            model_name="gatewaykey",
            name="ancestors",
            field=django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), default=list, size=None),
        ),
        migrations.AddField(model_name="gatewaykey", name="role_chain", field=models.JSONField(default=list)),
        migrations.AddField(model_name="workloadrule", name="jwks", field=models.JSONField(null=True)),
    ]
