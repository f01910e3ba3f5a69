"""A tenant's own detectors, their versions, and all that are live, packed for the way."""

import django.contrib.postgres.fields
import django.db.models.deletion
import gateway.tenants.models
import uuid
from django.db import migrations, models

from gateway.tenants.isolation import isolate, reference


class Migration(migrations.Migration):

    dependencies = [
        ('policy', '0003_object_grants'),
        ('tenants', '0005_fresh_proof'),
    ]

    operations = [
        migrations.CreateModel(
            name='Detector',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=32)),
                ('created_at', models.DateTimeField()),
                ('tenant', models.ForeignKey(db_index=False, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant')),
            ],
        ),
        migrations.CreateModel(
            name='DetectorVersion',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField()),
                ('pattern', models.TextField()),
                ('keywords', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), default=list, size=None)),
                ('checksum', models.CharField(choices=[('none', 'none'), ('luhn', 'luhn'), ('mod-97', 'mod-97'), ('verhoeff', 'verhoeff')], max_length=10)),
                ('sealed_examples', models.BinaryField()),
                ('created_at', models.DateTimeField()),
                ('created_by', models.CharField(max_length=200)),
                ('detector', gateway.tenants.models.TenantForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='versions', to='policy.detector')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant')),
            ],
        ),
        migrations.AddField(
            model_name='detector',
            name='live',
            field=gateway.tenants.models.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='policy.detectorversion'),
        ),
        migrations.CreateModel(
            name='LiveDetectors',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('packed', models.BinaryField()),
                ('changed_at', models.DateTimeField()),
                ('tenant', models.ForeignKey(db_index=False, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant')),
            ],
        ),
        migrations.AddConstraint(
            model_name='detectorversion',
            constraint=models.UniqueConstraint(fields=('tenant', 'detector', 'number'), name='one_detector_version'),
        ),
        migrations.AddConstraint(
            model_name='detector',
            constraint=models.UniqueConstraint(fields=('tenant', 'name'), name='one_detector_name_per_tenant'),
        ),
        migrations.AddConstraint(
            model_name='livedetectors',
            constraint=models.UniqueConstraint(fields=('tenant',), name='one_live_set_per_tenant'),
        ),
        *isolate("policy_detector", rights="SELECT, INSERT, UPDATE"),
        *isolate("policy_detectorversion", rights="SELECT, INSERT", references={"detector_id": "policy_detector"}),
        *isolate("policy_livedetectors", rights="SELECT, INSERT, UPDATE"),
        reference("policy_detector", "live_id", "policy_detectorversion"),
    ]
