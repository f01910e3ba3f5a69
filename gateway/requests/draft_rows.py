"""A request's row before it is one: the columns of `ProxiedRequest` as JSON that PostgreSQL reads.

A value of its own, as this stands before every call: a model's instance costs more to make than all that is put into
it. What the columns mean is `models`'; filling them in is `rows`'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from gateway.requests.models import RequestState


class DraftRow(msgspec.Struct, kw_only=True):
    """Each column by its name, with what it holds where nothing is said. Bytes are spelled as JSON has them.

    `event_leaf` and `event_sequence` are given by the ledger when the row is inserted.
    """

    id: UUID
    tenant_id: UUID
    session_id: UUID
    prompt_id: UUID | None
    key_id: UUID
    tool_use_id: UUID | None
    link: str
    link_reason: str
    person_id: UUID | None
    person_label: str
    agent_id: UUID | None
    agent_label: str
    connection_id: UUID
    connection_label: str
    edge_id: UUID
    boot_id: UUID
    source: str
    method: str
    dialect: str
    fingerprint: str
    service: str = ""
    operation: str = ""
    region: str = ""
    access: str = ""
    actions: Sequence[str] = ()
    resources: Sequence[str] = ()
    parameters: Mapping[str, Any] = {}
    question: Any = {}
    effect: str = ""
    would_be: str = ""
    rule_ids: Sequence[str] = ()
    revision: str = ""
    advice: str = ""
    reason: str = ""
    refusal_code: str = ""
    approval_id: UUID | None = None
    invocation_id: str = ""
    state: RequestState = RequestState.REFUSED
    received_at: datetime
    decided_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    event_sequence: int | None = None
    event_leaf: str | None = None
    sealed_salt: str | None = None
    status: int | None = None
    aws_request_id: str = ""
    error: str = ""
    bytes_up: int = 0
    bytes_down: int = 0
    bytes_scanned: int = 0
    bytes_unscanned: int = 0
    masked: Mapping[str, Any] = {}
