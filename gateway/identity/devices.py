"""Machines people enrol from the command line: the device flow (RFC 8628), and taking a machine's rights away again.

The page where a person says yes is `hoopweb.ui`; the command itself is `gateway.client`.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from audit.kinds import EventKind
from audit.services import append
from gateway.identity import keys
from gateway.identity.caller import Caller
from gateway.identity.door_models import DeviceLogin
from gateway.identity.door_problems import DeviceUnknown, UserCodeRefused
from gateway.identity.models import ApiKey, Device, GatewayKey, Membership, User
from gateway.identity.proving import KeyStorage
from gateway.identity.services import issue_api_key
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right

LIFETIME = timedelta(minutes=10)
KEY_LIFETIME = timedelta(days=30)
POLL_SECONDS = 5
# RFC 8628 6.1: no vowels, so that no code is a word; 20^8 of them, ten minutes and a person to type each guess.
_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
_CODE_LENGTH = 8
# Open logins a tenant may have at once: nobody fills its table from outside.
MOST_OPEN = 200
# What the command on a developer's machine needs, of whatever its person may do.
SCOPES = frozenset(
    {Right.KEYS_ISSUE, Right.PROMPTS_WRITE, Right.CONNECTIONS_READ, Right.AGENTS_READ, Right.REQUESTS_READ}
)


class Poll(StrEnum):
    """What a machine that asks hears (RFC 8628, section 3.5)."""

    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    DENIED = "access_denied"
    EXPIRED = "expired_token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    device_code: str = field(repr=False)
    user_code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    device: Device
    plaintext_key: str = field(repr=False)
    api_key: ApiKey


@transaction.atomic
def start(
    *,
    tenant: Tenant,
    device_name: str,
    public_key: bytes,
    source: str,
    now: datetime,
    random: Callable[[int], bytes],
    key_storage: KeyStorage = KeyStorage.FILE,
) -> Started:
    """Begin a login; anybody may. Raises UserCodeRefused for a key or name of no use, or where too many are open."""
    _check_machine(device_name, public_key)
    rows = DeviceLogin.objects.for_tenant(tenant)
    rows.filter(expires_at__lt=now - timedelta(hours=1)).delete()
    if rows.filter(expires_at__gt=now, collected_at=None).count() >= MOST_OPEN:
        raise UserCodeRefused("Too many logins wait for an answer")
    login_id = uuid.uuid4()
    issued = keys.issue_api_key(tenant_id=tenant.pk, key_id=login_id, random=random)
    user_code = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))
    try:
        with transaction.atomic():
            DeviceLogin.objects.create(
                id=login_id,
                tenant=tenant,
                code_digest=issued.digest,
                user_code=user_code,
                device_name=device_name,
                public_key=public_key,
                key_storage=key_storage.value,
                source=source[:60],
                started_at=now,
                expires_at=now + LIFETIME,
                interval_seconds=POLL_SECONDS,
            )
    except IntegrityError:
        raise UserCodeRefused("Try again") from None
    return Started(device_code=issued.plaintext_key, user_code=user_code, expires_at=now + LIFETIME)


def _check_machine(name: str, public_key: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public_key)
    except ValueError:
        raise UserCodeRefused("The device's key is 32 bytes of Ed25519") from None
    if not 0 < len(name) <= 120 or not name.isprintable():
        raise UserCodeRefused("A device's name is 1 to 120 plain characters")


def waiting(tenant: Tenant, user_code: str, now: datetime) -> DeviceLogin:
    """The login a person's typed code belongs to, to show him before he answers; raises UserCodeRefused."""
    plain = "".join(character for character in user_code.upper() if character in _ALPHABET)
    rows = DeviceLogin.objects.for_tenant(tenant).filter(expires_at__gt=now, answered_at=None)
    found: DeviceLogin | None = rows.filter(user_code=plain).first()
    if found is None or len(plain) != _CODE_LENGTH:
        raise UserCodeRefused
    return found


@transaction.atomic
def answer(*, by: Caller, login_id: UUID, is_allowed: bool, now: datetime) -> DeviceLogin:
    """Record the person's answer, once; raises UserCodeRefused. An API key answers nothing: a machine is no person."""
    if by.user is None or by.api_key is not None:
        raise UserCodeRefused
    rows = DeviceLogin.objects.for_tenant(by.tenant).select_for_update(of=("self",))
    found: DeviceLogin | None = rows.filter(pk=login_id, expires_at__gt=now, answered_at=None).first()
    if found is None:
        raise UserCodeRefused
    found.user, found.answered_at, found.is_allowed = by.user, now, is_allowed
    found.save(update_fields=("user", "answered_at", "is_allowed"))
    return found


