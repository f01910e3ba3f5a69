"""Masking jobs and what they found."""

import django.db.models.deletion
import gateway.tenants.models
import uuid
from django.db import migrations, models

from gateway.tenants.isolation import isolate


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('connections', '0006_further_accounts'),
        ('tenants', '0005_fresh_proof'),
    ]

    operations = [
        migrations.CreateModel(
            name='MaskingJob',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('remask', 'Remask'), ('copy', 'Copy'), ('scan', 'Scan')], max_length=10)),
                ('target', models.JSONField()),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=10)),
                ('cursor', models.JSONField(null=True)),
                ('counts', models.JSONField(default=dict)),
                ('rules', models.CharField(max_length=80)),
                ('error', models.CharField(blank=True, max_length=400)),
                ('lease', models.UUIDField(null=True)),
                ('lease_until', models.DateTimeField(null=True)),
                ('pages', models.PositiveIntegerField(default=0)),
                ('started_by', models.CharField(max_length=200)),
                ('reason', models.CharField(blank=True, max_length=400)),
                ('created_at', models.DateTimeField()),
                ('began_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('connection', gateway.tenants.models.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='connections.connection')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant')),
            ],
        ),
        migrations.CreateModel(
            name='JobFinding',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('place', models.CharField(max_length=1200)),
                ('types', models.JSONField()),
                ('rules', models.JSONField()),
                ('tenant', models.ForeignKey(db_index=False, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant')),
                ('job', gateway.tenants.models.TenantForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='findings', to='jobs.maskingjob')),
            ],
        ),
        migrations.AddIndex(
            model_name='maskingjob',
            index=models.Index(condition=models.Q(('state__in', ('queued', 'running'))), fields=['tenant', 'created_at'], name='jobs_open'),
        ),
        migrations.AddConstraint(
            model_name='jobfinding',
            constraint=models.UniqueConstraint(fields=('tenant', 'job', 'place'), name='one_finding_per_place'),
        ),
        *isolate(
            "jobs_maskingjob", rights="SELECT, INSERT, UPDATE", references={"connection_id": "connections_connection"}
        ),
        *isolate("jobs_jobfinding", rights="SELECT, INSERT, UPDATE", references={"job_id": "jobs_maskingjob"}),
    ]
