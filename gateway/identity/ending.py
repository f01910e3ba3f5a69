"""Long-lived keys near their end: written down once, and marked, so that somebody replaces them in time.

Making keys is `services` and `workloads`; tokens of hours end without a word.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from audit.kinds import EventKind
from audit.services import append
from gateway.identity.door_models import AccountSecret
from gateway.identity.models import ApiKey

WARN_BEFORE = timedelta(days=14)
# A batch a transaction: the ledger's head is held no longer than this takes.
MOST_AT_ONCE = 200


@transaction.atomic
def warn(*, tenant_id: UUID, now: datetime) -> int:
    """Write down each key and client secret that ends within WARN_BEFORE, once; returns how many, a batch at most."""
    api_keys = list(_ending(ApiKey, tenant_id, now).select_related("user", "service_account"))
    secrets = list(_ending(AccountSecret, tenant_id, now).select_related("service_account"))
    for key in api_keys:
        holder = key.user.get_username() if key.user else ""
        _write_down(EventKind.API_KEY_ENDING, key, key.name, now, **({"user": holder} if holder else {}))
    for secret in secrets:
        _write_down(EventKind.ACCOUNT_CREDENTIAL_ENDING, secret, secret.service_account.name, now)
    return len(api_keys) + len(secrets)


def _ending(model: type[ApiKey] | type[AccountSecret], tenant_id: UUID, now: datetime) -> Any:
    rows: Any = model.objects.for_tenant(tenant_id).select_for_update(of=("self",), no_key=True, skip_locked=True)
    return rows.filter(
        revoked_at=None,
        warned_at=None,
        expires_at__gt=now,
        expires_at__lte=now + WARN_BEFORE,
        # Shorter ones are meant to end: whoever made them knows.
        created_at__lt=F("expires_at") - WARN_BEFORE,
    ).order_by("expires_at", "id")[:MOST_AT_ONCE]


def _write_down(kind: EventKind, ending: ApiKey | AccountSecret, name: str, now: datetime, **facts: str) -> None:
    ending.warned_at = now
    ending.save(update_fields=("warned_at",))
    data = {"name": name, "expires_at": ending.expires_at.isoformat(), **facts}
    append(tenant_id=ending.tenant_id, kind=kind, at=now, subject=ending.pk, data=data)
