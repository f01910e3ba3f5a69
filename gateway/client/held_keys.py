"""Short keys the broker holds until shortly before they end: one per connection, conversation and generation.

Who asks for them and what they are bound to is `broker`'s; nothing of them is ever written to disk.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

# A call is signed at once after the keys were read, and checked within seconds.
MARGIN_SECONDS = 45.0
_MOST = 512
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """What SDKs are given, ready to print, and until when by the monotonic clock."""

    plaintext: str = field(repr=False)
    ends_at: float


@dataclass(slots=True)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    issued: Issued | None = None


class HeldKeys(Generic[Name]):
    """Keys by name, in bounded memory. Of many that ask for one at once, one fetches and the others wait for it."""

    def __init__(self) -> None:
        self._slots: OrderedDict[Name, _Slot] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: Name, issue: Callable[[], Issued], *, now: Callable[[], float]) -> str:
        """The keys held, or newly issued ones where they are about to end; `issue` may raise, and nothing is kept."""
        slot = self._slot(name)
        with slot.lock:
            if slot.issued is None or slot.issued.ends_at - now() < MARGIN_SECONDS:
                slot.issued = None
                slot.issued = issue()
            return slot.issued.plaintext

    def _slot(self, name: Name) -> _Slot:
        with self._lock:
            slot = self._slots.setdefault(name, _Slot())
            self._slots.move_to_end(name)
            while len(self._slots) > _MOST:
                self._slots.popitem(last=False)
            return slot
