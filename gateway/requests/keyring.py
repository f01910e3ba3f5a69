"""What is known of the keys in a batch: one query a tenant brings key, person, agent, connection, session, prompt.

One query, because it stands before every call: the view `requests_key` joins it. What it returns are values, so that
all thinking after it is pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection

from gateway.connections.chain import hops_of
from gateway.connections.sts import BaseKeys, RoleTarget
from gateway.identity.proving import Cap
from gateway.problems import Problem
from gateway.requests.problems import BootFenced, KeyExpired, PrincipalSuspended
from gateway.sealing.envelope import SealBroken
from gateway.sealing.services import unseal
from gateway.terms import LinkLevel, Principal, PrincipalKind, SessionCounters
from gateway.wire.contract import OpaqueChoice

SECRET_COLUMN = "identity_gatewaykey.sealed_secret"  # noqa: S105  # the name of a column
CREDENTIAL_COLUMN = "connections_credential.sealed_secret"

# Named here, not asked of each answer: describing forty columns costs more than reading them.
_COLUMNS = (
    "id",
    "access_key_id",
    "sealed_secret",
    "token_digest",
    "expires_at",
    "revoked_at",
    "conversation",
    "generation",
    "prompt_id",
    "user_id",
    "username",
    "is_member",
    "groups",
    "service_account_id",
    "workload",
    "is_workload_out",
    "agent_id",
    "agent",
    "is_agent_out",
    "connection_id",
    "connection",
    "account_id",
    "role_arn",
    "external_id",
    "regions",
    "connection_state",
    "observe_only",
    "base_key",
    "base_secret",
    "tenant",
    "is_tenant_out",
    "session_id",
    "calls",
    "deletes",
    "secrets_masked",
    "bytes_out",
    "taint",
    "distinct_resources",
    "last_prompt",
    "last_source",
    "last_generation",
    "revision_id",
    "opaque_payloads",
    "role_chain",
    "ancestors",
    "device_id",
    "link_cap",
    "cap_reason",
    "issued_at",
    "last_recorded",
    "last_cap",
    "last_cap_reason",
    "last_device",
    "superseded_at",
    "open_tools",
    "tool_use_id",
    "last_sign",
    "further_accounts",
    "detectors",
    "has_decoys",
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM "  # noqa: S608  # names of our own view
_NAMED = _SELECT + "requests_keys(%s, %s::text[], %s, %s)"
_BY_ID = _SELECT + "requests_key WHERE tenant_id = %s AND id = ANY(%s)"
# What `requests_keys` raises for a boot that may admit no more.
_FENCED = "HB001"
# A prompt no device signed for carries no more than this.
_NO_DEVICE = Cap(level=LinkLevel.CONVERSATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFacts:
    """The connection a key opens, as of this batch, and the role behind it as STS needs it.

    `account_id` is where the key's calls are made: the connection's own, or that of a role assumed from there.
    """

    id: UUID
    label: str
    account_id: str
    regions: tuple[str, ...]
    observe_only: bool
    opaque: OpaqueChoice
    target: RoleTarget

    @property
    def accounts(self) -> tuple[str, ...]:
        return self.target.accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFacts:
    """The prompt of the key's generation, or the newest of its conversation.

    `cap` is the most it can carry; `superseded_at` is when a newer one came (asked only where the key names the
    generation); `signed_at` the last sign of life of its tools, `tool_use_id` the one that is open if it is one.
    """

    id: UUID
    is_machine_turn: bool
    generation: str
    recorded_at: datetime | None = None
    cap: Cap = _NO_DEVICE
    device_id: UUID | None = None
    superseded_at: datetime | None = None
    open_tools: int = 0
    tool_use_id: UUID | None = None
    signed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    """The device a key was issued to, when, and the most the key may claim."""

    id: UUID
    issued_at: datetime
    cap: Cap


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """One issued key and everything behind it. `suspended` names what is suspended, or is empty."""

    id: UUID
    tenant_id: UUID
    access_key_id: str
    secret: str = field(repr=False)
    token_digest: bytes = field(repr=False)
    expires_at: datetime
    is_revoked: bool
    conversation: str
    generation: str
    principal: Principal
    connection: ConnectionFacts
    suspended: str
    session_id: UUID | None
    counters: SessionCounters
    prompt: PromptFacts | None
    # The keys this one was derived from, eldest first (AssumeRole and its like, answered here).
    ancestors: tuple[UUID, ...] = ()
    # The newest prompt of a conversation that only the client names (see `declared`).
    declared: PromptFacts | None = None
    # None for keys of the REST API, which no device signed for.
    device: DeviceFacts | None = None
    # The tenant's own detectors, packed as mask plans carry them.
    detectors: bytes = b""
    # Whether any response of the tenant's ever held decoys: else none is looked for.
    has_decoys: bool = False

    @property
    def root_id(self) -> UUID:
        """The key a person or workload was given; those derived from it are of its session."""
        return self.ancestors[0] if self.ancestors else self.id

    @property
    def person_id(self) -> UUID | None:
        return self.principal.id if self.principal.kind is PrincipalKind.PERSON else None

    @property
    def session_name(self) -> tuple[UUID, UUID | None, str]:
        """What makes two keys' calls one session's (see `audit.sessions`)."""
        return self.connection.id, self.person_id, self.conversation or f"key:{self.root_id}"

    def check_standing(self, now: datetime) -> None:
        """Raise the problem of a key that may not be used now: suspended, revoked or expired."""
        problem = _standing(suspended=self.suspended, is_revoked=self.is_revoked, expires_at=self.expires_at, now=now)
        if problem is not None:
            raise problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The keys of a batch by access key id, and the policy revision in force as they were read."""

    keys: Mapping[str, KeyFacts | Problem]
    revision_id: UUID | None


