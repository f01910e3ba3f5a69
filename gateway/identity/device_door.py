"""Letting in a request that a device signed: which device, genuine, in time, and for the first time.

The form of a signature is `gateway.wire.device_signature`'s. What the device may do then is its person's rights, cut to
what its client needs; which views take devices at all, each view says itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from audit.kinds import EventKind
from audit.refusals import count
from audit.services import append
from gateway.identity.caller import Caller
from gateway.identity.device_problems import DeviceClockOff, DeviceRefused, DeviceReplayed
from gateway.identity.devices import SCOPES
from gateway.identity.models import Device, DeviceNonce, Membership
from gateway.identity.problems import TenantSuspended
from gateway.problems import Problem
from gateway.tenants.models import Tenant
from gateway.tenants.scope import as_device, in_tenant
from gateway.wire.contract import Refusal
from gateway.wire.device_signature import (
    DEVICE_HEADER,
    SIGNATURE_HEADER,
    SKEW_SECONDS,
    Signed,
    Unreadable,
    is_genuine,
    read,
)

SKEW = timedelta(seconds=SKEW_SECONDS)
# Refusals that belong to no tenant are counted for the web pool as for an edge.
WEB = UUID(int=0)
# A genuine signature can be copied a thousand times: its refusals are an event once in this time.
_TOLD_AGAIN = timedelta(minutes=1)


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether a request claims to be a device's."""
    return DEVICE_HEADER in headers or SIGNATURE_HEADER in headers


def tenant_of(headers: Mapping[str, str]) -> UUID:
    """The tenant whose device the request names, unproven; raises DeviceRefused."""
    device_id = _device_id(headers)
    with as_device(device_id):
        found: UUID | None = Device.objects.filter(pk=device_id).values_list("tenant_id", flat=True).first()
    if found is None:
        raise DeviceRefused
    return found


def admitted(
    *, tenant_id: UUID, headers: Mapping[str, str], method: str, target: str, body: bytes, now: datetime
) -> Caller:
    """The caller behind a signed request; raises DeviceRefused, DeviceClockOff, DeviceReplayed or TenantSuspended.

    Takes transactions of its own: a nonce stays used, and a refusal told, whatever becomes of the request.
    """
    signed = _signature(headers)
    with in_tenant(tenant_id):
        device = _genuine(tenant_id, _device_id(headers), signed, method=method, target=target, body=body)
        try:
            caller = _standing(device)
            _check_time(signed, now)
            _use(device, signed, now)
        except Problem as problem:
            refusal = problem
        else:
            return caller
        _tell(device, refusal, now)
    raise refusal


def count_refusal(problem: Problem, *, source: str, now: datetime) -> None:
    """Count a refusal that no tenant's device stands behind, so that nobody can fill a tenant's ledger."""
    count(edge_id=WEB, items=[Refusal(source=source, code=problem.code, count=1)], now=now)


def _device_id(headers: Mapping[str, str]) -> UUID:
    text = headers.get(DEVICE_HEADER, "")
    try:
        found = UUID(text)
    except ValueError:
        raise DeviceRefused from None
    # One spelling only, as everywhere in a signed request.
    if str(found) != text:
        raise DeviceRefused
    return found


def _signature(headers: Mapping[str, str]) -> Signed:
    try:
        return read(headers.get(SIGNATURE_HEADER, ""))
    except Unreadable as error:
        raise DeviceRefused(str(error)) from None


def _genuine(tenant_id: UUID, device_id: UUID, signed: Signed, *, method: str, target: str, body: bytes) -> Device:
    rows = Device.objects.for_tenant(tenant_id).select_related("user", "tenant")
    device: Device | None = rows.filter(pk=device_id).first()
    if device is None:
        raise DeviceRefused
    if not is_genuine(signed, bytes(device.public_key), method=method, target=target, body=body):
        raise DeviceRefused
    return device


def _standing(device: Device) -> Caller:
    """The device's person, who must be a member today; a suspended tenant is told so."""
    tenant: Tenant = device.tenant
    rows = Membership.objects.for_tenant(tenant).filter(user=device.user, is_active=True)
    membership: Membership | None = rows.first()
    if device.revoked_at is not None or membership is None or not device.user.is_active:
        raise DeviceRefused
    if tenant.is_suspended:
        raise TenantSuspended
    rights = SCOPES & membership.rights
    return Caller(tenant=tenant, user=device.user, membership=membership, rights=rights, device=device)


def _check_time(signed: Signed, now: datetime) -> None:
    if abs(now.timestamp() - signed.unix_ms / 1000) > SKEW_SECONDS:
        raise DeviceClockOff(f"The gateway's time is {now.isoformat(timespec='seconds')}")


def _use(device: Device, signed: Signed, now: datetime) -> None:
    """Use the nonce up; of two requests with one, the database lets one pass."""
    rows = DeviceNonce.objects.for_tenant(device.tenant_id).filter(device=device)
    rows.filter(seen_at__lt=now - 2 * SKEW - _TOLD_AGAIN).delete()
    try:
        with transaction.atomic():
            DeviceNonce.objects.create(tenant_id=device.tenant_id, device=device, nonce=signed.nonce, seen_at=now)
    except IntegrityError:
        raise DeviceReplayed from None


def _tell(device: Device, problem: Problem, now: datetime) -> None:
    rows = Device.objects.for_tenant(device.tenant_id).filter(pk=device.pk)
    is_due = rows.filter(Q(refusal_told_at=None) | Q(refusal_told_at__lt=now - _TOLD_AGAIN))
    if is_due.update(refusal_told_at=now):
        data = {"name": device.name, "user": device.user.get_username(), "reason": problem.code}
        append(tenant_id=device.tenant_id, kind=EventKind.DEVICE_REQUEST_REFUSED, at=now, subject=device.pk, data=data)