@transaction.atomic
def collect(*, tenant: Tenant, device_code: str, now: datetime, random: Callable[[int], bytes]) -> Enrolled | Poll:
    """Answer a waiting machine: its device and key, once, or what it must do."""
    named = keys.read_api_key(device_code)
    rows = DeviceLogin.objects.for_tenant(tenant).select_for_update(of=("self",))
    login: DeviceLogin | None = rows.filter(pk=named.key_id).first() if named else None
    if login is None or not keys.matches(device_code, login.code_digest) or login.collected_at is not None:
        return Poll.EXPIRED
    if now >= login.expires_at:
        return Poll.EXPIRED
    if login.answered_at is None:
        return _keep_waiting(login, now)
    if not login.is_allowed or login.user is None:
        return Poll.DENIED
    login.collected_at = now
    login.save(update_fields=("collected_at",))
    return _enrol(tenant, login, login.user, now, random)


def _keep_waiting(login: DeviceLogin, now: datetime) -> Poll:
    is_early = login.polled_at is not None and now - login.polled_at < timedelta(seconds=login.interval_seconds)
    login.polled_at = now
    if is_early:
        # Section 3.5: five seconds more from now on, for this and all later questions.
        login.interval_seconds = min(login.interval_seconds + 5, 60)
    login.save(update_fields=("polled_at", "interval_seconds"))
    return Poll.SLOW_DOWN if is_early else Poll.PENDING


def _enrol(
    tenant: Tenant, login: DeviceLogin, user: User, now: datetime, random: Callable[[int], bytes]
) -> Enrolled | Poll:
    member: Membership | None = Membership.objects.for_tenant(tenant).filter(user=user, is_active=True).first()
    scopes = SCOPES & member.rights if member is not None else frozenset()
    if not scopes:
        return Poll.DENIED
    device: Device = Device.objects.create(
        tenant=tenant,
        user=user,
        name=login.device_name,
        public_key=bytes(login.public_key),
        key_storage=login.key_storage,
    )
    key, plaintext = issue_api_key(
        tenant=tenant,
        name=f"device {_ascii(login.device_name)}"[:80],
        user=user,
        scopes=[scope.value for scope in scopes],
        lifetime=KEY_LIFETIME,
        by_label=user.get_username(),
        now=now,
        random=random,
    )
    ApiKey.objects.for_tenant(tenant).filter(pk=key.pk).update(device=device)
    _record(EventKind.DEVICE_ENROLLED, device, user.get_username(), now)
    return Enrolled(device=device, plaintext_key=plaintext, api_key=key)


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()


def devices(tenant: Tenant) -> QuerySet[Device]:
    """All devices with their people, newest first."""
    rows: QuerySet[Device] = Device.objects.for_tenant(tenant).select_related("user")
    return rows.order_by("-enrolled_at", "-id")


@transaction.atomic
def revoke(*, tenant: Tenant, device_id: UUID, by: User | None, by_label: str, now: datetime) -> Device:
    """End a device with every key it got and every AWS key those got; raises DeviceUnknown. Twice is one event.

    `by` names the person whose own it must be; None may revoke anybody's.
    """
    rows = Device.objects.for_tenant(tenant).select_for_update(of=("self",), no_key=True).select_related("user")
    device: Device | None = rows.filter(pk=device_id).first()
    if device is None or (by is not None and device.user_id != by.pk):
        raise DeviceUnknown
    if device.revoked_at is None:
        device.revoked_at = now
        device.save(update_fields=("revoked_at",))
        issued = list(ApiKey.objects.for_tenant(tenant).filter(device=device).values_list("pk", flat=True))
        ApiKey.objects.for_tenant(tenant).filter(pk__in=issued, revoked_at=None).update(revoked_at=now)
        own = Q(issued_by_key__in=issued) | Q(device=device)
        GatewayKey.objects.for_tenant(tenant).filter(own, revoked_at=None).update(revoked_at=now)
        _record(EventKind.DEVICE_REVOKED, device, by_label, now)
    return device


def _record(kind: EventKind, device: Device, by_label: str, now: datetime) -> None:
    data = {"by": by_label, "name": device.name, "user": device.user.get_username()}
    append(tenant_id=device.tenant_id, kind=kind, at=now, subject=device.pk, data=data)