def _standing(*, suspended: str, is_revoked: bool, expires_at: datetime, now: datetime) -> Problem | None:
    if suspended:
        return PrincipalSuspended(f"Suspended: the {suspended}")
    return KeyExpired() if is_revoked or now >= expires_at else None


def keys_of(
    *, tenant_id: UUID, access_key_ids: Collection[str], edge_id: UUID | None = None, boot_id: UUID | None = None
) -> Keyring:
    """Return what the tenant's keys open, or why one cannot be used; one statement, which enters the tenant itself.

    With a boot named, raises BootFenced unless that boot of that edge may still admit.
    """
    try:
        rows = _rows(_NAMED, [tenant_id, list(access_key_ids), edge_id, boot_id])
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", None) == _FENCED:
            raise BootFenced from None
        raise
    return Keyring(
        keys={row["access_key_id"]: _facts_or_problem(tenant_id, row) for row in rows},
        revision_id=rows[0]["revision_id"] if rows else None,
    )


def out_of_standing(*, tenant_id: UUID, key_ids: Collection[UUID], now: datetime) -> dict[UUID, Problem]:
    """Return by its own id each key that may not be used any more, with the reason. Opens no secret."""
    found: dict[UUID, Problem] = {}
    for row in _rows(_BY_ID, [tenant_id, list(key_ids)]) if key_ids else ():
        problem = _standing(
            suspended=_suspended(row), is_revoked=row["revoked_at"] is not None, expires_at=row["expires_at"], now=now
        )
        if problem is not None:
            found[row["id"]] = problem
    return found


def _facts_or_problem(tenant_id: UUID, row: dict[str, Any]) -> KeyFacts | Problem:
    try:
        return _facts(tenant_id, row)
    except SealBroken as problem:
        # One row that does not open is its own caller's trouble, never that of the others in the batch.
        return problem


