"""Row-level security of notices; a member with a period sees those of its days alone."""

from django.db import migrations

from gateway.tenants.isolation import APP_ROLE, isolate

# As the evidence tables have it (`hoopweb` 0003): restrictive, so it narrows and never opens.
_PERIOD = (
    "at >= COALESCE(NULLIF(current_setting('app.evidence_since', true), '')::timestamptz, '-infinity') "
    "AND at < COALESCE(NULLIF(current_setting('app.evidence_until', true), '')::timestamptz, 'infinity')"
)


class Migration(migrations.Migration):
    dependencies = [("approvals", "0005_notices"), ("tenants", "0002_isolation"), ("identity", "0002_isolation")]
    operations = [
        *isolate("approvals_notice", rights="SELECT, INSERT, DELETE"),
        *isolate("approvals_noticecursor", rights="SELECT, INSERT, UPDATE"),
        *isolate("approvals_noticereader", rights="SELECT, INSERT, UPDATE"),
        *isolate("approvals_noticechannel", rights="SELECT, INSERT, UPDATE, DELETE"),
        *isolate(
            "approvals_noticedelivery",
            rights="SELECT, INSERT, UPDATE, DELETE",
            references={"channel_id": "approvals_noticechannel", "notice_id": "approvals_notice"},
        ),
        migrations.RunSQL(
            f"CREATE POLICY within_period ON approvals_notice AS RESTRICTIVE FOR SELECT TO {APP_ROLE} USING ({_PERIOD})",
            "DROP POLICY within_period ON approvals_notice",
        ),
    ]
