"""What a device can prove about a prompt or a key request, by where its key lies and what stands above the hook. Pure.

Which prompt a call belongs to in the end is `gateway.requests.intent`; nothing here looks at a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.terms import LinkLevel

# What agents start for a command. An agent's main process is none of these.
_SHELLS = frozenset({"sh", "bash", "zsh", "dash", "fish", "ksh", "ash", "csh", "tcsh", "busybox"})


class KeyStorage(StrEnum):
    """Where a device's private key lies, as its owner's client said when it was enrolled."""

    # It opens to whatever runs as the same account, once that is signed in.
    OS_KEYSTORE = "os_keystore"
    SEPARATE_ACCOUNT = "separate_account"
    # Whatever runs as the same account can read it, an agent's shell included.
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class HookFacts:
    """What the client saw above a hook. `agent_pid` is None where no agent's main process started it.

    `is_doubtful`: another agent's command may have started that main process. `is_second_agent`: another one, still
    alive, has posted prompts of the same conversation.
    """

    agent_pid: int | None = None
    agent_started: int | None = None
    parent_executable: str = ""
    is_inside_agent_shell: bool = False
    is_doubtful: bool = False
    is_second_agent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HelperFacts:
    """What the client saw above a credential helper. `is_below_agent`: the agent's main process is among its parents.

    `is_outlived`: the command that asks was begun under an earlier prompt than the newest.
    """

    is_below_agent: bool = False
    is_outlived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """The most a link may claim, and the reason in words; empty where nothing holds it down."""

    level: LinkLevel
    reason: str = ""


BOUND = Cap(level=LinkLevel.BOUND)


def weakest(*caps: Cap) -> Cap:
    """The weakest of several, with its reason; the first where two are as weak."""
    return max(caps, key=lambda cap: cap.level.value)


def forgery_of(facts: HookFacts | None) -> str:
    """Why a prompt cannot be the agent's own, in words; empty where it may be."""
    if facts is None:
        return ""
    if facts.is_inside_agent_shell:
        return "An agent's shell stands between the hook and the agent"
    if facts.agent_pid is None or facts.parent_executable.rpartition("/")[2].lstrip("-") in _SHELLS:
        return "The hook was not started by an agent's main process"
    return ""


def storage_cap(storage: str) -> Cap:
    """What the place of the device's key allows."""
    if storage == KeyStorage.SEPARATE_ACCOUNT:
        return BOUND
    where = "the system's key store, which opens to" if storage == KeyStorage.OS_KEYSTORE else "a file read by"
    return Cap(level=LinkLevel.CONVERSATION, reason=f"the device's key lies in {where} other processes of the account")


def prompt_cap(storage: str, facts: HookFacts | None, *, is_late: bool) -> Cap:
    """What a device-signed prompt can carry at most."""
    caps = [storage_cap(storage)]
    if is_late:
        caps.append(Cap(level=LinkLevel.CONVERSATION, reason="the prompt was recorded late, from the device's spool"))
    if facts is None:
        caps.append(Cap(level=LinkLevel.DECLARED, reason="nothing was told about the process that posted the prompt"))
    elif facts.is_doubtful:
        caps.append(
            Cap(level=LinkLevel.DECLARED, reason="another agent's command may have started what posted the prompt")
        )
    elif facts.is_second_agent:
        caps.append(Cap(level=LinkLevel.CONVERSATION, reason="two main processes post prompts of this conversation"))
    return weakest(*caps)


def key_cap(storage: str, facts: HelperFacts | None, *, has_conversation: bool, has_generation: bool) -> Cap:
    """What a key may claim at most, by how it was asked for."""
    if not has_conversation:
        return Cap(level=LinkLevel.PERSON, reason="no conversation was named")
    caps = [storage_cap(storage)]
    if facts is None or not facts.is_below_agent:
        caps.append(
            Cap(level=LinkLevel.DECLARED, reason="the process that asked for keys does not hang below the agent")
        )
    elif facts.is_outlived:
        caps.append(Cap(level=LinkLevel.CONVERSATION, reason="the command was begun under an earlier prompt"))
    if not has_generation:
        caps.append(Cap(level=LinkLevel.CONVERSATION, reason="the generation was chosen by time"))
    return weakest(*caps)
