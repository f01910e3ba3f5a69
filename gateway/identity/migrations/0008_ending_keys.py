"""When it was written down that a key or client secret ends soon."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("identity", "0007_device_links")]
    operations = [
        migrations.AddField(model_name="apikey", name="warned_at", field=models.DateTimeField(null=True)),
        migrations.AddField(model_name="accountsecret", name="warned_at", field=models.DateTimeField(null=True)),
    ]
