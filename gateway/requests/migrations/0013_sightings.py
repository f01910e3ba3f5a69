"""Signatures of changes that were let through, seen by every edge's admissions in the statement that records them."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

from gateway.tenants.isolation import isolate

# After requests_admit holds the tenant's head: whoever else admits for the tenant has committed, or waits. A copy
# undoes the whole statement; its batch is then written one by one (`admit`).
_ADMIT_CHANGES = """
CREATE FUNCTION requests_admit_changes(tenant uuid, sessions jsonb, events jsonb, requests jsonb, seen jsonb)
RETURNS TABLE (sequence bigint, leaf bytea) LANGUAGE plpgsql AS $$
DECLARE
    one record;
BEGIN
    RETURN QUERY SELECT made.sequence, made.leaf FROM requests_admit(tenant, sessions, events, requests) AS made;
    FOR one IN SELECT * FROM jsonb_to_recordset(seen)
        AS given (request_id uuid, signature bytea, occurrence text, is_named boolean, at timestamptz, same interval)
    LOOP
        IF EXISTS (
            SELECT FROM requests_sighting s
            WHERE s.tenant_id = tenant AND s.signature = one.signature AND s.request_id <> one.request_id
              AND (one.is_named OR (one.occurrence <> '' AND s.occurrence = one.occurrence)
                   OR greatest(one.at - s.at, s.at - one.at) > one.same)
        ) THEN
            RAISE unique_violation USING CONSTRAINT = 'requests_replayed', MESSAGE = 'a signature came a second time';
        END IF;
        INSERT INTO requests_sighting (id, tenant_id, request_id, signature, occurrence, at)
        VALUES (gen_random_uuid(), tenant, one.request_id, one.signature, one.occurrence, one.at);
    END LOOP;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("requests", "0012_keys_by_index"), ("tenants", "0004_lookup_by_slug")]
    operations = [
        migrations.CreateModel(
            name="Sighting",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("request_id", models.UUIDField()),
                ("signature", models.BinaryField()),
                ("occurrence", models.CharField(blank=True, max_length=64)),
                ("at", models.DateTimeField()),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["tenant", "signature"], name="sighting_signature")]},
        ),
        *isolate("requests_sighting", rights="SELECT, INSERT, DELETE"),
        migrations.RunSQL(
            _ADMIT_CHANGES, "DROP FUNCTION requests_admit_changes(uuid, jsonb, jsonb, jsonb, jsonb)"
        ),
    ]
