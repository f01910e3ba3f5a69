"""The intent link: which prompt a call belongs to, and how firmly. Pure.

The product never claims more than the level proves; `reason` says what it rests on, in words people read. What a device
proved when it asked for keys or posted the prompt is `gateway.identity.proving`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from gateway.identity.proving import BOUND, Cap, weakest
from gateway.requests.keyring import DeviceFacts, KeyFacts, PromptFacts
from gateway.terms import LinkLevel

# A command begun under one prompt may go on under the next one for this long; then its generation is closed.
OUTLIVED = timedelta(minutes=10)
# Without a sign of life (no open tool use, none begun or ended) a generation is closed after this.
SILENT = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentLink:
    """`tool_use_id` is the one tool use that was open, where that can be told."""

    level: LinkLevel
    prompt_id: UUID | None
    is_machine_turn: bool
    reason: str
    tool_use_id: UUID | None = None


def link_of(key: KeyFacts, *, now: datetime) -> IntentLink:
    """Return the link of a call made with this key now.

    Level A needs a prompt and a key request signed by one enrolled device; keys issued over the REST API carry no
    device's signature, so they reach B at most.
    """
    prompt = key.prompt
    if prompt is not None:
        if closed := _closed(prompt, is_of_device=key.device is not None, now=now):
            return _person_only(closed)
        return _bound(key, prompt) if key.device is None else _of_device(key, key.device, prompt)
    if key.declared is not None:
        return _linked(
            key.declared,
            Cap(level=LinkLevel.DECLARED),
            "The client's User-Agent names the conversation; nothing proves it.",
        )
    named = "names a conversation without a recorded prompt" if key.conversation else "names no conversation"
    return _person_only(f"The key {named}: the person only.")


def _closed(prompt: PromptFacts, *, is_of_device: bool, now: datetime) -> str:
    """Why a generation is closed, in words; empty while it is open."""
    if prompt.superseded_at is not None and now - prompt.superseded_at > OUTLIVED:
        return "A newer prompt closed this generation more than ten minutes ago: the person only."
    signs = [at for at in (prompt.recorded_at, prompt.signed_at) if at is not None]
    if is_of_device and not prompt.open_tools and signs and now - max(signs) > SILENT:
        return "This generation gave no sign of life for an hour and is closed: the person only."
    return ""


def _bound(key: KeyFacts, prompt: PromptFacts) -> IntentLink:
    bound = "one generation of its conversation" if key.generation else "the newest prompt of its conversation"
    reason = f"The key is bound to {bound}; no enrolled device signed for it."
    cap = weakest(Cap(level=LinkLevel.CONVERSATION), prompt.cap)
    return _linked(prompt, cap, reason if cap.level is LinkLevel.CONVERSATION else _because(cap))


def _of_device(key: KeyFacts, device: DeviceFacts, prompt: PromptFacts) -> IntentLink:
    cap = weakest(device.cap, prompt.cap, _by_time(key, device, prompt))
    if cap.level is LinkLevel.BOUND:
        tool = " and the one tool use that was open" if prompt.tool_use_id else ""
        reason = f"The device asked for the key while this prompt was open{tool}, and signed for both."
        return _linked(prompt, cap, reason)
    return _linked(prompt, cap, _because(cap))


def _by_time(key: KeyFacts, device: DeviceFacts, prompt: PromptFacts) -> Cap:
    """What the gateway's own order of arrival allows."""
    reason = ""
    if not key.generation:
        reason = "the generation was chosen by time"
    elif prompt.superseded_at is not None:
        reason = "the command was begun under an earlier prompt"
    elif prompt.device_id != device.id:
        reason = "another device of the person recorded the prompt"
    elif prompt.recorded_at is None or prompt.recorded_at > device.issued_at:
        reason = "the prompt was recorded after the key was issued"
    return Cap(level=LinkLevel.CONVERSATION, reason=reason) if reason else BOUND


def _because(cap: Cap) -> str:
    names = {LinkLevel.CONVERSATION: "Bound to the conversation", LinkLevel.DECLARED: "Only named by the client"}
    return f"{names.get(cap.level, 'The person only')}: {cap.reason or 'no enrolled device signed for it'}."[:200]


def _linked(prompt: PromptFacts, cap: Cap, reason: str) -> IntentLink:
    if cap.level is LinkLevel.PERSON:
        return _person_only(reason)
    return IntentLink(
        level=cap.level,
        prompt_id=prompt.id,
        is_machine_turn=prompt.is_machine_turn,
        reason=reason,
        tool_use_id=prompt.tool_use_id,
    )


def _person_only(reason: str) -> IntentLink:
    return IntentLink(level=LinkLevel.PERSON, prompt_id=None, is_machine_turn=False, reason=reason)