def _rows(query: str, values: list[Any]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return [dict(zip(_COLUMNS, row, strict=True)) for row in cursor.fetchall()]


def _facts(tenant_id: UUID, row: dict[str, Any]) -> KeyFacts:
    secret = unseal(tenant_id=tenant_id, column=SECRET_COLUMN, sealed=row["sealed_secret"])
    return KeyFacts(
        id=row["id"],
        tenant_id=tenant_id,
        access_key_id=row["access_key_id"],
        secret=secret.decode(),
        token_digest=bytes(row["token_digest"]),
        expires_at=row["expires_at"],
        is_revoked=row["revoked_at"] is not None,
        conversation=row["conversation"],
        generation=row["generation"],
        principal=_principal(row),
        connection=_connection(tenant_id, row),
        suspended=_suspended(row),
        session_id=row["session_id"],
        counters=SessionCounters(
            calls=row["calls"] or 0,
            deletes=row["deletes"] or 0,
            secrets_masked=row["secrets_masked"] or 0,
            bytes_out=row["bytes_out"] or 0,
            taint=tuple(row["taint"] or ()),
            distinct_resources=row["distinct_resources"] or 0,
        ),
        prompt=_prompt(row),
        device=_device(row),
        ancestors=tuple(row["ancestors"]),
        detectors=bytes(row["detectors"] or b""),
        has_decoys=row["has_decoys"],
    )


def _principal(row: dict[str, Any]) -> Principal:
    is_person = row["user_id"] is not None
    return Principal(
        kind=PrincipalKind.PERSON if is_person else PrincipalKind.SERVICE_ACCOUNT,
        id=row["user_id"] if is_person else row["service_account_id"],
        label=row["username"] if is_person else row["workload"],
        groups=tuple(row["groups"]),
        agent_id=row["agent_id"],
        agent_label=row["agent"],
    )


def _connection(tenant_id: UUID, row: dict[str, Any]) -> ConnectionFacts:
    target = RoleTarget(
        tenant_id=tenant_id,
        tenant_label=row["tenant"],
        connection_id=row["connection_id"],
        connection_label=row["connection"],
        account=row["account_id"],
        role_arn=row["role_arn"],
        external_id=row["external_id"],
        regions=tuple(row["regions"]),
        further_accounts=tuple(row["further_accounts"]),
        base=_base_keys(tenant_id, row),
        hops=hops_of(row["role_chain"]),
    )
    return ConnectionFacts(
        id=row["connection_id"],
        label=row["connection"],
        account_id=target.end_account,
        regions=target.regions,
        observe_only=row["observe_only"],
        opaque=OpaqueChoice(row["opaque_payloads"]),
        target=target,
    )


def _base_keys(tenant_id: UUID, row: dict[str, Any]) -> BaseKeys | None:
    if row["base_key"] is None:
        return None
    secret = unseal(tenant_id=tenant_id, column=CREDENTIAL_COLUMN, sealed=row["base_secret"])
    return BaseKeys(access_key_id=row["base_key"], secret_access_key=secret.decode())


def _suspended(row: dict[str, Any]) -> str:
    """Name what is suspended; a key of nobody counts as suspended too."""
    checks = {
        "tenant": row["is_tenant_out"],
        "person": row["user_id"] is not None and not row["is_member"],
        "service account": row["service_account_id"] is not None and row["is_workload_out"],
        "owner": row["user_id"] is None and row["service_account_id"] is None,
        "agent": row["agent_id"] is not None and row["is_agent_out"],
        "connection": row["connection_state"] != "active",
    }
    return next((name for name, is_out in checks.items() if is_out), "")


def _prompt(row: dict[str, Any]) -> PromptFacts | None:
    if row["last_prompt"] is None:
        return None
    return PromptFacts(
        id=row["last_prompt"],
        is_machine_turn=row["last_source"] != "person",
        generation=row["last_generation"],
        recorded_at=row["last_recorded"],
        cap=Cap(level=LinkLevel(row["last_cap"]), reason=row["last_cap_reason"]),
        device_id=row["last_device"],
        superseded_at=row["superseded_at"],
        open_tools=row["open_tools"] or 0,
        tool_use_id=row["tool_use_id"] if row["open_tools"] == 1 else None,
        signed_at=row["last_sign"],
    )


def _device(row: dict[str, Any]) -> DeviceFacts | None:
    if row["device_id"] is None:
        return None
    cap = Cap(level=LinkLevel(row["link_cap"]), reason=row["cap_reason"])
    return DeviceFacts(id=row["device_id"], issued_at=row["issued_at"], cap=cap)
