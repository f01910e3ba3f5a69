"""Making an asked call ready to be written down: what it names pinned, its digest, a session where a grant is there.

Everything that asks AWS or STS happens here, before any transaction; opening the question itself is `asks`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from approvals.models import ApprovalRequest, ApprovalState
from approvals.selectors import has_granted
from gateway.connections.chain import narrowing_of
from gateway.connections.session_policies import for_call, narrowed
from gateway.connections.sessions import SessionAsk, one_call_session
from gateway.connections.sts import RoleSession, source_identity
from gateway.requests.entries import Asked
from gateway.requests.examine import Examined, call_bytes, plan_of
from gateway.requests.pins import Pin, pin, stored
from gateway.requests.problems import NotApprovable
from gateway.sealing.services import tenant_mac
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import LARGEST_SHARED_BODY, BodyForm, BodyMode

DIGEST_PURPOSE = "approval digest"


def asked(examined: Examined, *, now: datetime) -> Asked:
    """Return the entry of a call people must approve; raises NotApprovable, AssumeRoleFailed."""
    approvable_body(examined)
    pinned = pin(examined, session=session_ask(examined))
    digest = digest_of(examined, pinned.pins)
    return Asked(examined=examined, digest=digest, pinned=pinned, session=_session_if_granted(examined, digest, now))


def approvable_body(examined: Examined) -> None:
    """Raise NotApprovable unless an approval can be bound to exactly these bytes."""
    if examined.admission.body_mode is BodyMode.PAYLOAD and examined.claim.payload_sha256 is None:
        raise NotApprovable


def digest_of(examined: Examined, pins: Iterable[Pin]) -> str:
    """What an approval is bound to, in hex: this call with what it names, under the tenant's key.

    Keyed, since the events that carry it leave the tenant: a plain hash of a short call could be guessed.
    """
    message = call_bytes(examined, stored(pins))
    return tenant_mac(tenant_id=examined.key.tenant_id, purpose=DIGEST_PURPOSE, message=message).hex()


def session_ask(examined: Examined) -> SessionAsk:
    """Whose session, on which role, for which class of calls."""
    principal = examined.key.principal
    person = source_identity(label=principal.label, person_id=principal.id)
    target = examined.key.connection.target
    return SessionAsk(
        target=target,
        person=person,
        access=examined.primary.access,
        # What a key's maker narrowed holds for each call by its own actions: no class is as narrow as theirs and ours.
        actions=_actions(examined) if narrowing_of(target.hops) else (),
    )


def _actions(examined: Examined) -> tuple[str, ...]:
    return tuple(sorted({action.name for action in examined.primary.actions}))


def call_session(examined: Examined) -> RoleSession:
    """A session limited to an approved call's own actions and resources; raises AssumeRoleFailed."""
    call, target = examined.primary, examined.key.connection.target
    account, further = target.end_account, target.beside
    if narrowing := narrowing_of(target.hops):
        policy = narrowed(narrowing, _actions(examined), account=account, regions=target.regions, further=further)
        return one_call_session(session_ask(examined), policy)
    policy = for_call(
        [action.name for action in call.actions],
        [resource.arn for resource in call.resources],
        account=account,
        regions=target.regions,
        further=further,
    )
    return one_call_session(session_ask(examined), policy)


def is_for_worker(examined: Examined) -> bool:
    """Whether a worker can run the call once it is granted: its body can be kept, and its answer is no stream.

    Any other grant lets the identical call through the edge, once.
    """
    admission, plan = examined.admission, plan_of(examined)
    is_kept = admission.body_mode is not BodyMode.PAYLOAD and len(admission.body) <= LARGEST_SHARED_BODY
    return admission.can_hold and is_kept and plan.body is not BodyForm.EVENT_STREAM and not plan.is_clear


def _session_if_granted(examined: Examined, digest: str, now: datetime) -> RoleSession | None:
    """What no worker can run is forwarded once it is approved, so its session is fetched here."""
    if is_for_worker(examined):
        return None
    with in_tenant(examined.key.tenant_id):
        is_granted = _is_grant_there(examined, digest, now)
    return call_session(examined) if is_granted else None


def _is_grant_there(examined: Examined, digest: str, now: datetime) -> bool:
    """Whether a grant seems to be there for this call, or was spent by this very request before. Only taking it tells."""
    tenant_id = examined.key.tenant_id
    mine = ApprovalRequest.objects.for_tenant(tenant_id).filter(digest=digest, state=ApprovalState.USED)
    return (
        has_granted(tenant_id=tenant_id, digest=digest, now=now)
        or mine.filter(used_by_request=examined.admission.id).exists()
    )
