"""What `hoopweb doctor` can say about one link of the chain, and how much it matters. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a link is: only `broken` makes the doctor's exit status bad."""

    GOOD = "good"
    # Works, and is worth knowing.
    NOTE = "note"
    # Calls may pass the gateway by, or an auditor would see less than could be seen.
    WEAK = "weak"
    # The chain does not hold, or something passes the gateway by right now.
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One link. `check` is stable, for scripts; `mend` says what to do and is empty where nothing is to be done."""

    check: str
    state: State
    told: str
    mend: str = ""


def good(check: str, told: str) -> Finding:
    return Finding(check=check, state=State.GOOD, told=told)


def note(check: str, told: str, mend: str = "") -> Finding:
    return Finding(check=check, state=State.NOTE, told=told, mend=mend)


def weak(check: str, told: str, mend: str) -> Finding:
    return Finding(check=check, state=State.WEAK, told=told, mend=mend)


def broken(check: str, told: str, mend: str) -> Finding:
    return Finding(check=check, state=State.BROKEN, told=told, mend=mend)
