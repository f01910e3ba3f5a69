"""Examining one admission: whose signature, which operations, what question, which answer. Pure.

Fetching what it needs and writing down what it found are `gateway.requests.admit`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from operator import is_
from typing import Any

import msgspec
import rfc8785
from django.conf import settings

from gateway.connections.endpoints import check_region
from gateway.connections.foreign import check_home
from gateway.engine import CompiledRevision, decide
from gateway.masking.content import scanner_for
from gateway.masking.decoy_watch import Found
from gateway.masking.recorded import mask_json
from gateway.masking.replacement import TOKEN, scoped_token_key
from gateway.masking.stored import STORING_TOKENS, holds_token
from gateway.problems import Problem
from gateway.requests import decoys, storable
from gateway.requests.intent import IntentLink, link_of
from gateway.requests.keyring import KeyFacts
from gateway.requests.problems import (
    DecoyUsed,
    MaskTokenStored,
    ParametersUnread,
    RangeOfMasked,
    TokenMismatch,
    UnknownKey,
)
from gateway.sealing.services import tenant_mac
from gateway.terms import AccessClass, Candidate, Decision, Effect, Question, SessionCounters, strictest
from gateway.wire.aws.candidates import candidate_of
from gateway.wire.aws.masking_paths import mask_plan, reads_part
from gateway.wire.aws.parsing import parse
from gateway.wire.aws.placing import placed
from gateway.wire.aws.reading import Reading
from gateway.wire.aws.redaction import digest_parameters
from gateway.wire.aws_chunked import signed_chunks
from gateway.wire.contract import Admission, BodyMode, MaskPlan, OpaqueChoice, SignedChunks
from gateway.wire.hosts import path_style
from gateway.wire.request import WireRequest
from gateway.wire.sigv4 import Claim, verify, without_presign

# Operations whose body is data that no parameter hides in.
_STREAMED = frozenset(("PutObject", "UploadPart"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One admission, verified and understood, with the decision. `primary` is the strictest reading."""

    admission: Admission
    request: WireRequest
    claim: Claim = field(repr=False)
    key: KeyFacts = field(repr=False)
    link: IntentLink
    readings: tuple[Reading, ...]
    candidates: tuple[Candidate, ...]
    primary: Candidate
    question: Question
    decision: Decision
    # The tenant's own decoys that the call carries.
    decoys: tuple[Found, ...] = ()
    # What the edge verifies a body in signed chunks with.
    chunks: SignedChunks | None = field(default=None, repr=False)

    @property
    def reading(self) -> Reading:
        """The wire reading behind the primary candidate."""
        return self.readings[self.candidates.index(self.primary)]

    @property
    def is_s3(self) -> bool:
        return self.primary.operation.signing_name.startswith("s3")


def wire_request(admission: Admission) -> WireRequest:
    """The request as it came off the wire."""
    return WireRequest(method=admission.method, target=admission.target, headers=admission.headers, body=admission.body)


def verified(
    admission: Admission, request: WireRequest, claim: Claim, key: KeyFacts | Problem | None, now: datetime
) -> KeyFacts:
    """Return the key once its signature holds; every problem before this point names no tenant."""
    if isinstance(key, Problem):
        raise key
    if key is None:
        raise UnknownKey
    body_sha256 = None if admission.body_mode is BodyMode.PAYLOAD else hashlib.sha256(admission.body).hexdigest()
    verify(request, claim, key.secret, now=now, body_sha256=body_sha256)
    token = hashlib.sha256((claim.session_token or "").encode()).digest()
    if not hmac.compare_digest(token, key.token_digest):
        raise TokenMismatch
    return key


