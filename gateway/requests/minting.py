"""Credentials asked of AWS through us: the gateway keeps the real ones, and answers with keys of its own.

What may be asked is `minting_asks`, the answer's shape `minted_answers`; keeping the key is `gateway.identity.derived`.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from audit.models import RecordingPart
from audit.recordings import SealedHalf, sealed_half
from audit.services import NewEvent
from gateway.connections.chain import Hop, narrowing_of, steps_of, stored
from gateway.connections.sessions import SessionAsk, role_session
from gateway.connections.sts import RoleSession, RoleTarget, source_identity
from gateway.identity import derived
from gateway.identity.derived import DerivedKey
from gateway.identity.keys import issue_derived_key
from gateway.requests.draft_rows import DraftRow
from gateway.requests.examine import Examined
from gateway.requests.minted_answers import Minted, answer_of, recorded
from gateway.requests.minting_asks import MintAsk, for_express, for_role, for_token, role_name
from gateway.requests.minting_problems import EndsTooSoon, MintingMalformed, SamlNotTaken
from gateway.requests.models import ProxiedRequest
from gateway.terms import AccessClass, Decision, Effect
from gateway.wire.contract import Verdict, VerdictKind

ANSWERED = frozenset(
    (
        ("sts", "AssumeRole"),
        ("sts", "AssumeRoleWithSAML"),
        ("sts", "AssumeRoleWithWebIdentity"),
        ("sts", "GetSessionToken"),
        ("s3", "CreateSession"),
    )
)
# A key that ends sooner would be refused before its first call got through.
_SHORTEST = timedelta(minutes=1)
_ADVICE = (
    "hoopweb already gives you credentials for this account; call the service directly, without the profile's role. "
    "Where another role is needed, ask for a policy rule that permits it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mint:
    """Keys that were made for one call, and what its client is told of them."""

    key: DerivedKey
    minted: Minted = field(repr=False)


def is_answered(examined: Examined) -> bool:
    """Whether this call is answered here, with gateway keys, and never goes to AWS."""
    operation = examined.primary.operation
    return (operation.service, operation.name) in ANSWERED


def advised(examined: Examined) -> Examined:
    """The call with what to do instead, where policy said nothing about a role: silence alone would leave an agent lost."""
    decision = examined.decision
    is_silent = decision.effect is Effect.DENY and not decision.advice and not decision.rule_ids
    return replace(examined, decision=_with_advice(decision)) if is_silent and is_answered(examined) else examined


def _with_advice(decision: Decision) -> Decision:
    return replace(decision, advice=_ADVICE)


def mint(examined: Examined, *, now: datetime) -> Mint:
    """Make keys for an allowed call, after AWS showed that the role can be had; asks STS, so call it outside the lock.

    Raises MintingMalformed and its like, AssumeRoleFailed, RoleRefused, EndsTooSoon.
    """
    key, target = examined.key, examined.key.connection.target
    asked = _asked(examined)
    expires_at = min(now + timedelta(seconds=asked.seconds), key.expires_at).replace(microsecond=0)
    if expires_at - now < _SHORTEST:
        raise EndsTooSoon
    end = replace(target, hops=asked.hops)
    # The very pool its calls will use: what cannot be had is told now, by the call that asks for it.
    session = role_session(proof_of(end, person=_person(examined)), now)
    issued = issue_derived_key(tenant_id=key.tenant_id, key_id=examined.admission.id, random=os.urandom)
    what = f"{examined.primary.operation.name} {steps_of(target.role_arn, asked.hops)[-1].role_arn}"
    made = DerivedKey(
        id=examined.admission.id, issued=issued, role_chain=stored(asked.hops), expires_at=expires_at, what=what
    )
    further = _further(examined, asked.hops, session)
    operation = examined.primary.operation.name
    return Mint(key=made, minted=Minted(operation=operation, keys=issued, expires_at=expires_at, further=further))


def proof_of(end: RoleTarget, *, person: str) -> SessionAsk:
    """A session at the end of a chain that proves it can be had."""
    actions = ("sts:GetCallerIdentity",) if narrowing_of(end.hops) else ()
    return SessionAsk(target=end, person=person, access=AccessClass.READ, actions=actions)


def _person(examined: Examined) -> str:
    principal = examined.key.principal
    return source_identity(label=principal.label, person_id=principal.id)


def _asked(examined: Examined) -> MintAsk:
    reading, target = examined.reading, examined.key.connection.target
    if reading.unknown_members:
        raise MintingMalformed(f"hoopweb does not know the parameter `{reading.unknown_members[0][:80]}`")
    match examined.primary.operation.name:
        case "AssumeRole":
            return for_role(
                reading.parameters,
                own_role=target.role_arn,
                accounts=target.accounts,
                person=_person(examined),
                hops=target.hops,
            )
        case "AssumeRoleWithSAML":
            raise SamlNotTaken
        case "AssumeRoleWithWebIdentity":
            raise MintingMalformed("A web identity token is sent without a signature, as every SDK does")
        case "GetSessionToken":
            return for_token(reading.parameters, hops=target.hops)
        case _:
            bucket = examined.primary.resources[0].arn
            return for_express(reading.parameters, own_role=target.role_arn, bucket_arn=bucket, hops=target.hops)


def _further(examined: Examined, hops: tuple[Hop, ...], session: RoleSession) -> tuple[tuple[str, str], ...]:
    if examined.primary.operation.name != "AssumeRole":
        return ()
    user = assumed_role_user(hops[-1], session)
    return (*user, ("SourceIdentity", _person(examined)))


def assumed_role_user(hop: Hop, session: RoleSession) -> tuple[tuple[str, str], ...]:
    """Who the client becomes, as AWS says it; where it said nothing, in AWS's form."""
    account, name = hop.role_arn.split(":")[4], role_name(hop.role_arn)
    arn = session.principal_arn or f"arn:aws:sts::{account}:assumed-role/{name}/{hop.session_name}"
    id_ = (
        session.principal_id
        or f"AROA{hashlib.sha256(hop.role_arn.encode()).hexdigest()[:17].upper()}:{hop.session_name}"
    )
    return ("AssumedRoleUser/AssumedRoleId", id_), ("AssumedRoleUser/Arn", arn)


