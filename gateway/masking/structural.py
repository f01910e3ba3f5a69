"""A modelled body opened for masking: which leaves its plan masks by path, and how replacements go back in.

The plan's paths come from the control plane; secrets in the other leaves are `content`'s.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any
from typing import Protocol as Shape

import cbor2

from gateway.masking import jsontext
from gateway.masking.jsontext import Malformed
from gateway.masking.leaves import Leaf, leaves_of, rebuild
from gateway.masking.paths import States
from gateway.masking.replacement import Scalar
from gateway.masking.xmltext import XmlText
from gateway.terms import Protocol

XML_PROTOCOLS = frozenset((Protocol.QUERY, Protocol.EC2, Protocol.REST_XML))
_DEEPEST_CBOR = 64
_EPOCH_TAG = 1


class Document(Shape):
    """A decoded body: its leaves, what must change anyhow, and the body with replacements (by leaf index)."""

    @property
    def leaves(self) -> Sequence[Leaf]: ...

    @property
    def forced(self) -> Mapping[int, Scalar]: ...

    def render(self, replacements: Mapping[int, Scalar]) -> bytes: ...


class JsonDocument:
    """A JSON text; members given twice are refused, numbers and layout are kept as they are."""

    def __init__(self, text: str, states: States = (), *, is_modelled: bool = True) -> None:
        self._text = text
        self.forced: Mapping[int, Scalar] = {}
        value = jsontext.parse(text)
        try:
            self.leaves: Sequence[Leaf] = leaves_of(value, states, is_modelled=is_modelled)
        except RecursionError:
            raise Malformed("nested too deeply") from None

    def render(self, replacements: Mapping[int, Scalar]) -> bytes:
        """The text with these leaves replaced."""
        return jsontext.splice(self._text, replacements).encode()


class XmlDocument:
    """An XML text of a query, ec2 or rest-xml answer."""

    def __init__(self, text: str, states: States) -> None:
        self._xml = XmlText(text, states)
        self.leaves: Sequence[Leaf] = self._xml.leaves
        self.forced: Mapping[int, Scalar] = self._xml.forced

    def render(self, replacements: Mapping[int, Scalar]) -> bytes:
        """The text with these leaves replaced."""
        return self._xml.splice({**self.forced, **replacements}).encode()


class CborDocument:
    """A Smithy RPC v2 CBOR body; re-encoded when changed, with timestamps kept as tag 1."""

    def __init__(self, body: bytes, states: States) -> None:
        self._value = _load_cbor(body)
        self.leaves: Sequence[Leaf] = leaves_of(self._value, states, is_modelled=True)
        self.forced: Mapping[int, Scalar] = {}

    def render(self, replacements: Mapping[int, Scalar]) -> bytes:
        """The value with these leaves replaced, encoded again."""
        return cbor2.dumps(rebuild(self._value, replacements))


def open_document(body: bytes, protocol: Protocol, states: States) -> Document:
    """Decode a structured body of this protocol; raises Malformed (which never quotes it) when it is not one."""
    if protocol is Protocol.CBOR:
        return CborDocument(body, states)
    text = utf8(body)
    return XmlDocument(text, states) if protocol in XML_PROTOCOLS else JsonDocument(text, states)


def utf8(body: bytes) -> str:
    """Strict UTF-8, or Malformed."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None


def _load_cbor(body: bytes) -> Any:
    stream = io.BytesIO(body)
    try:
        decoder = cbor2.CBORDecoder(
            stream,
            allow_duplicate_keys=False,
            strict_hashable_types=True,
            max_depth=_DEEPEST_CBOR,
            semantic_decoders={_EPOCH_TAG: _epoch_tag},
        )
        value = decoder.decode()
    except (cbor2.CBORError, RecursionError):
        raise Malformed("not CBOR, or nested too deeply") from None
    # Bytes after the value would reach the client unread.
    if stream.tell() != len(body):
        raise Malformed("bytes after the CBOR value")
    _refuse_strange(value)
    return value


def _epoch_tag(value: Any, _is_immutable: bool) -> cbor2.CBORTag:
    """Timestamps stay tags: decoded ones would be written back as text, which Smithy does not read."""
    return cbor2.CBORTag(_EPOCH_TAG, value)


def _refuse_strange(value: object) -> None:
    """Smithy's data model only: a regular expression, set or MIME tag would pass the scan unread."""
    if isinstance(value, dict):
        for member, child in value.items():
            _refuse_strange(child)
            if not isinstance(member, str):
                raise Malformed("a CBOR map name that is not text")
    elif isinstance(value, list):
        for child in value:
            _refuse_strange(child)
    elif isinstance(value, cbor2.CBORTag) and isinstance(value.value, int | float):
        return
    elif value is not None and not isinstance(value, str | bytes | int | float):
        raise Malformed("a CBOR type outside Smithy's data model")