def examine(
    *,
    admission: Admission,
    request: WireRequest,
    claim: Claim,
    key: KeyFacts,
    revision: CompiledRevision,
    now: datetime,
    counters: SessionCounters | None = None,
) -> Examined:
    """Answer one verified admission; raises a Problem where it cannot be understood or may not be asked at all.

    `counters` are the session's as of this call, where earlier ones of its batch moved them on from the key's.
    """
    key.check_standing(now)
    plain = path_style(without_presign(request), claim.service, settings.GATEWAY_NAMES)
    readings = placed(parse(plain, claim.service, claim.region), plain, settings.GATEWAY_NAMES)
    _check_all_read(admission, readings)
    candidates = tuple(_candidate(reading, key, claim.region) for reading in readings)
    primary = _strictest(candidates)
    check_region(service=primary.operation.service, region=claim.region, regions=key.connection.regions)
    for reading, candidate in zip(readings, candidates, strict=True):
        home = key.connection
        check_home(candidate, reading.parameters, account=home.account_id, accounts=home.accounts, regions=home.regions)
    link = link_of(key, now=now)
    question = Question(
        tenant_id=key.tenant_id,
        principal=key.principal,
        connection_id=key.connection.id,
        connection_label=key.connection.label,
        account=key.connection.account_id,
        region=claim.region,
        candidates=candidates,
        link=link.level,
        is_machine_turn=link.is_machine_turn,
        source_address=admission.source,
        hour_utc=now.hour,
        session=counters or key.counters,
    )
    decision = decide(revision, question, observe=key.connection.observe_only)
    examined = Examined(
        admission=admission,
        request=plain,
        claim=claim,
        key=key,
        link=link,
        readings=readings,
        candidates=candidates,
        primary=primary,
        question=question,
        decision=decision,
        decoys=carried_by(admission, key, *(one.parameters for one in readings)),
        chunks=signed_chunks(plain, claim, key.secret) if admission.body_mode is BodyMode.PAYLOAD else None,
    )
    _check_range(examined)
    _check_tokens(examined)
    return examined


def _check_all_read(admission: Admission, readings: tuple[Reading, ...]) -> None:
    """An edge streams what looks like an object, and only an object's bytes may go past policy unread."""
    if admission.body_mode is BodyMode.PAYLOAD and not _STREAMED.issuperset(one.operation.name for one in readings):
        raise ParametersUnread


def _candidate(reading: Reading, key: KeyFacts, region: str) -> Candidate:
    """One reading in IAM's words; what policy sees and the record keeps holds no secret, modelled or found."""
    candidate = candidate_of(reading, account=key.connection.account_id, region=region)
    parameters, _counts = mask_json(candidate.parameters, scanner=scanner_for(key.detectors))
    return candidate if parameters is candidate.parameters else replace(candidate, parameters=parameters)


def _strictest(candidates: tuple[Candidate, ...]) -> Candidate:
    if len(candidates) == 1:
        return candidates[0]
    access = strictest(candidate.access for candidate in candidates)
    return next(candidate for candidate in candidates if candidate.access is access)


def _check_range(examined: Examined) -> None:
    if not any(map(reads_part, examined.readings)):
        return
    # Only where the answer would be masked: a cleared body may be read in any part.
    plan = plan_of(examined)
    if plan.reads_range and not plan.is_clear and examined.decision.effect is not Effect.DENY:
        raise RangeOfMasked


def carried_by(admission: Admission, key: KeyFacts, *parameters: Mapping[str, Any]) -> tuple[Found, ...]:
    """The decoys of its own tenant that a call carries; a tenant that never had any pays nothing."""
    return decoys.carried(admission, parameters, tenant_id=key.tenant_id) if key.has_decoys else ()


def check_decoys(examined: Examined) -> None:
    """Raise DecoyUsed for a call that carries a decoy and that no rule lets pass: what it is for, only its agent knows."""
    if examined.decoys and examined.decision.effect is not Effect.DENY and refuses_decoys(examined):
        raise DecoyUsed


def refuses_decoys(examined: Examined) -> bool:
    """Whether a decoy in what this call sends is refused: reads too, since a password is tried by reading."""
    return not (decoys.CARRYING_DECOYS in examined.decision.clear or examined.key.connection.observe_only)


def issues_decoys(examined: Examined) -> bool:
    """Whether values of this call's answer may be written as decoys."""
    return decoys.asks_for_decoys(examined.decision.masks)


def _check_tokens(examined: Examined) -> None:
    """What was masked when it was read must not be written over the real value; a rule may permit it."""
    is_asked = examined.decision.effect is not Effect.DENY and refuses_mask_tokens(examined)
    if is_asked and any(holds_token(one.parameters) for one in examined.readings):
        raise MaskTokenStored


def refuses_mask_tokens(examined: Examined) -> bool:
    """Whether a mask token in what this call sends is refused: it writes, and no rule permits storing one."""
    is_write = examined.primary.access not in (AccessClass.LIST, AccessClass.READ)
    is_cleared = STORING_TOKENS in examined.decision.clear or examined.key.connection.observe_only
    return is_write and not is_cleared


