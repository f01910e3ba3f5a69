"""What a connection does with payloads that cannot be read: withheld until an administrator says otherwise."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connections", "0003_role_lookup")]
    operations = [
        migrations.AddField(
            model_name="connection",
            name="opaque_payloads",
            field=models.CharField(
                choices=[("withhold", "Withhold"), ("pass", "Pass")],
                db_default="withhold",
                default="withhold",
                max_length=8,
            ),
        ),
    ]
