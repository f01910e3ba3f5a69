"""Which readings of a request the client's Host speaks for, and the host prefix an operation has at AWS.

What stands before the gateway's name at all is `gateway.wire.hosts`.
"""

from __future__ import annotations

from collections.abc import Collection

from gateway.wire.aws.actions import table_of
from gateway.wire.aws.reading import Reading
from gateway.wire.hosts import filled, prefix_of
from gateway.wire.request import WireRequest


def placed(readings: tuple[Reading, ...], request: WireRequest, names: Collection[str]) -> tuple[Reading, ...]:
    """The readings the Host speaks for: by an operation's own prefix, else by a service's name; without either all.

    Nobody gains by choosing a Host: a call goes to the endpoint of the service it was read as. Raises MisplacedHost
    where a parameter that stands in the host's name is none.
    """
    prefix = prefix_of(request.header("host") or "", names)
    if not prefix:
        return readings
    by_operation = [reading for reading in readings if _speaks_for(prefix, reading)]
    labels = set(prefix.rstrip(".-").split("."))
    by_service = [reading for reading in readings if reading.operation.service in labels]
    return tuple(by_operation or by_service) or readings


def _speaks_for(prefix: str, reading: Reading) -> bool:
    own = upstream_prefix(reading)
    return bool(own) and prefix.startswith(own.lower())


def upstream_prefix(reading: Reading) -> str:
    """What AWS's host for this operation begins with (`api.`, the account and a dot); raises MisplacedHost."""
    table = table_of(reading)
    return filled(table.host_prefix, reading.parameters) if table is not None and table.host_prefix else ""