def keep(mint: Mint, examined: Examined, *, now: datetime) -> NewEvent:
    """Keep the keys inside the tenant's transaction; returns their event, for the caller to append."""
    key, label = examined.key, examined.key.principal.label
    if mint.key.id == key.id:
        # A workload's first key: it was prepared, since what is recorded of this very call refers to it.
        return derived.put_in_force(tenant_id=key.tenant_id, made=mint.key, by_label=label, now=now)
    return derived.keep(tenant_id=key.tenant_id, parent_id=key.id, made=mint.key, by_label=label, now=now)


def end(row: DraftRow, mint: Mint, *, now: datetime) -> None:
    """The columns of a call that ended where it was answered: here, and nothing was sent."""
    body = answer_of(mint.minted, request_id=str(row.id)).body
    row.started_at, row.ended_at, row.status = now, now, 200
    row.bytes_down, row.bytes_scanned = len(body), len(body)
    row.masked = {"by_type": {"bearer": 2}}


def half(row: DraftRow, mint: Mint, *, salt: bytes, now: datetime) -> SealedHalf:
    """The answer for the session's timeline, without what it opened."""
    return sealed_half(
        tenant_id=row.tenant_id,
        request_id=row.id,
        part=RecordingPart.RESPONSE,
        body=recorded(mint.minted, request_id=str(row.id)),
        content_type="text/xml",
        salt=salt,
        is_whole=True,
        byte_count=row.bytes_down,
        now=now,
    )


def verdict(request_id: UUID, mint: Mint) -> Verdict:
    """What the edge hands to the client; it forwards nothing."""
    return Verdict(id=request_id, kind=VerdictKind.RESULT, answer=answer_of(mint.minted, request_id=str(request_id)))


def verdict_again(row: ProxiedRequest, mint: Mint) -> Verdict | None:
    """The same answer once more, for an edge that lost it: with the keys that were kept, not with new ones."""
    kept = derived.kept_keys(tenant_id=row.tenant_id, key_id=row.pk)
    if kept is None:
        return None
    keys, expires_at = kept
    again: dict[str, Any] = {"minted": replace(mint.minted, keys=keys, expires_at=expires_at)}
    return verdict(row.pk, replace(mint, **again))
