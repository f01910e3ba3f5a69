"""Query and EC2 forms: flat `Name.member.1.Key=value` fields, typed by a model.

Finding the operation by its Action and Version is `rpc`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from gateway.wire.aws import scalars
from gateway.wire.aws.reading import Model
from gateway.wire.contract import LARGEST_PARAMETERS
from gateway.wire.problems import BodyTooLarge, MalformedBody, RepeatedParameter
from gateway.wire.tables import Member, Shape

# RunInstances with everything set has a few hundred; a form of more is made to exhaust us.
MOST_FIELDS = 50_000
DEEPEST = 40
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_INDEX = re.compile(r"(0|[1-9][0-9]{0,6})\Z", re.ASCII)


def load_form(body: bytes) -> dict[str, str]:
    """The fields of a form body; raises RepeatedParameter, MalformedBody or BodyTooLarge."""
    if len(body) > LARGEST_PARAMETERS:
        raise BodyTooLarge
    if body.count(b"&") >= MOST_FIELDS:
        raise BodyTooLarge(f"It has more than {MOST_FIELDS} fields")
    if _BAD_ESCAPE.search(body):
        raise MalformedBody("A percent sign is not followed by two hexadecimal digits")
    try:
        pairs = (part.partition(b"=") for part in body.split(b"&") if part)
        return unique((_decode(name), _decode(value)) for name, _, value in pairs)
    except UnicodeDecodeError as error:
        raise MalformedBody("The form is not UTF-8") from error


def _decode(raw: bytes) -> str:
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")


def unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Fields by name; raises RepeatedParameter when a name comes twice."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise RepeatedParameter(name[:64])
        found[name] = value
    return found


class _Node:
    """A place in the tree that dotted names span: its own value, and what stands below it."""

    __slots__ = ("children", "text")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.text: str | None = None


def _tree(fields: Mapping[str, str]) -> _Node:
    root = _Node()
    for name, value in fields.items():
        segments = name.split(".")
        if len(segments) > DEEPEST:
            raise MalformedBody("A field name is nested too deeply")
        node = root
        for segment in segments:
            node = node.children.setdefault(segment, _Node())
        node.text = value
    return root


class FormReader:
    """Types the fields of one form; `unknown` collects fields that no member took, by name."""

    __slots__ = ("_is_ec2", "_model", "unknown")

    def __init__(self, model: Model, *, is_ec2: bool) -> None:
        self._model = model
        self._is_ec2 = is_ec2
        self.unknown: dict[str, Any] = {}

    def read(self, shape: str, fields: Mapping[str, str]) -> dict[str, Any]:
        """The parameters of an operation's input; raises UnreadableParameter."""
        root = _tree(fields)
        return self._structure(shape, root, "")

    def _structure(self, shape: str, node: _Node, where: str) -> dict[str, Any]:
        self._refuse_text(node, where)
        left = dict(node.children)
        found: dict[str, Any] = {}
        for name, member in self._model.body_members(shape, is_ec2=self._is_ec2).items():
            name = self._flattened_name(name, member)
            child = left.pop(name, None)
            if child is not None:
                found[member.name] = self._value(member, child, f"{where}.{name}" if where else name)
        for name, child in left.items():
            self._set_aside(child, f"{where}.{name}" if where else name)
        return found

    def _flattened_name(self, name: str, member: Member) -> str:
        """A flattened list goes by its element's name, where it has one, a flattened map by its own (query only)."""
        shape = self._model.shape(member.shape)
        is_flat = shape.is_flattened or member.is_flattened
        if self._is_ec2 or not is_flat or shape.element is None:
            return name
        return (shape.element.wire if shape.kind == "list" else member.query_name) or name

    def _value(self, member: Member, node: _Node, where: str) -> Any:
        shape = self._model.shape(member.shape)
        match shape.kind:
            case "structure":
                return self._structure(member.shape, node, where)
            case "list":
                return self._list(shape, member, node, where)
            case "map":
                return self._map(shape, member, node, where)
            case kind:
                if node.children or node.text is None:
                    raise scalars.unreadable(where, kind)
                return scalars.from_text(kind, node.text, where)

    def _list(self, shape: Shape, member: Member, node: _Node, where: str) -> list[Any]:
        if shape.element is None:
            raise scalars.unreadable(where, "list")
        if not (self._is_ec2 or shape.is_flattened or member.is_flattened):
            if node.text == "" and not node.children:
                return []
            node, where = self._only_child(node, shape.element.wire or "member", where)
        elif node.text == "" and not node.children:
            return []
        return [self._value(shape.element, child, f"{where}.{at}") for at, child in self._indexed(node, where)]

    def _map(self, shape: Shape, member: Member, node: _Node, where: str) -> dict[str, Any]:
        if shape.element is None or shape.key is None:
            raise scalars.unreadable(where, "map")
        if not (shape.is_flattened or member.is_flattened):
            node, where = self._only_child(node, "entry", where)
        found: dict[str, Any] = {}
        for at, entry in self._indexed(node, where):
            place = f"{where}.{at}"
            left = dict(entry.children)
            key = left.pop(shape.key.wire or "key", None)
            value = left.pop(shape.element.wire or "value", None)
            if key is None or key.text is None or key.children or value is None or entry.text is not None:
                raise scalars.unreadable(place, "map entry")
            if key.text in found:
                raise RepeatedParameter(place[:64])
            found[key.text] = self._value(shape.element, value, place)
            for name, child in left.items():
                self._set_aside(child, f"{place}.{name}")
        return found

    def _indexed(self, node: _Node, where: str) -> list[tuple[str, _Node]]:
        self._refuse_text(node, where)
        if not all(_INDEX.match(at) for at in node.children):
            raise scalars.unreadable(where, "list numbered from 1")
        return sorted(node.children.items(), key=lambda item: int(item[0]))

    def _only_child(self, node: _Node, name: str, where: str) -> tuple[_Node, str]:
        """Step over the wrapper a list or map has; anything beside it is unknown."""
        self._refuse_text(node, where)
        for other, child in node.children.items():
            if other != name:
                self._set_aside(child, f"{where}.{other}")
        return node.children.get(name, _Node()), f"{where}.{name}"

    def _refuse_text(self, node: _Node, where: str) -> None:
        if node.text:
            raise scalars.unreadable(where or "The form", "structure")

    def _set_aside(self, node: _Node, where: str) -> None:
        if node.text is not None:
            self.unknown[where] = node.text
        for name, child in node.children.items():
            self._set_aside(child, f"{where}.{name}")
