"""What one admission became, before it is written down: allowed, held, refused, or not even a tenant's."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.connections.sts import RoleSession
from gateway.masking.decoy_watch import Found
from gateway.problems import Problem
from gateway.requests.examine import Examined
from gateway.requests.keyring import KeyFacts
from gateway.requests.minting import Mint
from gateway.requests.pins import Pinned
from gateway.wire.contract import Admission


@dataclass(frozen=True, slots=True, kw_only=True)
class Untrusted:
    """No verified key: counted per source and minute, in no tenant's ledger."""

    admission: Admission
    problem: Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A verified key's call that is not let through. `examined` is None where it was not understood.

    `carried` are the decoys in one that was not understood.
    """

    admission: Admission
    key: KeyFacts = field(repr=False)
    problem: Problem
    signing_name: str
    region: str
    examined: Examined | None = None
    carried: tuple[Found, ...] = ()

    @property
    def decoys(self) -> tuple[Found, ...]:
        return self.examined.decoys if self.examined is not None else self.carried


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """A call to forward now, with the role session it is signed by."""

    examined: Examined
    session: RoleSession

    @property
    def admission(self) -> Admission:
        return self.examined.admission

    @property
    def decoys(self) -> tuple[Found, ...]:
        return self.examined.decoys


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A call that asked AWS for credentials and gets gateway keys instead: answered here, never forwarded."""

    examined: Examined
    mint: Mint

    @property
    def admission(self) -> Admission:
        return self.examined.admission

    @property
    def decoys(self) -> tuple[Found, ...]:
        return self.examined.decoys


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call people must approve. `session` is set where no worker can run it and its grant seems to be there."""

    examined: Examined
    digest: str
    pinned: Pinned = field(default_factory=Pinned)
    session: RoleSession | None = None

    @property
    def admission(self) -> Admission:
        return self.examined.admission

    @property
    def decoys(self) -> tuple[Found, ...]:
        return self.examined.decoys


Entry = Allowed | Answered | Asked | Refused
