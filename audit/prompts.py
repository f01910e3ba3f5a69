"""Recording the exact words that set an agent to work, and reading them again.

Which calls a prompt caused is the intent link of `gateway.requests`. Called inside the tenant's transaction.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from audit.kinds import EventKind
from audit.models import Prompt
from audit.problems import PromptConflict, PromptErased, PromptNotFound, PromptTooLong, PromptUnreadable
from audit.services import append
from gateway.masking.content import scanner_for
from gateway.masking.replacement import Tally
from gateway.sealing.services import seal, unseal
from gateway.tenants.models import Tenant

# Room for any instruction a person types and most pasted files; past it a prompt is a data transfer.
LARGEST_PROMPT = 256 * 1024
LARGEST_NAME = 200
SALT_BYTES = 32
TEXT_COLUMN = "audit_prompt.sealed_text"
SALT_COLUMN = "audit_prompt.sealed_salt"


@dataclass(frozen=True, slots=True, kw_only=True)
class HookTold:
    """What an agent's hook tells beside the words, and what the device behind it allows to be claimed.

    `cap` is the most a call linked to the record may claim; `process` what stood above the hook.
    """

    device_id: UUID | None = None
    device_label: str = ""
    agent_kind: str = ""
    agent_version: str = ""
    attachments: tuple[str, ...] = ()
    workspace: str = ""
    parent_conversation: str = ""
    parent_tool_use: str = ""
    subagent: str = ""
    process: Mapping[str, Any] | None = None
    occurred_at: datetime | None = None
    is_late: bool = False
    level_cap: str = "B"
    cap_reason: str = "no enrolled device signed for the prompt"
    # The tenant's own detectors, packed: what is shown of the words is masked with them too.
    detectors: bytes = field(default=b"", repr=False)

    @property
    def facts(self) -> dict[str, Any]:
        """What of it goes into events."""
        at = self.occurred_at.isoformat() if self.occurred_at is not None else ""
        told = {
            "parent": self.parent_conversation,
            "subagent": self.subagent,
            "device": self.device_label,
            "occurred_at": at,
        }
        return {name: value for name, value in told.items() if value} | ({"late": True} if self.is_late else {})


BY_API_KEY = HookTold()


def commitment(text: str, salt: bytes) -> str:
    """HMAC-SHA-256 in hex: proves the text to whoever holds the salt, and says nothing once the salt is gone."""
    return hmac.new(salt, text.encode(), hashlib.sha256).hexdigest()


def record_prompt(
    *,
    tenant: Tenant,
    person_id: UUID | None,
    person_label: str,
    agent_id: UUID | None,
    agent_label: str,
    conversation: str,
    generation: str,
    text: str,
    source: str,
    now: datetime,
    random: Callable[[int], bytes],
    hook: HookTold = BY_API_KEY,
) -> Prompt:
    """Seal a prompt and leave its event; the same words again give the same prompt.

    Raises PromptConflict where the generation has other words or another author, PromptTooLong, PromptUnreadable.
    """
    _check(text, conversation, generation)
    known = _known(tenant, conversation, generation)
    if known is None:
        salt = random(SALT_BYTES)
        made = Prompt(
            tenant=tenant,
            person_id=person_id,
            person_label=person_label,
            agent_id=agent_id,
            agent_label=agent_label,
            conversation=conversation,
            generation=generation,
            source=source,
            **_of_hook(hook),
            caused_by_id=_cause(tenant, person_id, conversation, source=source, hook=hook),
            sealed_text=seal(tenant_id=tenant.pk, column=TEXT_COLUMN, plaintext=text.encode()),
            sealed_salt=seal(tenant_id=tenant.pk, column=SALT_COLUMN, plaintext=salt),
            masked_text=masked(text, hook.detectors),
            commitment=commitment(text, salt),
            characters=len(text),
            recorded_at=now,
        )
        if _insert(made):
            _append_recorded(made, hook)
            return made
        # A hook that repeats itself may race its first try; the row that won is compared like any other.
        known = _known(tenant, conversation, generation)
    if known is None or not _is_same(known, text=text, person_id=person_id, agent_id=agent_id):
        raise PromptConflict
    return known


def _check(text: str, conversation: str, generation: str) -> None:
    if len(text) > LARGEST_PROMPT:
        raise PromptTooLong(f"It has {len(text)} characters")
    if not all(0 < len(name) <= LARGEST_NAME and name.isprintable() for name in (conversation, generation)):
        raise PromptUnreadable
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PromptUnreadable from None


def _known(tenant: Tenant, conversation: str, generation: str) -> Prompt | None:
    rows = Prompt.objects.for_tenant(tenant)
    found: Prompt | None = rows.filter(conversation=conversation, generation=generation).first()
    return found


def masked(text: str, detectors: bytes) -> str:
    """The copy people read: secrets replaced, storable."""
    # PostgreSQL cannot hold NUL in text; the sealed copy keeps it.
    return scanner_for(detectors).mask_text(text, Tally()).replace("\0", "\N{SYMBOL FOR NULL}")


def _insert(prompt: Prompt) -> bool:
    try:
        with transaction.atomic():
            prompt.save(force_insert=True)
    except IntegrityError:
        return False
    return True


def _of_hook(hook: HookTold) -> dict[str, Any]:
    return {
        "device_id": hook.device_id,
        "device_label": hook.device_label,
        "agent_kind": hook.agent_kind,
        "agent_version": hook.agent_version,
        "attachments": [masked(name, hook.detectors) for name in hook.attachments],
        "workspace": masked(hook.workspace, hook.detectors),
        "parent_conversation": hook.parent_conversation,
        "parent_tool_use": hook.parent_tool_use,
        "subagent": hook.subagent,
        "process": dict(hook.process) if hook.process is not None else None,
        "occurred_at": hook.occurred_at,
        "is_late": hook.is_late,
        "level_cap": hook.level_cap,
        "cap_reason": hook.cap_reason,
    }


def _cause(tenant: Tenant, person_id: UUID | None, conversation: str, *, source: str, hook: HookTold) -> UUID | None:
    """What led to a machine's turn: its parent's newest prompt, or the one before it in its own conversation."""
    above = hook.parent_conversation or (conversation if source != "person" else "")
    newest = newest_of(tenant, person_id=person_id, conversation=above) if above else None
    return newest.pk if newest is not None else None


def newest_of(
    tenant: Tenant, *, person_id: UUID | None, conversation: str, generation: str | None = None
) -> Prompt | None:
    """A person's newest prompt of a conversation, or the one of a generation, without its sealed text."""
    rows = Prompt.objects.for_tenant(tenant).filter(person_id=person_id, conversation=conversation)
    rows = rows if generation is None else rows.filter(generation=generation)
    found: Prompt | None = rows.defer("sealed_text", "sealed_salt").order_by("-recorded_at").first()
    return found


