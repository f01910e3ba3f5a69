"""The one unsigned operation admitted: AssumeRoleWithWebIdentity, answered with gateway keys for a workload's token.

Checking the token is `gateway.identity.web_identity`; keys and answer are made as in `minting`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError

from gateway.connections import selectors
from gateway.connections.chain import Hop, stored
from gateway.connections.models import Connection
from gateway.connections.sessions import role_session
from gateway.connections.sts import source_identity
from gateway.identity import derived, web_identity
from gateway.identity.derived import DerivedKey
from gateway.identity.door_problems import SignOnRefused
from gateway.identity.keys import issue_derived_key
from gateway.identity.web_identity import Workload
from gateway.identity.workload_rules import live_rules
from gateway.policy.services import compiled
from gateway.problems import Problem
from gateway.requests import minting, refusals
from gateway.requests.edges import EdgeIdentity
from gateway.requests.entries import Answered, Entry, Refused
from gateway.requests.examine import Examined, examine
from gateway.requests.keyring import KeyFacts, Keyring, keys_of
from gateway.requests.minted_answers import Minted
from gateway.requests.minting import Mint
from gateway.requests.minting_asks import ROLE_SECONDS, narrowing_asked, seconds_asked, session_name
from gateway.requests.minting_problems import MintingMalformed, SamlNotTaken, WebIdentityRefused
from gateway.requests.problems import KeyExpired
from gateway.tenants.scope import in_tenant
from gateway.terms import Effect
from gateway.wire.aws.parsing import parse
from gateway.wire.contract import Admission
from gateway.wire.problems import WireProblem
from gateway.wire.request import WireRequest
from gateway.wire.sigv4 import Claim, PayloadMode

# One region's readings are as good as another's: nothing is signed, and STS is the same everywhere.
_REGION = "us-east-1"
# A role that more tenants name than this is somebody's experiment.
_MOST_HOMES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The connection whose role a workload asks for."""

    tenant_id: UUID
    connection_id: UUID
    regions: tuple[str, ...]
    role_arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """A workload with its token checked, and a key of its own that is not in force yet."""

    admission: Admission
    request: WireRequest
    home: Home
    workload: Workload
    parameters: Mapping[str, Any] = field(repr=False)
    access_key_id: str

    @property
    def hop(self) -> Hop:
        """The connection's own role, under the name and the limits asked for."""
        return Hop(
            role_arn=self.home.role_arn,
            session_name=session_name(self.parameters),
            narrowing=narrowing_asked(self.parameters),
        )


def parameters_of(request: WireRequest) -> Mapping[str, Any] | None:
    """The parameters of an unsigned AssumeRoleWithWebIdentity; None for any other request. Raises SamlNotTaken."""
    is_unsigned = request.header("authorization") is None and not request.presign
    if not is_unsigned or request.method != "POST" or b"AssumeRoleWith" not in request.body:
        return None
    try:
        [reading] = parse(request, "sts", _REGION)
    except (WireProblem, ValueError):
        return None
    if reading.operation.name == "AssumeRoleWithSAML":
        raise SamlNotTaken
    return _known(reading.parameters, reading.unknown_members) if _is_ours(reading.operation.name) else None


def _is_ours(operation: str) -> bool:
    return operation == "AssumeRoleWithWebIdentity"


def _known(parameters: Mapping[str, Any], unknown: tuple[str, ...]) -> Mapping[str, Any]:
    if unknown or parameters.get("ProviderId"):
        raise MintingMalformed("ProviderId and parameters that are not STS's are not taken")
    return parameters


def visitor(
    admission: Admission, request: WireRequest, parameters: Mapping[str, Any], *, edge: EdgeIdentity, now: datetime
) -> Visitor:
    """Return the workload behind a token; raises WebIdentityRefused, MintingMalformed: no tenant is named before this."""
    session_name(parameters)
    narrowing_asked(parameters)
    seconds_asked(parameters, ROLE_SECONDS)
    token = str(parameters.get("WebIdentityToken") or "")
    found: list[tuple[Home, Workload]] = []
    try:
        issuer = web_identity.issuer_of(token)
    except SignOnRefused:
        raise WebIdentityRefused from None
    for home in _homes(str(parameters.get("RoleArn") or ""), edge):
        with in_tenant(home.tenant_id):
            rules = live_rules(home.tenant_id, issuer=issuer)
        try:
            found.append((home, web_identity.checked(token, rules, now=now)))
        except SignOnRefused:
            continue
    # Two tenants that let the same token in for the same role: neither is meant more than the other.
    if len(found) != 1:
        raise WebIdentityRefused
    home, workload = found[0]
    return Visitor(
        admission=admission,
        request=request,
        home=home,
        workload=workload,
        parameters=parameters,
        access_key_id=_key_kept(home, workload, admission.id, now),
    )


