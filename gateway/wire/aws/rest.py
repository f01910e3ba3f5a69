"""REST JSON and REST XML requests: path labels, query, headers and body typed by the operations that fit.

Which operations fit is `routing`; JSON and XML bodies are `structures` and `xmlbody`.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from gateway.terms import Protocol
from gateway.wire.aws import routing, scalars
from gateway.wire.aws.forms import load_form
from gateway.wire.aws.reading import Model, Reading
from gateway.wire.aws.structures import StructureReader, load_json
from gateway.wire.aws.xmlbody import XmlReader, load_xml, local_name
from gateway.wire.canonical import S3_FAMILY
from gateway.wire.problems import MalformedBody, OddEncoding, RepeatedParameter, UnknownOperation
from gateway.wire.request import WireRequest, decode_component
from gateway.wire.tables import Member, OperationTable

# x-amz-* headers that belong to the transport, not to an operation.
_TRANSPORT = frozenset(
    (
        "x-amz-date",
        "x-amz-content-sha256",
        "x-amz-security-token",
        "x-amz-user-agent",
        "x-amz-target",
        "x-amz-decoded-content-length",
        "x-amz-trailer",
        "x-amz-api-version",
        "x-amz-s3session-token",
        "x-amz-te",
        "x-amz-glacier-version",
        "x-amz-sdk-checksum-algorithm",
    )
)
# A server that decodes before routing would read `%66unctions` as `functions`; `~` is what old encoders escape.
_ENCODED_UNRESERVED = re.compile(r"%(2[DdEe]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff])")
# boto3 quotes elements of a header list that hold a comma or a quote.
_HEADER_ELEMENT = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*))\s*(?:,|\Z)')
# Old buckets have capitals and underscores; an ARN stands for an access point.
_BUCKET = re.compile(r"(?=[._-]*[A-Za-z0-9])[A-Za-z0-9._-]{1,255}|arn:[!-~]{1,2000}", re.ASCII)
_METHOD_OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override")

_SEARCH_PATH = "/2013-01-01/search"
_SEARCH_LITERALS = (("format", "sdk"), ("pretty", "true"))
_FORM = "application/x-www-form-urlencoded"

Query = Mapping[str, tuple[str, ...]]


def rest_readings(request: WireRequest, model: Model, region: str) -> tuple[Reading, ...]:
    """Every operation of one REST model that the request can mean; empty when none fits.

    Raises OddEncoding, RepeatedParameter, UnreadableParameter and MalformedBody.
    """
    is_s3 = model.table.signing_name in S3_FAMILY
    if not is_s3:
        _refuse_odd_path(request.path)
    request = _without_form(request, model)
    query = _query_of(request)
    headers = frozenset(request.header_values)
    segments = tuple(request.path[1:].split("/"))
    found = routing.matches(model.table.routes, request.method, segments, query, headers)
    if not found and segments[-1] == "" and len(segments) > 1:
        found = routing.matches(model.table.routes, request.method, segments[:-1], query, headers)
    return tuple(_reading(request, model, match, query, region, is_s3=is_s3) for match in found)


def _without_form(request: WireRequest, model: Model) -> WireRequest:
    """A CloudSearch search may be long, so SDKs post its query as a form; it is read as the GET it stands for."""
    content_type = (request.header("content-type") or "").lower()
    is_posted = request.method == "POST" and request.path == _SEARCH_PATH and content_type.startswith(_FORM)
    if model.name != "cloudsearchdomain" or not is_posted:
        return request
    if request.raw_query:
        raise RepeatedParameter("Parameters stand in the query string and in the form")
    target = f"{request.path}?format=sdk&pretty=true&{_encoded(request.body)}"
    return WireRequest(method="GET", target=target, headers=request.headers)


def _encoded(form: bytes) -> str:
    kept = (pair for pair in load_form(form).items() if pair not in _SEARCH_LITERALS)
    return urlencode(list(kept), quote_via=quote)


def _refuse_odd_path(path: str) -> None:
    if _ENCODED_UNRESERVED.search(path):
        raise OddEncoding("A letter, digit, dot, dash or underscore of the path is percent-encoded")
    if any(segment in (".", "..") for segment in path.split("/")):
        raise OddEncoding("The path has dot segments")


def _query_of(request: WireRequest) -> Query:
    found: dict[str, tuple[str, ...]] = {}
    for name, value in request.query:
        if name.lower() not in request.presign:
            found[name] = (*found.get(name, ()), value)
    return found


def _reading(
    request: WireRequest, model: Model, match: routing.Match, query: Query, region: str, *, is_s3: bool
) -> Reading:
    operation = model.table.operations[match.route.operation]
    reader = _Reader(request, model, operation, query)
    reader.read(match, is_s3=is_s3)
    return model.reading(operation, model.table.protocols[0], region, reader.found, reader.unknown)


class _Reader:
    """Collects one operation's parameters; `unknown` is what none of its members took."""

    def __init__(self, request: WireRequest, model: Model, operation: OperationTable, query: Query) -> None:
        self.request = request
        self.model = model
        self.operation = operation
        self.query = dict(query)
        self.found: dict[str, Any] = {}
        self.unknown: dict[str, Any] = {}

    def read(self, match: routing.Match, *, is_s3: bool) -> None:
        shape = self.model.table.shape(self.operation.input)
        members = shape.members if shape else ()
        known_headers: set[str] = set()
        for member in members:
            match member.location:
                case "uri":
                    self._label(member, match.labels)
                case "header":
                    known_headers.add(member.wire_name.lower())
                    self._header(member)
                case "headers":
                    known_headers |= self._header_map(member)
                case _:
                    continue
        self._read_query(members, match)
        self._set_aside_query(is_s3=is_s3)
        self._set_aside_headers(known_headers)
        if shape is not None:
            self._body(shape.payload)
        elif self.request.body.strip() not in (b"", b"{}"):
            self.unknown["body"] = ""

    def _kind(self, member: Member) -> str:
        return self.model.shape(member.shape).kind

    def _label(self, member: Member, labels: Mapping[str, str]) -> None:
        raw = labels.get(member.wire_name)
        if raw is not None:
            text = decode_component(raw)
            if member.name == "Bucket" and self.model.name == "s3" and not _BUCKET.fullmatch(text):
                # S3 decodes a path before it looks for the bucket's end: `/bucket%2Fkey` is an object to it.
                raise OddEncoding("What stands for the bucket is no bucket's name")
            self.found[member.name] = scalars.from_text(self._kind(member), text, member.name)

    def _header(self, member: Member) -> None:
        value = self.request.header(member.wire_name)
        if value is None:
            return
        shape = self.model.shape(member.shape)
        if shape.kind == "list" and shape.element is not None:
            element = self.model.shape(shape.element.shape).kind
            parts = split_header_list(value, is_date=element == "timestamp")
            self.found[member.name] = [scalars.from_text(element, part, member.name) for part in parts]
        elif member.is_json:
            self.found[member.name] = _json_header(value, member.name)
        else:
            self.found[member.name] = scalars.from_text(shape.kind, value, member.name)

    def _header_map(self, member: Member) -> set[str]:
        prefix = member.wire.lower()
        names = {name for name in self.request.header_values if name.startswith(prefix) and prefix}
        values = {name[len(prefix) :]: self.request.header(name) or "" for name in sorted(names)}
        if values:
            self.found[member.name] = values
        return names

    def _read_query(self, members: tuple[Member, ...], match: routing.Match) -> None:
        """Named members first; a map takes what is left. Literals of the URI are no parameters."""
        for name, wanted in match.route.query:
            if wanted is not None:
                self.query.pop(name, None)
        maps = []
        for member in members:
            if member.location == "querystring":
                if self._kind(member) == "map":
                    maps.append(member)
                else:
                    self._query_member(member)
        for member in maps:
            self._query_map(member)

    def _query_member(self, member: Member) -> None:
        values = self.query.pop(member.wire_name, None)
        if values is None:
            return
        shape = self.model.shape(member.shape)
        if shape.kind == "list" and shape.element is not None:
            element = self.model.shape(shape.element.shape).kind
            self.found[member.name] = [scalars.from_text(element, value, member.name) for value in values]
        elif len(values) > 1:
            raise RepeatedParameter(member.wire_name)
        else:
            self.found[member.name] = scalars.from_text(shape.kind, values[0], member.name)

    def _query_map(self, member: Member) -> None:
        shape = self.model.shape(member.shape)
        is_multi = shape.element is not None and self.model.shape(shape.element.shape).kind == "list"
        taken: dict[str, Any] = {}
        for name, values in self.query.items():
            if len(values) > 1 and not is_multi:
                raise RepeatedParameter(name[:64])
            taken[name] = list(values) if is_multi else values[0]
        self.query.clear()
        if taken:
            self.found[member.name] = taken

    def _set_aside_query(self, *, is_s3: bool) -> None:
        for name, values in self.query.items():
            if name == "x-id" and values == (self.operation.name,):
                continue
            if is_s3 and values == ("",):
                # A bare name is how S3 spells an operation; one we do not know is not the operation beneath it.
                raise UnknownOperation(f"S3 sub-resource {name[:64]}")
            self.unknown[f"query:{name}"] = values[0]

    def _set_aside_headers(self, known: set[str]) -> None:
        for name in self.request.header_values:
            is_transport = name in _TRANSPORT or name.startswith("x-amz-checksum-")
            if name.startswith("x-amz-") and name not in known and not is_transport:
                self.unknown[f"header:{name}"] = self.request.header(name) or ""

    # --- the body

    def _body(self, payload: str) -> None:
        members = self.model.body_members(self.operation.input)
        if payload:
            member = next(member for member in members.values() if member.name == payload)
            self._payload(member)
        elif members:
            self._structure(self.operation.input, self.operation.input_root, self.found)
        elif self.request.body.strip() not in (b"", b"{}"):
            self.unknown["body"] = ""

    def _payload(self, member: Member) -> None:
        shape = self.model.shape(member.shape)
        body = self.request.body
        if shape.is_event_stream or shape.is_streaming or member.is_streaming or not body:
            return
        match shape.kind:
            case "blob":
                self.found[member.name] = body
            case "string":
                self.found[member.name] = _utf8(body)
            case _ if shape.is_document:
                self.found[member.name] = load_json(body)
            case _:
                taken: dict[str, Any] = {}
                self._structure(member.shape, member.wire, taken)
                self.found[member.name] = taken

    def _structure(self, shape: str, root: str, into: dict[str, Any]) -> None:
        """Read the body as a structure into `into`; an empty body has no members."""
        if not self.request.body.strip():
            return
        if self.model.table.protocols[0] is Protocol.REST_XML:
            element = load_xml(self.request.body)
            if root and local_name(element.tag) != root:
                raise MalformedBody("Its root element is not the operation's")
            xml = XmlReader(self.model)
            into.update(xml.structure(shape, element))
            self.unknown.update(xml.unknown)
        else:
            reader = StructureReader(self.model)
            into.update(reader.structure(shape, load_json(self.request.body)))
            self.unknown.update(reader.unknown)


def split_header_list(value: str, *, is_date: bool) -> list[str]:
    """The elements of a header list; an HTTP date holds a comma of its own."""
    if not value.strip():
        return []
    if is_date:
        parts = value.split(",")
        return [",".join(parts[at : at + 2]).strip() for at in range(0, len(parts), 2)]
    found = []
    at = 0
    while at < len(value):
        match = _HEADER_ELEMENT.match(value, at)
        if match is None or match.end() == at:
            break
        quoted, plain = match[1], match[2]
        found.append(quoted.replace('\\"', '"') if quoted is not None else plain.strip())
        at = match.end()
    return found


def _json_header(value: str, where: str) -> Any:
    try:
        return json.loads(b64decode(value, validate=True))
    except ValueError as error:
        raise scalars.unreadable(where, "base64 JSON value") from error


def _utf8(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedBody("It is not UTF-8") from error


def refuse_method_override(request: WireRequest) -> bool:
    """Whether a header asks a server to read another method than the one on the wire."""
    return any(name in request.header_values for name in _METHOD_OVERRIDES)
