"""How a tenant wants its access reviews; reminders; groups as lines of a review."""

import django.contrib.postgres.fields
import django.db.models.deletion
import hoopweb.reviews.models
import uuid
from django.db import migrations, models

from gateway.tenants.isolation import isolate


class Migration(migrations.Migration):

    dependencies = [
        ('hoopweb', '0004_prompt_period'),
        ('tenants', '0005_fresh_proof'),
    ]

    operations = [
        migrations.AddField(
            model_name='accessreview',
            name='reminded_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name='reviewitem',
            name='kind',
            field=models.CharField(choices=[('member', 'person'), ('api-key', 'API key'), ('service-account', 'service account'), ('device', 'device'), ('workload-rule', 'workload rule'), ('group', 'group')], max_length=20),
        ),
        migrations.CreateModel(
            name='ReviewSchedule',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('is_on', models.BooleanField(default=True)),
                ('days_to_answer', models.PositiveSmallIntegerField(default=30)),
                ('remind_days_before', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveSmallIntegerField(), default=hoopweb.reviews.models._reminders, size=None)),
                ('tenant', models.ForeignKey(db_index=False, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('tenant',), name='one_review_schedule')],
            },
        ),
        *isolate("hoopweb_reviewschedule", rights="SELECT, INSERT, UPDATE"),
    ]
