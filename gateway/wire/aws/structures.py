"""JSON and CBOR bodies typed by a model; what the model has no member for is set aside by its place.

Which model and operation is for `rpc` and `rest` to say.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NoReturn

from gateway.wire.aws import scalars
from gateway.wire.aws.reading import Model
from gateway.wire.contract import LARGEST_PARAMETERS
from gateway.wire.problems import BodyTooLarge, DuplicateKey, MalformedBody
from gateway.wire.tables import Shape

# Members some SDKs add to say which variant of a union they mean; no operation reads them.
_IGNORED = frozenset(("__type",))
DEEPEST = 100


def load_json(body: bytes) -> Any:
    """The JSON value of a body, an empty one being {}; raises DuplicateKey, MalformedBody or BodyTooLarge."""
    if len(body) > LARGEST_PARAMETERS:
        raise BodyTooLarge
    try:
        # Decoded here, since json.loads would guess UTF-16 where AWS reads UTF-8.
        text = body.decode("utf-8")
        value = _DECODER.decode(text) if text.strip() else {}
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise MalformedBody("It is not JSON in UTF-8") from error
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise DuplicateKey(name[:64])
            seen.add(name)
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


# Made once: json.loads would make one for each body.
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


class StructureReader:
    """Types one decoded body; `unknown` collects what has no member, by dotted place."""

    __slots__ = ("model", "unknown")

    def __init__(self, model: Model) -> None:
        self.model = model
        self.unknown: dict[str, Any] = {}

    def structure(self, shape: str, value: Any, where: str = "", depth: int = 0) -> dict[str, Any]:
        """The body members of a structure; raises UnreadableParameter when the value has another form."""
        if not isinstance(value, dict):
            raise scalars.unreadable(where or "The body", "structure")
        members = self.model.body_members(shape)
        found: dict[str, Any] = {}
        for name, item in value.items():
            member = members.get(name)
            place = f"{where}.{name}" if where else name
            if member is None:
                if name not in _IGNORED:
                    self.unknown[place] = item
            elif item is not None:
                found[member.name] = self.value(member.shape, item, place, depth + 1)
        return found

    def value(self, name: str, value: Any, where: str, depth: int) -> Any:
        """One value of the named shape; None stays None (sparse lists and maps have it)."""
        shape = self.model.shape(name)
        if value is None or shape.is_document:
            return value
        if depth > DEEPEST:
            raise scalars.unreadable(where, "value nested so deeply")
        match shape.kind:
            case "structure":
                return self.structure(name, value, where, depth)
            case "list":
                return self._list(shape, value, where, depth)
            case "map":
                return self._map(shape, value, where, depth)
            case kind:
                return _scalar(kind, value, where)

    def _list(self, shape: Shape, value: Any, where: str, depth: int) -> list[Any]:
        if not isinstance(value, list) or shape.element is None:
            raise scalars.unreadable(where, "list")
        element = shape.element.shape
        return [self.value(element, item, f"{where}[{at}]", depth + 1) for at, item in enumerate(value)]

    def _map(self, shape: Shape, value: Any, where: str, depth: int) -> dict[str, Any]:
        if not isinstance(value, dict) or shape.element is None:
            raise scalars.unreadable(where, "map")
        element = shape.element.shape
        return {key: self.value(element, item, f"{where}.{key}", depth + 1) for key, item in value.items()}


def _scalar(kind: str, value: Any, where: str) -> Any:
    """A scalar as JSON or CBOR carries it, strictly: a reader that coerced would differ from one that does not."""
    match kind:
        case "string" if isinstance(value, str):
            return value
        case "boolean" if isinstance(value, bool):
            return value
        case "blob" if isinstance(value, bytes):
            return value
        case "blob" if isinstance(value, str):
            return scalars.blob(value, where)
        case "timestamp" if isinstance(value, datetime):
            return value
        case "timestamp" if isinstance(value, str | int | float) and not isinstance(value, bool):
            return scalars.timestamp(value, where)
        case "integer" | "long" if isinstance(value, int) and not isinstance(value, bool):
            return value
        case "integer" | "long" if isinstance(value, float) and value.is_integer():
            return int(value)
        case "float" | "double" if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        case "float" | "double" if isinstance(value, str):
            return scalars.from_text("double", value, where)
        case _:
            raise scalars.unreadable(where, kind)