def _homes(role_arn: str, edge: EdgeIdentity) -> list[Home]:
    rows: list[Connection] = selectors.of_role(role_arn)
    homes = [
        Home(tenant_id=row.tenant_id, connection_id=row.pk, regions=tuple(row.regions), role_arn=row.role_arn)
        for row in rows
        if edge.serves(row.tenant_id, row.pk)
    ]
    return homes if len(homes) <= _MOST_HOMES else []


def _key_kept(home: Home, workload: Workload, key_id: UUID, now: datetime) -> str:
    """A key that is not in force: what is recorded of this call needs one, and it opens nothing until it is answered."""
    issued = issue_derived_key(tenant_id=home.tenant_id, key_id=key_id, random=os.urandom)
    try:
        with in_tenant(home.tenant_id):
            derived.prepare_for_workload(
                tenant_id=home.tenant_id,
                key_id=key_id,
                service_account_id=workload.rule.service_account_id,
                connection_id=home.connection_id,
                issued=issued,
                now=now,
            )
    except IntegrityError:
        # Asked before, and the answer was lost: the key that was kept then is this call's.
        return issued.access_key_id
    return issued.access_key_id


def entry_of(visit: Visitor, *, edge_id: UUID, boot_id: UUID, now: datetime) -> Entry:
    """What a visit became: answered with keys, or refused. Asks STS, so call it outside every transaction."""
    tenant_id = visit.home.tenant_id
    keyring = keys_of(tenant_id=tenant_id, access_key_ids=[visit.access_key_id], edge_id=edge_id, boot_id=boot_id)
    facts = keyring.keys.get(visit.access_key_id)
    if not isinstance(facts, KeyFacts):
        raise facts or KeyExpired()
    key = replace(facts, is_revoked=False, expires_at=_ends(visit, now))
    examined: Examined | None = None
    try:
        examined = _examined(visit, key, keyring, now)
        if examined.decision.effect is not Effect.ALLOW:
            raise refusals.of_refused(examined.decision)
        return Answered(examined=examined, mint=_mint(visit, examined, now))
    except Problem as problem:
        return Refused(
            admission=visit.admission,
            key=key,
            problem=problem,
            signing_name="sts",
            region=visit.home.regions[0],
            examined=examined,
        )


def _ends(visit: Visitor, now: datetime) -> datetime:
    seconds = seconds_asked(visit.parameters, ROLE_SECONDS)
    return (now + timedelta(seconds=seconds)).replace(microsecond=0)


def _examined(visit: Visitor, key: KeyFacts, keyring: Keyring, now: datetime) -> Examined:
    claim = Claim(
        access_key_id=visit.access_key_id,
        date=now,
        region=visit.home.regions[0],
        service="sts",
        signed_headers=(),
        payload_mode=PayloadMode.IMPLICIT,
        signature="",
    )
    revision = compiled(key.tenant_id, keyring.revision_id)
    examined = examine(
        admission=visit.admission, request=visit.request, claim=claim, key=key, revision=revision, now=now
    )
    return _permitted_by_rule(examined, visit.workload)


def _permitted_by_rule(examined: Examined, workload: Workload) -> Examined:
    """The tenant's rule for the token is the permit; policy may still forbid it, or have people asked."""
    decision = examined.decision
    if decision.effect is not Effect.DENY or decision.rule_ids or decision.errors:
        return examined
    reason = f"workload rule {workload.rule.pk} permits it"
    return replace(examined, decision=replace(decision, effect=Effect.ALLOW, reason=reason))


def _mint(visit: Visitor, examined: Examined, now: datetime) -> Mint:
    key, hop = examined.key, visit.hop
    person = source_identity(label=key.principal.label, person_id=key.principal.id)
    session = role_session(minting.proof_of(replace(key.connection.target, hops=(hop,)), person=person), now)
    with in_tenant(key.tenant_id):
        kept = derived.kept_keys(tenant_id=key.tenant_id, key_id=key.id)
    if kept is None:
        raise KeyExpired
    what = f"AssumeRoleWithWebIdentity {hop.role_arn}"
    made = DerivedKey(id=key.id, issued=kept[0], role_chain=stored((hop,)), expires_at=key.expires_at, what=what)
    further = (
        ("SubjectFromWebIdentityToken", visit.workload.subject),
        *minting.assumed_role_user(hop, session),
        ("Provider", visit.workload.issuer),
        ("Audience", visit.workload.rule.audience),
        ("SourceIdentity", person),
    )
    operation = examined.primary.operation.name
    return Mint(key=made, minted=Minted(operation=operation, keys=kept[0], expires_at=key.expires_at, further=further))
