"""One reading of a request: the operation it may be, with the parameters as that operation's model types them.

Turning readings into what policy looks at is `gateway.wire.aws.candidates`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from gateway.terms import Operation, Protocol
from gateway.wire import tables
from gateway.wire.tables import Member, OperationTable, ServiceTable, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A candidate operation with typed parameters, by member names as boto3 takes them.

    Values are str, int, float, bool, bytes, datetime (UTC), list, dict or None; a payload that streams is absent.
    `unknown` holds what the model has no member for, by its place in the request, untyped.
    """

    operation: Operation
    region: str
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    unknown: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def unknown_members(self) -> tuple[str, ...]:
        return tuple(self.unknown)


class Model:
    """A service's table with look-ups by wire name, built once per shape and kept as long as the table is."""

    __slots__ = ("_members", "table")

    def __init__(self, table: ServiceTable) -> None:
        self.table = table
        self._members: dict[tuple[str, bool], dict[str, Member]] = {}

    @property
    def name(self) -> str:
        return self.table.name

    def shape(self, name: str) -> Shape:
        return self.table.shapes[name]

    def operation(self, name: str) -> OperationTable | None:
        return self.table.operations.get(name)

    def body_members(self, shape: str, *, is_ec2: bool = False) -> dict[str, Member]:
        """Members that travel in the body, by their serialised name (EC2 has its own)."""
        key = (shape, is_ec2)
        if key not in self._members:
            found: dict[str, Member] = {}
            for member in self.shape(shape).members:
                name = ec2_name(member) if is_ec2 else member.wire_name
                # S3's old notification form spells one event and a list of them alike: the list takes both.
                is_taken = name in found and self.shape(found[name].shape).kind == "list"
                if not member.location and not is_taken:
                    found[name] = member
            self._members[key] = found
        return self._members[key]

    def reading(
        self,
        operation: OperationTable,
        protocol: Protocol,
        region: str,
        parameters: Mapping[str, Any],
        unknown: Mapping[str, Any],
    ) -> Reading:
        """A reading of one of this model's operations."""
        return Reading(
            operation=Operation(
                service=self.name,
                name=operation.name,
                protocol=protocol,
                signing_name=self.table.signing_name,
            ),
            region=region,
            parameters=parameters,
            unknown=unknown,
        )


def ec2_name(member: Member) -> str:
    """The name EC2's query protocol gives a member: its own, or the capitalised wire name."""
    if member.query_name:
        return member.query_name
    return member.wire[0].upper() + member.wire[1:] if member.wire else member.name


@lru_cache(maxsize=tables.LARGEST_CACHE)
def model(service: str) -> Model:
    """The model of a service; raises KeyError for an unknown one and TablesMissing without compiled tables."""
    return Model(tables.service(service))


def models_signed_as(signing_name: str) -> tuple[Model, ...]:
    """All models that share a signing name, in the order they are tried."""
    return tuple(model(name) for name in tables.services_signed_as(signing_name))
