"""Text that a model streams in small pieces: Bedrock's deltas, each a JSON document, joined before they are masked.

Which frames these are and where in them the text stands is told here; framing is `frames`', finding secrets `streaming`'s.
"""

from __future__ import annotations

import base64
import codecs
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.masking import jsontext
from gateway.masking.jsontext import Malformed
from gateway.masking.replacement import is_base64, to_base64
from gateway.masking.streaming import Masker
from gateway.masking.structural import utf8
from gateway.wire.eventstream import Frame

# Where models write the next piece of their text: Converse's deltas, Anthropic's, and other makers' own.
_PLACES = (
    ("delta", "text"),
    ("delta", "toolUse", "input"),
    ("delta", "reasoningContent", "text"),
    ("delta", "partial_json"),
    ("delta", "thinking"),
    ("outputText",),
    ("completion",),
    ("generation",),
    ("text",),
)
_INDEXES = ("contentBlockIndex", "index")
# Events of this many texts at once are no model's.
MOST_TEXTS = 64


@dataclass(slots=True, kw_only=True)
class _Text:
    """One text under way: its masker, and the last piece, in whose likeness what is held back leaves."""

    masker: Masker
    last: _Piece
    # A piece may end amid a character.
    decoder: codecs.IncrementalDecoder = field(default_factory=codecs.getincrementaldecoder("utf-8"))

    def framed(self, data: bytes, *, is_last: bool = False) -> list[Frame]:
        """These bytes in a frame like the last one; none of nothing."""
        text = self.decoder.decode(data, is_last)
        return [self.last.with_text(text)] if text else []


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A frame that carries a piece of text: its document, and whether that is base64 in another."""

    frame: Frame
    document: dict[str, Any]
    place: tuple[str, ...]
    is_wrapped: bool
    key: tuple[object, ...]

    @property
    def text(self) -> str:
        value: Any = self.document
        for name in self.place:
            value = value[name]
        return str(value)

    def with_text(self, text: str) -> Frame:
        """The same frame with another piece of text."""
        inner = json.dumps(_replaced(self.document, self.place, text))
        if not self.is_wrapped:
            return self.frame.with_payload(inner.encode())
        outer = json.loads(self.frame.payload)
        return self.frame.with_payload(json.dumps({**outer, "bytes": to_base64(inner)}).encode())


class Deltas:
    """The texts of one event stream. `masker` begins another; counts go where it says."""

    def __init__(self, masker: Callable[[], Masker]) -> None:
        self._new = masker
        self._texts: dict[tuple[object, ...], _Text] = {}

    @property
    def held(self) -> int:
        """How many bytes of text are kept now."""
        return sum(text.masker.held for text in self._texts.values())

    def take(self, frame: Frame) -> list[Frame] | None:
        """What may leave now that this piece came; None where the frame carries none. Raises Malformed."""
        piece = _piece_of(frame)
        if piece is None:
            return None
        text = self._texts.get(piece.key)
        if text is None:
            if len(self._texts) >= MOST_TEXTS:
                raise Malformed("too many texts in one stream")
            text = self._texts[piece.key] = _Text(masker=self._new(), last=piece)
        text.last = piece
        return text.framed(text.masker.feed(piece.text.encode("utf-8", "replace")))

    def flushed(self) -> list[Frame]:
        """What is left of every text, each in a frame like its last."""
        texts, self._texts = self._texts, {}
        return [frame for text in texts.values() for frame in text.framed(text.masker.finish(), is_last=True)]


def _piece_of(frame: Frame) -> _Piece | None:
    if frame.header(":event-type") == "contentBlockDelta":
        return _piece(frame, jsontext.parse(utf8(frame.payload)), is_wrapped=False)
    document = _wrapped(frame)
    return _piece(frame, document, is_wrapped=True) if document is not None else None


def _wrapped(frame: Frame) -> Any:
    """The model's own document in a chunk of InvokeModel's answer; None where the frame is no such chunk, or no JSON."""
    if frame.header(":event-type") != "chunk" or not frame.payload.startswith(b"{"):
        return None
    outer = jsontext.parse(utf8(frame.payload))
    inner = outer.get("bytes")
    if not isinstance(inner, str) or not is_base64(inner):
        return None
    try:
        return jsontext.parse(utf8(base64.b64decode(inner)))
    except Malformed:
        # Text or bytes of an agent's answer; scanned as any other frame.
        return None


def is_aside(frame: Frame) -> bool:
    """Whether this frame only says that the stream lives: what is held back goes on behind it."""
    document = _wrapped(frame)
    return isinstance(document, dict) and document.get("type") == "ping"


def _piece(frame: Frame, document: Any, *, is_wrapped: bool) -> _Piece | None:
    for place in _PLACES:
        value: Any = document
        for name in place:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, str) and value:
            index = next((document[name] for name in _INDEXES if isinstance(document.get(name), int)), 0)
            return _Piece(frame=frame, document=document, place=place, is_wrapped=is_wrapped, key=(place, index))
    return None


def _replaced(document: dict[str, Any], place: tuple[str, ...], text: str) -> dict[str, Any]:
    name, *rest = place
    return {**document, name: _replaced(document[name], tuple(rest), text) if rest else text}
