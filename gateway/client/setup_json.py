"""Changes to a person's JSON file that leave every other byte alone: comments, order, spacing and line ends.

Pure: text in, text out. Each change reads the text anew, so places never go stale. What is put in is `setup_agents`'s.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

# Agents' settings nest a handful deep; what is deeper is no settings file.
_DEEPEST = 64
_STRINGS = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_SCALAR = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_INDENT = re.compile(r"^([ \t]+)\S", re.MULTILINE)
Path = Sequence[str]


class NotJson(Exception):
    """The text is not JSON (with comments and last commas allowed); `line` counts from 1."""

    def __init__(self, words: str, line: int) -> None:
        super().__init__(words)
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One member of an object or item of an array: where it begins (with its name) and ends, and its value."""

    start: int
    end: int
    name: str
    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One value with its place in the text; `parts` are an object's members or an array's items."""

    start: int
    end: int
    value: Any
    parts: tuple[Part, ...] = ()

    def member(self, name: str) -> Node | None:
        return next((part.node for part in self.parts if part.name == name), None)


def parse(text: str) -> Node:
    """The whole text as one object; raises NotJson with the line."""
    reader = _Reader(text)
    node = reader.value(reader.skip(0), 0)
    end = reader.skip(node.end)
    if end < len(text):
        raise reader.error("something follows the end", end)
    if not isinstance(node.value, dict):
        raise reader.error("the file is not an object", node.start)
    return node


def find(text: str, path: Path) -> Node | None:
    """The node at a path of names; None where it is missing."""
    node: Node | None = parse(text)
    for name in path:
        node = node.member(name) if node is not None else None
    return node


def line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text

    def error(self, words: str, position: int) -> NotJson:
        return NotJson(words, line_of(self._text, position))

    def skip(self, position: int) -> int:
        """Past whitespace and comments."""
        while True:
            match = _SPACE.match(self._text, position)
            position = match.end() if match else position
            comment = _COMMENT.match(self._text, position)
            if comment is None:
                return position
            position = comment.end()

    def value(self, at: int, depth: int) -> Node:
        if depth > _DEEPEST:
            raise self.error("it nests too deep", at)
        first = self._text[at : at + 1]
        if first in {"{", "["}:
            return self._container(at, depth, is_object=first == "{")
        if first == '"':
            value, end = self._string(at)
            return Node(start=at, end=end, value=value)
        match = _SCALAR.match(self._text, at)
        if match is None:
            raise self.error("a value is missing or not JSON", at)
        return Node(start=at, end=match.end(), value=json.loads(match.group()))

    def _string(self, at: int) -> tuple[str, int]:
        try:
            value, end = _STRINGS.raw_decode(self._text, at)
        except json.JSONDecodeError:
            raise self.error("a string does not end, or holds what JSON does not allow", at) from None
        return str(value), end

    def _container(self, start: int, depth: int, *, is_object: bool) -> Node:
        close = "}" if is_object else "]"
        parts: list[Part] = []
        at = self.skip(start + 1)
        while self._text[at : at + 1] != close:
            part = self._part(at, depth, is_object=is_object)
            if is_object and any(part.name == other.name for other in parts):
                raise self.error(f"the name {part.name[:40]!r} stands twice", at)
            parts.append(part)
            at = self.skip(part.end)
            if self._text[at : at + 1] == ",":
                at = self.skip(at + 1)
            elif self._text[at : at + 1] != close:
                raise self.error(f"a comma or {close} is missing", at)
        value = {part.name: part.node.value for part in parts} if is_object else [part.node.value for part in parts]
        return Node(start=start, end=at + 1, value=value, parts=tuple(parts))

    def _part(self, at: int, depth: int, *, is_object: bool) -> Part:
        name, value_at = "", at
        if is_object:
            if self._text[at : at + 1] != '"':
                raise self.error("a name in quotes is missing", at)
            name, end = self._string(at)
            colon = self.skip(end)
            if self._text[colon : colon + 1] != ":":
                raise self.error("a colon is missing", colon)
            value_at = self.skip(colon + 1)
        node = self.value(value_at, depth + 1)
        return Part(start=at, end=node.end, name=name, node=node)


def with_member(text: str, path: Path, name: str, value: Any) -> str:
    """Add a member at the end of the object at `path`, which is there."""
    return _added(text, path, f"{json.dumps(name)}: ", value)


def with_item(text: str, path: Path, value: Any) -> str:
    """Add an item at the end of the array at `path`, which is there."""
    return _added(text, path, "", value)


def with_item_replaced(text: str, path: Path, index: int, value: Any) -> str:
    """Put another value in the place of one item."""
    node = _there(text, path).parts[index].node
    return text[: node.start] + _written(text, value, len(path) + 1) + text[node.end :]


def without_part(text: str, path: Path, index: int) -> str:
    """Take out one member or item, with its comma and nothing else: comments beside it stay."""
    node = _there(text, path)
    part = node.parts[index]
    start, after = len(text[: part.start].rstrip()), _Reader(text).skip(part.end)
    end = after + 1 if text[after : after + 1] == "," else part.end
    if len(node.parts) == 1:
        left = text[node.start + 1 : start] + text[end : node.end - 1]
        return text[: node.start + 1] + (left if left.strip() else "") + text[node.end - 1 :]
    if end != part.end:
        return text[:start] + text[end:]
    # The last one of several: the comma before it goes.
    comma = _Reader(text).skip(node.parts[index - 1].end)
    return text[:comma] + text[comma + 1 : max(start, comma + 1)] + text[end:]


def _there(text: str, path: Path) -> Node:
    node = find(text, path)
    if node is None:
        raise KeyError("/".join(path))
    return node


def _added(text: str, path: Path, head: str, value: Any) -> str:
    node = _there(text, path)
    depth, newline, unit = len(path) + 1, newline_of(text), indent_of(text)
    entry = f"{newline}{unit * depth}{head}{_written(text, value, depth)}"
    if not node.parts:
        inner = text[node.start + 1 : node.end - 1]
        kept = inner.rstrip() if inner.strip() else ""
        return f"{text[: node.start + 1]}{kept}{entry}{newline}{unit * (depth - 1)}{text[node.end - 1 :]}"
    last = node.parts[-1].end
    after = _Reader(text).skip(last)
    comma, rest = ("", last) if text[after : after + 1] == "," else (",", last)
    # A comment behind the last part is about that part: ours comes after it.
    until = len(text[: node.end - 1].rstrip())
    closing = (
        text[until:] if "\n" in text[until : node.end] else f"{newline}{unit * (depth - 1)}{text[until:].lstrip()}"
    )
    return f"{text[:rest]}{comma}{text[rest:until]}{entry}{closing}"


def _written(text: str, value: Any, depth: int) -> str:
    unit, newline = indent_of(text), newline_of(text)
    lines = json.dumps(value, indent=unit, ensure_ascii=False).split("\n")
    return f"{newline}{unit * depth}".join(lines)


def indent_of(text: str) -> str:
    """One step of the file's own indentation."""
    found = _INDENT.search(text)
    return found.group(1) if found else "  "


def newline_of(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def parts_of(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    """Index and value of each part at a path; nothing where it is missing."""
    node = find(text, path)
    yield from enumerate(part.node.value for part in (node.parts if node is not None else ()))
