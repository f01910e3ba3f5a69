"""What stands in a masked value's place: `[REDACTED:type]`, kept valid in the type the client will parse.

Which values are masked is decided in `content` and `structural`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import cbor2

Scalar = str | int | float | bool | bytes | cbor2.CBORTag | None

EPOCH_TEXT = "1970-01-01T00:00:00Z"
EPOCH = cbor2.CBORTag(1, 0)

# Wire names of botocore's sensitive blob members, their neighbours inside sensitive structures, and the blobs a
# content scan meets most. JSON and XML carry a blob as base64, and a client that cannot decode it fails whole.
# tests/masking/test_blob_names.py compares this set with the installed models.
BLOB_NAMES = frozenset(
    [
        "bytes",
        "redactedContent",
        "Body",
        "body",
        "Payload",
        "payload",
        "Content",
        "content",
        "SecretBinary",
        "data",
        "Data",
        "Plaintext",
        "Message",
        "message",
        "ZipFile",
        "SharedSecret",
        "ConnectionFunctionCode",
        "FunctionCode",
        "inlineContent",
        "BlockData",
        "event",
        "document",
        "Bytes",
        "LogoFile",
        "FaviconFile",
        "uploadPolicy",
        "value",
        "blob",
        "response",
        "Result",
        "autonomousDatabaseWalletFile",
        "Passphrase",
        "PrivateKey",
        "File",
        "fileContent",
        "Geobuf",
        "attachmentBody",
        "PrivateKeyPlaintext",
        "PublicKey",
        "removableAttributes",
        "updatableAttributes",
        "Base32StringSeed",
        "QRCodePNG",
        "callEvent",
        "eventData",
        "ConnectionObject",
        "EventObject",
        "Configuration",
        "byteBuffer",
        "B",
        "BinaryValue",
        "blobValue",
        "CiphertextBlob",
        "CiphertextForRecipient",
    ]
)
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?", re.ASCII)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?", re.ASCII)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", re.ASCII)


@dataclass(slots=True)
class Tally:
    """Counts of masked values by type and by the rule that found them; never a value."""

    by_type: Counter[str] = field(default_factory=Counter)
    by_rule: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, rule: str) -> None:
        """Count one masked value."""
        self.by_type[kind] += 1
        self.by_rule[rule] += 1

    def merge(self, other: Tally) -> None:
        """Take over another tally's counts."""
        self.by_type.update(other.by_type)
        self.by_rule.update(other.by_rule)

    def __bool__(self) -> bool:
        return bool(self.by_type)

    def types(self) -> Mapping[str, int]:
        """Counts by type as a plain mapping."""
        return dict(self.by_type)


def token(kind: str) -> str:
    """The text that replaces a value; free of characters that JSON, XML, CSV or a URL would have to escape."""
    return f"[REDACTED:{kind}]"


def is_base64(text: str) -> bool:
    """Whether `text` is non-empty canonical base64, as botocore writes and reads blobs."""
    return bool(text) and _BASE64.fullmatch(text) is not None


def to_base64(text: str) -> str:
    """UTF-8 text as base64."""
    return base64.b64encode(text.encode()).decode("ascii")


def from_base64(text: str, *, limit: int) -> str | None:
    """Decode base64 (either alphabet, padding optional) of at most `limit` characters to printable text, or None."""
    if len(text) > limit:
        return None
    padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
    try:
        decoded = base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    printable = sum(character.isprintable() or character in "\r\n\t" for character in decoded[:512])
    return decoded if decoded and printable >= min(len(decoded), 512) else None


def typed(value: Scalar, *, kind: str, name: str) -> Scalar:
    """A masked stand-in of the value's own type: 0, false, null, an empty moment, decodable base64, or the token."""
    match value:
        case bool():
            return False
        case int() | float():
            return 0
        case str():
            return typed_text(value, kind=kind, name=name)
        case bytes():
            return token(kind).encode()
        case cbor2.CBORTag():
            return EPOCH
        case None:
            return None


def typed_text(value: str, *, kind: str, name: str) -> str:
    """Like `typed`, for a string whose model type is known only by its member's name and its look."""
    if name in BLOB_NAMES and is_base64(value):
        return to_base64(token(kind))
    return EPOCH_TEXT if _TIMESTAMP.fullmatch(value) else token(kind)


def typed_xml(value: str, *, kind: str, name: str) -> str:
    """Like `typed_text`; XML has no types of its own, so numbers and booleans are known by their look too."""
    if value in ("true", "false"):
        return "false"
    return "0" if _NUMBER.fullmatch(value) else typed_text(value, kind=kind, name=name)
