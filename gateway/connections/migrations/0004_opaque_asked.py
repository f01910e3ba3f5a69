"""People may be asked about payloads that cannot be read: the third choice, and whose approval rule it is."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connections", "0003_opaque_payloads")]
    operations = [
        migrations.AlterField(
            model_name="connection",
            name="opaque_payloads",
            field=models.CharField(
                choices=[("withhold", "Withhold"), ("ask", "Ask"), ("pass", "Pass")],
                db_default="withhold",
                default="withhold",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="opaque_approvers",
            field=models.CharField(blank=True, db_default="", default="", max_length=80),
        ),
    ]
