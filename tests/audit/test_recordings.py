"""Recordings: masked halves sealed at rest, opened together, bounded in size."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection

from audit.models import Recording, RecordingPart
from audit.recordings import BODY_COLUMN, LARGEST_RECORDED, SALT_COLUMN, recorded_halves, sealed_half, store
from gateway.sealing.envelope import SealBroken
from gateway.sealing.services import unseal
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.people import NOW

pytestmark = pytest.mark.django_db
REQUEST, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)


def keep(tenant: Tenant, **changed: Any) -> None:
    told: dict[str, Any] = {
        "request_id": REQUEST,
        "part": RecordingPart.RESPONSE,
        "body": b'{"SecretString":"[REDACTED:secret]"}',
        "content_type": "application/x-amz-json-1.1",
        "salt": b"s" * 32,
        "is_whole": True,
        "byte_count": 812,
        "now": NOW,
    }
    with in_tenant(tenant):
        store(tenant_id=tenant.pk, halves=[sealed_half(tenant_id=tenant.pk, **(told | changed))])


def test_both_halves_come_back_as_they_were_kept(acme: Tenant) -> None:
    keep(acme)
    keep(acme, part=RecordingPart.REQUEST, body=b"{}", byte_count=2)
    keep(acme, request_id=OTHER, body="größer".encode())
    with in_tenant(acme):
        halves = recorded_halves(tenant_id=acme.pk, request_ids=[REQUEST, OTHER, uuid.uuid4()])
    assert set(halves) == {REQUEST, OTHER}
    assert set(halves[REQUEST]) == {"request", "response"}
    answer = halves[REQUEST]["response"]
    assert answer.text == '{"SecretString":"[REDACTED:secret]"}'
    assert (answer.content_type, answer.byte_count, answer.is_whole) == ("application/x-amz-json-1.1", 812, True)
    assert answer.recorded_at == NOW
    assert halves[OTHER]["response"].text == "größer"


def test_what_lies_on_disk_is_sealed(acme: Tenant) -> None:
    keep(acme)
    with in_tenant(acme), connection.cursor() as cursor:
        cursor.execute("SELECT sealed_body, sealed_salt FROM audit_recording")
        body, salt = (bytes(column) for column in cursor.fetchone())
        assert b"SecretString" not in body
        assert unseal(tenant_id=acme.pk, column=SALT_COLUMN, sealed=salt) == b"s" * 32
        with pytest.raises(SealBroken):
            unseal(tenant_id=acme.pk, column=BODY_COLUMN, sealed=salt)


def test_a_half_says_nothing_of_its_content_when_printed(acme: Tenant) -> None:
    keep(acme)
    with in_tenant(acme):
        halves = recorded_halves(tenant_id=acme.pk, request_ids=[REQUEST])
    assert "SecretString" not in repr(halves)


def test_a_correcting_report_replaces_the_earlier_half(acme: Tenant) -> None:
    keep(acme, body=b"", is_whole=False)
    keep(acme, body=b"whole")
    with in_tenant(acme):
        assert Recording.objects.count() == 1
        assert recorded_halves(tenant_id=acme.pk, request_ids=[REQUEST])[REQUEST]["response"].text == "whole"


def test_a_body_past_the_limit_is_cut_and_says_so(acme: Tenant) -> None:
    keep(acme, body=b"x" * (LARGEST_RECORDED + 1))
    with in_tenant(acme):
        half = recorded_halves(tenant_id=acme.pk, request_ids=[REQUEST])[REQUEST]["response"]
    assert len(half.body) == LARGEST_RECORDED
    assert not half.is_whole


def test_bytes_that_are_no_text_are_shown_without_failing(acme: Tenant) -> None:
    keep(acme, body=b"\xff\xfe\x00")
    with in_tenant(acme):
        assert "\ufffd" in recorded_halves(tenant_id=acme.pk, request_ids=[REQUEST])[REQUEST]["response"].text


def test_another_tenants_recordings_are_not_there(acme: Tenant, globex: Tenant) -> None:
    keep(acme)
    with in_tenant(globex):
        assert recorded_halves(tenant_id=globex.pk, request_ids=[REQUEST]) == {}
        assert recorded_halves(tenant_id=acme.pk, request_ids=[REQUEST]) == {}


def test_a_part_is_one_of_two(acme: Tenant) -> None:
    with pytest.raises(ValueError, match="trailer"):
        keep(acme, part="trailer")
