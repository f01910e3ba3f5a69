"""What hooks keep until the gateway answers, counted: for `doctor`, here or as the key broker tells of its own folder.

The records are `hook_spool`'s, the organisation's choice is `hook_policy`'s.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.client import hook_policy
from gateway.client.hook_spool import Spool
from gateway.client.state import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How many records wait, how many were refused and lie in `refused`, and what happens while nobody answers."""

    waiting: int
    refusals: int
    refused: str
    choice: str


def kept_here(place: Place) -> Kept:
    """As this account's own folder has it; raises Exposed where others could have written there."""
    spool = Spool(place)
    return Kept(
        waiting=spool.waiting(),
        refusals=spool.refusals(),
        refused=spool.refused,
        choice=hook_policy.choice(place).value,
    )
