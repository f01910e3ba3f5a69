"""The roles a derived key goes through, and what the one who asked narrowed them to. Pure.

Asking STS for each hop is `gateway.connections.sessions`; answering the client that asked is `gateway.requests.minting`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

# AWS lets roles be chained without end; each hop is a call to STS before the first call with such a key.
LONGEST_CHAIN = 3


class Narrowing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The session policies of the one who asked: an inline document as sent, and managed policies."""

    policy: str = ""
    policy_arns: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.policy or self.policy_arns)


class Hop(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One role assumed on the way, as its AssumeRole was asked for.

    A hop to the role its key stands in already opens another session of that role instead of chaining.
    """

    role_arn: str
    session_name: str
    external_id: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    transitive: tuple[str, ...] = ()
    narrowing: Narrowing = Narrowing()

    @property
    def account(self) -> str:
        return self.role_arn.split(":")[4]

    def __repr__(self) -> str:
        return f"Hop({self.role_arn}, {self.session_name})"


def hops_of(stored: str | Sequence[object]) -> tuple[Hop, ...]:
    """Read a stored chain: JSON text, or what it decodes to."""
    if isinstance(stored, str):
        return msgspec.json.decode(stored, type=tuple[Hop, ...])
    return msgspec.convert(stored, tuple[Hop, ...])


def steps_of(own_role: str, hops: Sequence[Hop]) -> tuple[Hop, ...]:
    """What is really assumed, one after the other, from the connection's own role (an empty name: ours) on.

    Asking again for the role one is in replaces the step: roles seldom trust themselves, and nothing is gained.
    """
    steps = [Hop(role_arn=own_role, session_name="")]
    for hop in hops:
        if hop.role_arn == steps[-1].role_arn:
            steps[-1] = hop
        else:
            steps.append(hop)
    return tuple(steps)


def narrowing_of(hops: Sequence[Hop]) -> Narrowing:
    """What the calls of a key are narrowed to: what was asked for when its own role was assumed."""
    return hops[-1].narrowing if hops else Narrowing()


def stored(hops: Sequence[Hop]) -> list[object]:
    """A chain as it is kept."""
    kept: list[object] = msgspec.to_builtins(list(hops))
    return kept
