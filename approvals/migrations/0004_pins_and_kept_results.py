"""What a call's references were when people were asked; and finding the kept result of an identical call by its digest."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("approvals", "0003_isolation")]
    operations = [
        migrations.AddField("approvalrequest", "pins", models.JSONField(default=list)),
        migrations.AddField("approvalrequest", "not_pinned", models.JSONField(default=list)),
        migrations.AddIndex(
            "approvalrequest",
            models.Index(condition=models.Q(state="used"), fields=["tenant", "digest"], name="approval_used_by_digest"),
        ),
    ]
