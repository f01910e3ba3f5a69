"""The intent link: which prompt a call belongs to, and how firmly. Pure.

The product never claims more than the level proves; `reason` says what it rests on, in words people read.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from gateway.requests.keyring import KeyFacts
from gateway.terms import LinkLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentLink:
    level: LinkLevel
    prompt_id: UUID | None
    is_machine_turn: bool
    reason: str


def link_of(key: KeyFacts) -> IntentLink:
    """Return the link of a call made with this key.

    Level A needs a prompt and a key request signed by an enrolled device; keys issued over the REST API carry
    no device's signature, so they reach B at most.
    """
    if key.prompt is not None:
        bound = "one generation of its conversation" if key.generation else "the newest prompt of its conversation"
        return IntentLink(
            level=LinkLevel.CONVERSATION,
            prompt_id=key.prompt.id,
            is_machine_turn=key.prompt.is_machine_turn,
            reason=f"The key is bound to {bound}; no enrolled device signed for it.",
        )
    if key.declared is not None:
        return IntentLink(
            level=LinkLevel.DECLARED,
            prompt_id=key.declared.id,
            is_machine_turn=key.declared.is_machine_turn,
            reason="The client's User-Agent names the conversation; nothing proves it.",
        )
    named = "names a conversation without a recorded prompt" if key.conversation else "names no conversation"
    return IntentLink(
        level=LinkLevel.PERSON, prompt_id=None, is_machine_turn=False, reason=f"The key {named}: the person only."
    )