def _append_recorded(prompt: Prompt, hook: HookTold) -> None:
    append(
        tenant_id=prompt.tenant_id,
        kind=EventKind.PROMPT_RECORDED,
        at=prompt.recorded_at,
        subject=prompt.pk,
        data={
            "person": prompt.person_label,
            "agent": prompt.agent_label,
            "conversation": prompt.conversation,
            "generation": prompt.generation,
            "commitment": prompt.commitment,
            "source": prompt.source,
            "characters": prompt.characters,
            **({"attachments": len(prompt.attachments)} if prompt.attachments else {}),
            **({"agent_version": prompt.agent_version} if prompt.agent_version else {}),
            **({"caused_by": str(prompt.caused_by_id)} if prompt.caused_by_id else {}),
            **hook.facts,
            "link": prompt.level_cap,
        },
    )


def record_forgery(
    *,
    tenant: Tenant,
    subject: UUID,
    person_label: str,
    agent_label: str,
    conversation: str,
    generation: str,
    reason: str,
    hook: HookTold,
    now: datetime,
) -> None:
    """Leave the finding of a prompt that did not come from the agent; its words are not kept."""
    data = {
        "person": person_label,
        "agent": agent_label,
        "conversation": conversation,
        "generation": generation,
        "reason": reason,
        "process": dict(hook.process or {}),
        **hook.facts,
    }
    append(tenant_id=tenant.pk, kind=EventKind.PROMPT_FORGED, at=now, subject=subject, data=data)


def _is_same(prompt: Prompt, *, text: str, person_id: UUID | None, agent_id: UUID | None) -> bool:
    if prompt.erased_at is not None:
        return False
    salt = unseal(tenant_id=prompt.tenant_id, column=SALT_COLUMN, sealed=bytes(prompt.sealed_salt))
    is_same_text = hmac.compare_digest(commitment(text, salt), prompt.commitment)
    return is_same_text and (prompt.person_id, prompt.agent_id) == (person_id, agent_id)


def read_exact(*, tenant: Tenant, prompt_id: UUID, by_label: str, proof: Mapping[str, Any], now: datetime) -> str:
    """Return the exact words, secrets included, and write down who read them, by what proof; raises PromptNotFound."""
    prompt: Prompt | None = Prompt.objects.for_tenant(tenant).filter(pk=prompt_id).first()
    if prompt is None:
        raise PromptNotFound
    if prompt.erased_at is not None:
        raise PromptErased(f"It was erased on {prompt.erased_at:%Y-%m-%d}")
    text = unseal(tenant_id=tenant.pk, column=TEXT_COLUMN, sealed=bytes(prompt.sealed_text)).decode()
    append(
        tenant_id=tenant.pk,
        kind=EventKind.EVIDENCE_READ,
        at=now,
        subject=prompt.pk,
        data={"by": by_label, "what": "prompt", **proof},
    )
    return text


# A machine's turn caused by a machine's turn, and so on: further back than this nobody reads.
_LONGEST_CHAIN = 50


def chain_of(*, tenant: Tenant | UUID, prompt: Prompt) -> list[Prompt]:
    """What led to a prompt, nearest first, up to a person's own words; empty for those."""
    chain: list[Prompt] = []
    rows = Prompt.objects.for_tenant(tenant).defer("sealed_text", "sealed_salt")
    cause = prompt.caused_by_id
    while cause is not None and len(chain) < _LONGEST_CHAIN:
        found = rows.filter(pk=cause).first()
        if found is None:
            break
        chain.append(found)
        cause = found.caused_by_id
    return chain
