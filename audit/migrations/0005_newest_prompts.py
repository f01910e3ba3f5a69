"""The list of prompts, newest first, is walked along an index."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_taint")]
    operations = [
        migrations.AddIndex("prompt", models.Index(fields=["tenant", "-recorded_at", "-id"], name="prompt_newest"))
    ]
