"""Recording how agents use their tools: the exact command, sealed, and when it began and ended. And reading it again.

Which calls a tool use made is the intent link of `gateway.requests`. Called inside the tenant's transaction.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from audit.kinds import EventKind
from audit.models import ToolUse
from audit.problems import PromptTooLong, PromptUnreadable, ToolUseConflict
from audit.prompts import LARGEST_NAME, LARGEST_PROMPT, SALT_BYTES, HookTold, commitment, masked, newest_of
from audit.services import append
from gateway.sealing.services import seal, unseal
from gateway.tenants.models import Tenant

COMMAND_COLUMN = "audit_tooluse.sealed_command"
SALT_COLUMN = "audit_tooluse.sealed_salt"
# Names the client makes for events that have none: an agent may tell of one use twice, once with a name of its own.
_MADE = "made-"


class Phase(StrEnum):
    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One hook event about a tool. `generation` None lets the newest prompt of the conversation have it."""

    person_id: UUID | None
    person_label: str
    agent_label: str
    conversation: str
    generation: str | None
    name: str
    tool: str
    command: str = field(repr=False)
    cwd: str
    phase: Phase
    hook: HookTold


def record_tool_use(*, tenant: Tenant, told: Told, now: datetime, random: Callable[[int], bytes]) -> ToolUse:
    """Open or close a tool use and leave its event; the same told again changes nothing.

    Raises ToolUseConflict where the name has another command, PromptTooLong, PromptUnreadable.
    """
    _check(told)
    known = _known(tenant, told)
    if known is None:
        made = _made(tenant, told, now, random)
        if _insert(made):
            _append(made, told, EventKind.TOOL_USE_BEGAN, now)
            return made
        known = _known(tenant, told)
    if known is None or not _is_same(known, told):
        raise ToolUseConflict
    if told.phase is Phase.AFTER and known.ended_at is None:
        known.ended_at = now
        known.save(update_fields=("ended_at",))
        _append(known, told, EventKind.TOOL_USE_ENDED, now)
    return known


def _check(told: Told) -> None:
    if len(told.command) > LARGEST_PROMPT:
        raise PromptTooLong(f"The command has {len(told.command)} characters")
    names = (told.conversation, told.name, told.tool, *([told.generation] if told.generation else []))
    if not all(0 < len(name) <= LARGEST_NAME and name.isprintable() for name in names):
        raise PromptUnreadable


def _known(tenant: Tenant, told: Told) -> ToolUse | None:
    rows: QuerySet[ToolUse] = ToolUse.objects.for_tenant(tenant).select_for_update().order_by("-began_at")
    rows = rows.filter(conversation=told.conversation, person_id=told.person_id)
    rows = rows.filter(generation=told.generation) if told.generation else rows
    found = rows.filter(name=told.name).first()
    if found is None and told.name.startswith(_MADE):
        found = rows.filter(
            tool=told.tool, masked_command=masked(told.command, told.hook.detectors), ended_at=None
        ).first()
    return found


def _made(tenant: Tenant, told: Told, now: datetime, random: Callable[[int], bytes]) -> ToolUse:
    salt, hook = random(SALT_BYTES), told.hook
    prompt = newest_of(
        tenant, person_id=told.person_id, conversation=told.conversation, generation=told.generation or None
    )
    return ToolUse(
        tenant=tenant,
        prompt_id=prompt.pk if prompt is not None else None,
        person_id=told.person_id,
        device_id=hook.device_id,
        agent_kind=hook.agent_kind,
        conversation=told.conversation,
        generation=told.generation or (prompt.generation if prompt is not None else ""),
        name=told.name,
        tool=told.tool,
        sealed_command=seal(tenant_id=tenant.pk, column=COMMAND_COLUMN, plaintext=told.command.encode()),
        sealed_salt=seal(tenant_id=tenant.pk, column=SALT_COLUMN, plaintext=salt),
        masked_command=masked(told.command, hook.detectors),
        commitment=commitment(told.command, salt),
        cwd=masked(told.cwd, hook.detectors),
        subagent=hook.subagent,
        parent_conversation=hook.parent_conversation,
        parent_tool_use=hook.parent_tool_use,
        began_at=now,
        ended_at=now if told.phase is Phase.AFTER else None,
        is_late=hook.is_late,
    )


def _insert(made: ToolUse) -> bool:
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError:
        return False
    return True


def _is_same(known: ToolUse, told: Told) -> bool:
    """Whether it is the same command; what is over may be told of in other words, since it changes nothing."""
    if known.erased_at is not None or told.phase is Phase.AFTER:
        return True
    salt = unseal(tenant_id=known.tenant_id, column=SALT_COLUMN, sealed=bytes(known.sealed_salt))
    return hmac.compare_digest(commitment(told.command, salt), known.commitment)


def _append(row: ToolUse, told: Told, kind: EventKind, now: datetime) -> None:
    data: dict[str, Any] = {
        "person": told.person_label,
        "agent": told.agent_label,
        "conversation": row.conversation,
        "generation": row.generation,
        "tool": row.tool,
        "name": row.name,
        "commitment": row.commitment,
        "prompt": str(row.prompt_id) if row.prompt_id else None,
        **told.hook.facts,
    }
    append(tenant_id=row.tenant_id, kind=kind, at=now, subject=row.pk, data=data)


def of_prompt(*, tenant: Tenant | UUID, prompt_id: UUID) -> QuerySet[ToolUse]:
    """The tool uses of one prompt, in the order they began, without their sealed commands."""
    rows: QuerySet[ToolUse] = ToolUse.objects.for_tenant(tenant).filter(prompt_id=prompt_id)
    return rows.defer("sealed_command", "sealed_salt").order_by("began_at", "id")
