"""One-time codes (TOTP, RFC 6238) on top of a local password: enrolled by the person, sealed, each good once.

When a code is asked for is `local_door`'s matter; providers ask for their own.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pyotp
from django.db import transaction

from audit.kinds import EventKind
from audit.services import append
from gateway.identity.caller import Caller
from gateway.identity.door_models import SecondFactor
from gateway.identity.door_problems import OwnSecondFactor, SecondFactorRefused, SecondFactorUnknown
from gateway.identity.models import User
from gateway.identity.throttle import throttle
from gateway.sealing import services as sealing
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right

SEED_COLUMN = "identity_secondfactor.sealed_seed"
_STEP_SECONDS = 30
# One step to each side: a telephone's clock, and the time it takes to type.
_STEPS_ASIDE = 1
# A million codes, three of them good at any time: this many guesses a window win once in 30,000 tries.
MOST_FAILURES = 10
WINDOW = timedelta(minutes=10)


def is_enrolled(tenant: Tenant, user: User) -> bool:
    return bool(_rows(tenant, user).filter(confirmed_at__isnull=False).exists())


def _rows(tenant: Tenant, user: User) -> Any:
    return SecondFactor.objects.for_tenant(tenant).filter(user=user)


@transaction.atomic
def seed_to_enrol(*, tenant: Tenant, user: User, now: datetime, random: Callable[[int], bytes]) -> str:
    """Return the seed to show once more until a code confirms it; raises SecondFactorRefused when one is confirmed."""
    found: SecondFactor | None = _rows(tenant, user).select_for_update().first()
    if found is None:
        seed = base64.b32encode(random(20)).decode()
        sealed = sealing.seal(tenant_id=tenant.pk, column=SEED_COLUMN, plaintext=seed.encode())
        SecondFactor.objects.create(tenant=tenant, user=user, sealed_seed=sealed, enrolled_at=now)
        return seed
    if found.confirmed_at is not None:
        raise SecondFactorRefused
    return _seed(found)


def _seed(factor: SecondFactor) -> str:
    return sealing.unseal(tenant_id=factor.tenant_id, column=SEED_COLUMN, sealed=factor.sealed_seed).decode()


def enrolment_uri(seed: str, *, username: str, tenant: Tenant) -> str:
    """What an authenticator application reads from the picture."""
    return pyotp.TOTP(seed).provisioning_uri(name=username, issuer_name=f"hoopweb {tenant.slug}")


def accepts(*, tenant: Tenant, user: User, code: str, now: datetime) -> bool:
    """Spend a code; False, with its event, for a wrong one. Raises SignInThrottled after too many of those.

    The first right one confirms the enrolment. A code, and any older one, is refused from then on.
    """
    counter = f"second-factor:{tenant.pk}:{user.pk}"
    throttle().count(counter, most=MOST_FAILURES, window=WINDOW, now=now)
    if _spend(tenant, user, code, now):
        throttle().forget(counter)
        return True
    _record(tenant, user, EventKind.SECOND_FACTOR_REFUSED, now)
    return False


@transaction.atomic
def _spend(tenant: Tenant, user: User, code: str, now: datetime) -> bool:
    # Locked: two browsers with one code must not both come in.
    factor: SecondFactor | None = _rows(tenant, user).select_for_update().first()
    if factor is None:
        return False
    step = _matching_step(_seed(factor), code, now)
    if step is None or step <= factor.last_step:
        return False
    is_first = factor.confirmed_at is None
    factor.last_step, factor.confirmed_at = step, factor.confirmed_at or now
    factor.save(update_fields=("last_step", "confirmed_at"))
    if is_first:
        _record(tenant, user, EventKind.SECOND_FACTOR_ENROLLED, now)
    return True


@transaction.atomic
def remove(*, by: Caller, user_id: UUID, now: datetime) -> None:
    """Forget the seed another member lost with his telephone; he enrols a new one.

    Raises SecondFactorUnknown where there is none, and OwnSecondFactor.
    """
    by.must(Right.PROVIDERS_WRITE)
    rows = SecondFactor.objects.for_tenant(by.tenant).select_related("user")
    found: SecondFactor | None = rows.select_for_update(of=("self",)).filter(user_id=user_id).first()
    if found is None:
        raise SecondFactorUnknown
    if by.user is not None and by.user.pk == user_id:
        raise OwnSecondFactor
    found.delete()
    data = {"by": by.label, "user": found.user.get_username()}
    append(tenant_id=by.tenant.pk, kind=EventKind.SECOND_FACTOR_REMOVED, at=now, subject=user_id, data=data)


def _matching_step(seed: str, code: str, now: datetime) -> int | None:
    totp, current = pyotp.TOTP(seed), int(now.timestamp()) // _STEP_SECONDS
    given = code.replace(" ", "").encode()
    steps = range(current + _STEPS_ASIDE, current - _STEPS_ASIDE - 1, -1)
    return next((step for step in steps if hmac.compare_digest(totp.generate_otp(step).encode(), given)), None)


def _record(tenant: Tenant, user: User, kind: EventKind, now: datetime) -> None:
    append(tenant_id=tenant.pk, kind=kind, at=now, subject=user.pk, data={"user": user.get_username()})
