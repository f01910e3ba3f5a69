"""The proof that a person is there: how old it is, whether that is fresh enough, and renewing it.

What asks for a fresh one: votes (`approvals.voters`), reading a prompt in full, the settings of the tenant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from audit.kinds import EventKind
from audit.services import append
from gateway.identity.caller import Caller
from gateway.identity.door_models import SignIn
from gateway.identity.door_problems import KeyProvesNobody, ProofTooOld
from gateway.tenants.models import Tenant

# A provider that does not tell when it last asked the person has proved him long ago, for all we know.
UNTOLD = datetime.fromtimestamp(0, tz=UTC)
BY_KEY = "api-key"
# A working day; past it nothing fresh is left of a proof.
LONGEST_MINUTES = 720


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """By what a person was there, and how many seconds before. A key is its own proof, each time anew."""

    kind: str
    age_seconds: int

    @property
    def facts(self) -> dict[str, Any]:
        return {"proof": self.kind, "proof_age_seconds": self.age_seconds}


def longest_age(tenant: Tenant) -> timedelta:
    return timedelta(minutes=tenant.fresh_proof_minutes)


@transaction.atomic
def choose_minutes(tenant: Tenant, minutes: int, *, by_label: str, now: datetime) -> Tenant:
    """Set how old a proof may be, and leave an event; raises ValueError outside 1 to LONGEST_MINUTES."""
    if not 1 <= minutes <= LONGEST_MINUTES:
        raise ValueError(f"a proof is fresh for 1 to {LONGEST_MINUTES} minutes")
    found = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    before, found.fresh_proof_minutes = found.fresh_proof_minutes, minutes
    found.save(update_fields=["fresh_proof_minutes"])
    data = {"by": by_label, "what": "human proof", "result": f"{minutes} minutes, before: {before}"}
    append(tenant_id=found.pk, kind=EventKind.TENANT_CHANGED, at=now, subject=found.pk, data=data)
    return found


def is_fresh(tenant: Tenant, proved_at: datetime, now: datetime) -> bool:
    return now - proved_at <= longest_age(tenant)


def proof_of(caller: Caller, now: datetime) -> Proof | None:
    """Return how the caller proved to be there, fresh or not; None for a key of nobody and for no browser."""
    if caller.api_key is not None:
        return Proof(kind=BY_KEY, age_seconds=0) if caller.user is not None else None
    if caller.sign_in is None:
        return None
    age = max(0, int((now - caller.sign_in.proved_at).total_seconds()))
    return Proof(kind=told_of(caller.sign_in), age_seconds=age)


def told_of(sign_in: SignIn) -> str:
    """The proof's name in evidence: what opened the browser, and the code of one's own that renewed it."""
    return f"{sign_in.proof}+{sign_in.renewed_by}" if sign_in.renewed_by else str(sign_in.proof)


def may_enrol(caller: Caller, now: datetime) -> bool:
    """Whether the person may enrol a one-time code of his own: freshly proved, or freshly come from a provider that does
    not tell when it asked him. Such a provider's word is all there is of him."""
    sign_in = caller.sign_in
    if sign_in is None:
        return False
    is_told = sign_in.proved_at != UNTOLD
    return is_fresh(caller.tenant, sign_in.proved_at if is_told else sign_in.opened_at, now)


def fresh_proof(caller: Caller, now: datetime) -> Proof:
    """Return a proof that is fresh; raises ProofTooOld, and KeyProvesNobody for a key that may not stand for a person.

    A key may where it is a person's and the tenant lets such keys vote.
    """
    found = proof_of(caller, now)
    if caller.api_key is not None:
        if found is None or not caller.tenant.keys_may_vote:
            raise KeyProvesNobody
        return found
    if found is None or caller.sign_in is None or not is_fresh(caller.tenant, caller.sign_in.proved_at, now):
        raise ProofTooOld(f"It may be {caller.tenant.fresh_proof_minutes} minutes old")
    return found


@transaction.atomic
def renew(*, sign_in: SignIn, label: str, now: datetime, by: str = "") -> None:
    """Note that the person at this browser proved himself again, by what opened it or `by` a code of his own ("totp").

    Inside the tenant's transaction.
    """
    sign_in.proved_at, sign_in.renewed_by = now, by
    SignIn.objects.for_tenant(sign_in.tenant_id).filter(pk=sign_in.pk).update(proved_at=now, renewed_by=by)
    data = {"user": label, "what": told_of(sign_in)}
    append(tenant_id=sign_in.tenant_id, kind=EventKind.PROVED_AGAIN, at=now, subject=sign_in.user_id, data=data)
