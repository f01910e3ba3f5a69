"""Browsers inside a tenant: opened by a proof, listed, ended by their person or an administrator.

What a proof is worth for a vote is the approvals room's matter; cookies are Django's.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from audit.kinds import EventKind
from audit.services import append
from gateway.identity.door_models import IdentityProvider, ProofKind, SignIn
from gateway.identity.door_problems import SessionEnded, SignInUnknown
from gateway.identity.models import User
from gateway.sealing import services as sealing
from gateway.tenants.models import Tenant

LIFETIME = timedelta(hours=8)
# Passing the organisation's own sign-in is for an emergency, not for a day's work.
BREAK_GLASS_LIFETIME = timedelta(hours=1)
HINT_COLUMN = "identity_signin.sealed_hint"
# A minute is exact enough for people to read, and spares a write on every page.
_LAST_SEEN_SECONDS = 60


@transaction.atomic
def open_sign_in(
    *,
    tenant: Tenant,
    user: User,
    proof: ProofKind,
    source: str,
    browser: str,
    now: datetime,
    provider: IdentityProvider | None = None,
    id_token: str = "",
    proved_at: datetime | None = None,
) -> SignIn:
    """Open a browser for one person in one tenant, who proved himself at `proved_at` (now), with its event.

    Call inside the tenant's transaction."""
    lifetime = BREAK_GLASS_LIFETIME if proof == ProofKind.BREAK_GLASS else LIFETIME
    hint = sealing.seal(tenant_id=tenant.pk, column=HINT_COLUMN, plaintext=id_token.encode()) if id_token else None
    made: SignIn = SignIn.objects.create(
        id=uuid.uuid4(),
        tenant=tenant,
        user=user,
        proof=proof,
        provider=provider,
        opened_at=now,
        proved_at=proved_at or now,
        last_seen_at=now,
        expires_at=now + lifetime,
        source=source[:60],
        browser=_printable(browser),
        sealed_hint=hint,
    )
    kind = EventKind.GLASS_BROKEN if proof == ProofKind.BREAK_GLASS else EventKind.SIGNED_IN
    data = {"user": user.get_username(), "what": proof.value, **({"name": provider.name} if provider else {})}
    append(tenant_id=tenant.pk, kind=kind, at=now, subject=user.pk, data=data)
    return made


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:200]


def standing(found: SignIn | None, now: datetime) -> SignIn:
    """Return the browser's sign-in while it stands; raises SessionEnded. Notes that it was seen, once a minute."""
    if found is None or not found.is_live(now):
        raise SessionEnded
    if (now - found.last_seen_at).total_seconds() > _LAST_SEEN_SECONDS:
        SignIn.objects.for_tenant(found.tenant_id).filter(pk=found.pk).update(last_seen_at=now)
    return found


def id_token_of(sign_in: SignIn) -> str:
    """What the provider's sign-out asks for, or nothing."""
    if sign_in.sealed_hint is None:
        return ""
    return sealing.unseal(tenant_id=sign_in.tenant_id, column=HINT_COLUMN, sealed=sign_in.sealed_hint).decode()


def sign_ins(tenant: Tenant, user: User | None = None) -> QuerySet[SignIn]:
    """Sign-ins of a tenant, or of one person there, newest first."""
    rows: QuerySet[SignIn] = SignIn.objects.for_tenant(tenant).select_related("user").defer("sealed_hint")
    return (rows if user is None else rows.filter(user=user)).order_by("-opened_at", "-id")


@transaction.atomic
def end_sign_in(*, tenant: Tenant, sign_in_id: UUID, by: User | None, by_label: str, now: datetime) -> SignIn:
    """End one browser at its next step. `by` names the person whose own it must be; None may end anybody's.

    Raises SignInUnknown. Ending twice is one event.
    """
    rows = SignIn.objects.for_tenant(tenant).select_related("user")
    found: SignIn | None = rows.select_for_update(of=("self",), no_key=True).filter(pk=sign_in_id).first()
    if found is None or (by is not None and found.user_id != by.pk):
        raise SignInUnknown
    if found.ended_at is None:
        found.ended_at, found.ended_by, found.sealed_hint = now, by_label[:150], None
        found.save(update_fields=("ended_at", "ended_by", "sealed_hint"))
        data = {"by": by_label, "user": found.user.get_username()}
        append(tenant_id=tenant.pk, kind=EventKind.SIGNED_OUT, at=now, subject=found.user_id, data=data)
    return found
