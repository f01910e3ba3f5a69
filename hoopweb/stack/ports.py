"""Which port each listener takes: from its environment variable, or any free one for 0.

Nothing listens here; the processes do, right after.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hoopweb.stack.problems import PortTaken, StackProblem

# Linux draws the local ends of outgoing connections from here. A listener's number drawn from the same would be taken
# again before it listens, on a busy machine.
_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST, _DRAWS = 10_240, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One listener: the variable that sets it, what it is for, and its number unless told (0: any free one)."""

    variable: str
    what: str
    default: int


def choose(port: Port, environment: Mapping[str, str], *, offset: int = 0) -> int:
    """Return a port that is free now; raises PortTaken with the variable's name. `offset` is for the second of a kind."""
    text = environment.get(port.variable, "").strip() or str(port.default)
    if not text.isdecimal() or int(text) > 65000:
        raise StackProblem(f"{port.variable}={text!r} is no port.", remedy="Give a number from 0 to 65000.")
    wanted = int(text)
    if wanted:
        wanted += offset
    number = _bind(wanted) if wanted else free_port()
    if number is None:
        raise PortTaken(port=wanted, variable=port.variable, what=port.what)
    return number


def free_port() -> int:
    """A port nobody listens on, below those of outgoing connections where the system has such; raises StackProblem."""
    highest = _lowest_outgoing()
    drawn = (_LOWEST + secrets.randbelow(highest - _LOWEST) for _ in range(_DRAWS if highest > _LOWEST else 0))
    number = next((found for port in drawn if (found := _bind(port))), None) or _bind(0)
    if number is None:
        raise StackProblem("No port is free on this machine.", remedy="Close some programs.")
    return number


def _lowest_outgoing() -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(_OUTGOING.read_text().split()[0])
    return 0


def _bind(number: int) -> int | None:
    """Take the port for a moment, as a server would; None when it is taken."""
    with socket.socket() as listener:
        # As servers do: a connection of the last run in TIME_WAIT does not make the port taken.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", number))
            # Bound twice is possible with SO_REUSEADDR as long as nobody listens; so listen.
            listener.listen(1)
        except OSError:
            return None
        return int(listener.getsockname()[1])
