"""Which responses may hold decoys and which uses were told of; a key brings whether its tenant has any."""

import uuid
from importlib import import_module

import django.db.models.deletion
from django.db import migrations, models

from gateway.tenants.isolation import isolate

_BEFORE: str = import_module("gateway.requests.migrations.0015_detectors")._VIEW
_LAST = "AS detectors\n"
_VIEW = _BEFORE.replace(
    _LAST,
    "AS detectors,\n       EXISTS (SELECT FROM requests_issueddecoys i WHERE i.tenant_id = k.tenant_id) AS has_decoys\n",
)


def _tenant() -> models.ForeignKey:
    return models.ForeignKey(
        db_index=False,
        editable=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to="tenants.tenant",
    )


class Migration(migrations.Migration):
    dependencies = [("requests", "0015_detectors"), ("tenants", "0005_fresh_proof")]
    operations = [
        migrations.CreateModel(
            name="IssuedDecoys",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("tag", models.BigIntegerField()),
                ("request_id", models.UUIDField()),
                ("issued_at", models.DateTimeField()),
                ("tenant", _tenant()),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "tag"], name="decoys_by_tag")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "request_id"), name="one_decoy_tag_per_request")
                ],
            },
        ),
        migrations.CreateModel(
            name="DecoySighting",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=200)),
                ("at", models.DateTimeField()),
                ("tenant", _tenant()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "name"), name="one_finding_per_sighting")
                ],
            },
        ),
        *isolate("requests_issueddecoys", rights="SELECT, INSERT"),
        *isolate("requests_decoysighting", rights="SELECT, INSERT"),
        # A column cannot be taken back out of a view: going back, 0004 drops it whole.
        migrations.RunSQL(_VIEW, migrations.RunSQL.noop),
    ]
