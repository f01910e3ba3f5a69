"""REST XML bodies (S3, Route 53, CloudFront) typed by a model.

What stands in path, query and headers is `rest`.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from gateway.wire.aws import scalars
from gateway.wire.aws.reading import Model
from gateway.wire.problems import BodyTooLarge, DuplicateKey, MalformedBody
from gateway.wire.tables import Member, Shape

# DeleteObjects with 1,000 keys of 1,024 bytes, each escaped, is under this; so is a 10,000 part completion.
LARGEST = 8 * 1024 * 1024
DEEPEST = 64
_DECLARED = re.compile(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"'](?P<name>[^\"']*)[\"']")


def load_xml(body: bytes) -> Element:
    """The root element; raises BodyTooLarge, or MalformedBody on anything but plain XML in UTF-8 without DTD."""
    if len(body) > LARGEST:
        raise BodyTooLarge
    declared = _DECLARED.match(body)
    if declared and declared["name"].lower() not in (b"utf-8", b"us-ascii", b"ascii"):
        raise MalformedBody("It declares an encoding other than UTF-8")
    try:
        # As text, so that no declaration or byte order mark can choose another reading.
        root: Element = fromstring(body.decode("utf-8-sig").encode(), forbid_dtd=True)
    except (ParseError, DefusedXmlException, UnicodeDecodeError, ValueError) as error:
        raise MalformedBody("It is not plain XML in UTF-8 without a DTD") from error
    return root


def local_name(name: str) -> str:
    """A tag or attribute name without its namespace."""
    return name.rpartition("}")[2].rpartition(":")[2]


class XmlReader:
    """Types one element tree; `unknown` collects elements no member took, by place."""

    __slots__ = ("_model", "unknown")

    def __init__(self, model: Model) -> None:
        self._model = model
        self.unknown: dict[str, Any] = {}

    def structure(self, shape: str, element: Element, where: str = "", depth: int = 0) -> dict[str, Any]:
        """The members of a structure; raises UnreadableParameter or DuplicateKey."""
        if depth > DEEPEST:
            raise MalformedBody("The XML is nested too deeply")
        children: dict[str, list[Element]] = {}
        for child in element:
            children.setdefault(local_name(child.tag), []).append(child)
        found: dict[str, Any] = {}
        for name, member in self._model.body_members(shape).items():
            place = f"{where}.{name}" if where else name
            if member.is_attribute:
                self._attribute(member, element, found)
                continue
            elements = children.pop(name, None)
            if elements is not None:
                found[member.name] = self._member(member, elements, place, depth)
        for name, elements in children.items():
            self.unknown[f"{where}.{name}" if where else name] = "".join(elements[0].itertext())
        return found

    def _attribute(self, member: Member, element: Element, found: dict[str, Any]) -> None:
        wanted = local_name(member.wire_name)
        for name, value in element.attrib.items():
            if local_name(name) == wanted:
                found[member.name] = value

    def _member(self, member: Member, elements: list[Element], where: str, depth: int) -> Any:
        shape = self._model.shape(member.shape)
        is_flat = shape.is_flattened or member.is_flattened
        if is_flat and shape.kind == "list" and shape.element is not None:
            return [self._value(shape.element, item, f"{where}[{at}]", depth) for at, item in enumerate(elements)]
        if is_flat and shape.kind == "map":
            return self._map(shape, elements, where, depth)
        if len(elements) > 1:
            raise DuplicateKey(where[:64])
        return self._value(member, elements[0], where, depth)

    def _value(self, member: Member, element: Element, where: str, depth: int) -> Any:
        shape = self._model.shape(member.shape)
        match shape.kind:
            case "structure":
                return self.structure(member.shape, element, where, depth + 1)
            case "list":
                return self._list(shape, element, where, depth)
            case "map":
                return self._map(shape, list(element), where, depth)
            case kind:
                if len(element):
                    raise scalars.unreadable(where, kind)
                return scalars.from_text(kind, element.text or "", where)

    def _list(self, shape: Shape, element: Element, where: str, depth: int) -> list[Any]:
        if shape.element is None:
            raise scalars.unreadable(where, "list")
        name = shape.element.wire or "member"
        found = []
        for at, item in enumerate(element):
            if local_name(item.tag) == name:
                found.append(self._value(shape.element, item, f"{where}[{at}]", depth + 1))
            else:
                self.unknown[f"{where}.{local_name(item.tag)}"] = "".join(item.itertext())
        return found

    def _map(self, shape: Shape, entries: list[Element], where: str, depth: int) -> dict[str, Any]:
        if shape.key is None or shape.element is None:
            raise scalars.unreadable(where, "map")
        found: dict[str, Any] = {}
        for entry in entries:
            parts = {local_name(part.tag): part for part in entry}
            key, value = parts.get(shape.key.wire or "key"), parts.get(shape.element.wire or "value")
            if key is None or value is None or len(parts) != len(entry) or len(parts) != 2:
                raise scalars.unreadable(where, "map entry")
            name = key.text or ""
            if name in found:
                raise DuplicateKey(where[:64])
            found[name] = self._value(shape.element, value, f"{where}.{name}", depth + 1)
        return found