def plan_of(examined: Examined) -> MaskPlan:
    """How the answer is masked: the paths of every reading, less what the decision clears."""
    decision = examined.decision
    plan = mask_plan(examined.readings, clear=decision.clear, request_id=str(examined.admission.id))
    tenant_id, is_decoyed = examined.key.tenant_id, issues_decoys(examined)
    return msgspec.structs.replace(
        plan,
        masks=decision.masks,
        token_key=_token_key(examined),
        decoy_key=decoys.decoy_key(tenant_id) if is_decoyed else b"",
        decoy_tag=decoys.tag_of(tenant_id=tenant_id, request_id=examined.admission.id) if is_decoyed else 0,
        opaque=_opaque(examined),
        detectors=examined.key.detectors,
    )


# The rule under which people are asked about an answer nobody could read (`gateway.requests.unreadable`).
UNREADABLE_RULE = "hoopweb.unreadable_answer"


def asks_about_unreadable(examined: Examined) -> bool:
    """Whether people may be asked to let an unreadable answer pass. Of a change nobody is: to ask is to run it again."""
    is_read = examined.primary.access in (AccessClass.LIST, AccessClass.READ)
    return examined.key.connection.opaque is OpaqueChoice.ASK and is_read


def _opaque(examined: Examined) -> OpaqueChoice:
    choice = examined.key.connection.opaque
    if choice is not OpaqueChoice.ASK:
        return choice
    # A call that was asked about runs only once people have said yes.
    if any(ask.rule_id == UNREADABLE_RULE for ask in examined.decision.asks):
        return OpaqueChoice.PASS
    return choice if asks_about_unreadable(examined) else OpaqueChoice.WITHHOLD


def _token_key(examined: Examined) -> bytes:
    """The key of this session's mask tokens on this connection; empty where policy asks for none.

    The agent holds every secret of its own key, so the tokens' is the tenant's.
    """
    if not any(mask.endswith(TOKEN) for mask in examined.decision.masks):
        return b""
    key = examined.key
    secret = tenant_mac(tenant_id=key.tenant_id, purpose="mask-token", message=b"")
    session = "/".join(str(part) for part in key.session_name)
    return scoped_token_key(secret, session=session, connection=str(key.connection.id))


def call_bytes(examined: Examined, pins: Sequence[Mapping[str, str]]) -> bytes:
    """What an approval is bound to: exactly this call by exactly this principal, idempotency tokens left out.

    `pins` is what the references in it were when people were asked.
    """
    operation = examined.primary.operation
    principal = examined.key.principal
    parts: dict[str, Any] = {
        "principal": str(principal.id),
        "agent": str(principal.agent_id) if principal.agent_id else None,
        "conversation": examined.key.conversation,
        "connection": str(examined.key.connection.id),
        "region": examined.question.region,
        "service": operation.service,
        "operation": operation.name,
        "parameters": hashlib.sha256(digest_parameters(examined.reading)).hexdigest(),
        "payload": examined.claim.payload_sha256 if examined.admission.body_mode is BodyMode.PAYLOAD else None,
    }
    return rfc8785.dumps(parts | {"pins": [dict(one) for one in pins]})


# Shorter words hold no token that names would carry.
_LONG_WORD = re.compile(r"[A-Za-z0-9_.=+-]{16}")


@lru_cache(maxsize=4096)
def recorded_arn(arn: str, detectors: bytes) -> str:
    """An ARN as it is written down: decided with as it is, kept without a secret that stands in a name."""
    if not detectors and not _LONG_WORD.search(arn):
        return arn
    return str(mask_json([arn], scanner=scanner_for(detectors))[0][0])


def _recorded(candidate: Candidate, detectors: bytes) -> Candidate:
    arns = [recorded_arn(one.arn, detectors) for one in candidate.resources]
    # Copying is the dear part, and names with a secret in them are rare.
    if all(arn == one.arn for arn, one in zip(arns, candidate.resources, strict=True)):
        return candidate
    pairs = zip(candidate.resources, arns, strict=True)
    return replace(candidate, resources=tuple(replace(one, arn=arn) for one, arn in pairs))


def question_record(question: Question, candidates: tuple[Candidate, ...], detectors: bytes = b"") -> dict[str, Any]:
    """The whole question as JSON values, for the request's row and for simulation later."""
    kept = tuple(_recorded(one, detectors) for one in candidates)
    is_same = len(kept) == len(question.candidates) and all(map(is_, kept, question.candidates))
    told = question if is_same else replace(question, candidates=kept)
    record: dict[str, Any] = msgspec.to_builtins(told, str_keys=True)
    return record if storable.is_storable(record) else storable.json_value(record)
