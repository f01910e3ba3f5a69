"""What stands in a masked value's place: `[REDACTED:type]`, kept valid in the type the client will parse.

Which values are masked is decided in `content` and `structural`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from operator import itemgetter
from typing import TYPE_CHECKING

import cbor2

from gateway.masking.decoy_forms import decoy_for
from gateway.masking.decoys import Press

if TYPE_CHECKING:
    from gateway.masking.columns import Table

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


# So many different values of one answer are committed to; a table of secrets must not become a table of its own.
MOST_COMMITTED_VALUES = 64


def value_commitment(salt: bytes, value: str | bytes) -> str:
    """What a record keeps of one masked value: nothing without the salt, a proof of the very value with it."""
    plain = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return hmac.new(salt, b"masked value\0" + plain, "sha256").hexdigest()[:32]


# What `Counter()` is, without looking for what to count: each answer has two, and most stay empty.
_no_counts = partial(Counter.__new__, Counter)


@dataclass(slots=True)
class Tally:
    """Counts of masked values by type and by the rule that found them; never a value.

    With a `salt`, `values` are commitments to the first values: whoever has the salt can confirm a suspected one.
    `bytes_unread` is text that names of people were not looked for in, where policy asks for them.
    """

    by_type: Counter[str] = field(default_factory=_no_counts)
    by_rule: Counter[str] = field(default_factory=_no_counts)
    salt: bytes = field(default=b"", repr=False)
    values: dict[str, None] = field(default_factory=dict)
    bytes_unread: int = 0

    def add(self, kind: str, rule: str, value: object = None) -> None:
        """Count one masked value."""
        self.by_type[kind] += 1
        self.by_rule[rule] += 1
        if self.salt and len(self.values) < MOST_COMMITTED_VALUES and isinstance(value, str | bytes) and value:
            self.values[value_commitment(self.salt, value)] = None

    def add_all(self, spans: Sequence[tuple[int, int, str, str]], text: str | bytes, *, base: int = 0) -> None:
        """Count the values of spans (start, end, kind, rule), offsets being `base` more than the text's."""
        self.by_type.update(map(itemgetter(2), spans))
        self.by_rule.update(map(itemgetter(3), spans))
        if self.salt:
            for start, end, _kind, _rule in spans:
                if len(self.values) >= MOST_COMMITTED_VALUES:
                    return
                self.values[value_commitment(self.salt, text[start - base : end - base])] = None

    def add_table(self, table: Table) -> None:
        """Count a table's values; each was found by the rule of its type."""
        counts = table.counts()
        self.by_type.update(counts)
        self.by_rule.update(counts)
        missing = MOST_COMMITTED_VALUES - len(self.values)
        if self.salt and missing > 0:
            for start, end, _kind, _rule in table.only(slice(missing)).spans():
                self.values[value_commitment(self.salt, table.text[start:end])] = None

    def merge(self, other: Tally) -> None:
        """Take over another tally's counts."""
        self.by_type.update(other.by_type)
        self.by_rule.update(other.by_rule)
        self.values |= other.values
        self.bytes_unread += other.bytes_unread

    def __bool__(self) -> bool:
        return bool(self.by_type)

    def types(self) -> Mapping[str, int]:
        """Counts by type as a plain mapping."""
        return dict(self.by_type)


@cache
def token(kind: str) -> str:
    """The text that replaces a value; free of characters that JSON, XML, CSV or a URL would have to escape."""
    return f"[REDACTED:{kind}]"


# In a policy's mask types: `email-token` keeps equal addresses joinable, `card-last4` lets the last four digits stand,
# `password-decoy` writes a password that is nobody's.
TOKEN, LAST_FOUR, DECOY = "-token", "-last4", "-decoy"
_WITH_LAST_FOUR = frozenset(("card", "phone"))
# So few values exist, or people choose so few, that who can have some masked at will can try them all.
LOW_ENTROPY = frozenset(("card", "ssn", "itin", "phone", "ip", "mac", "password", "person"))
# Followed to an end that may come blocks later: such a value is never seen whole.
_NEVER_WHOLE = frozenset(("private-key", "jwt"))
_TOKEN_BYTES = 10


def kind_of_mask(mask: str) -> str:
    """The type a policy's mask name stands for, however its values are to be written."""
    return mask.removesuffix(TOKEN).removesuffix(LAST_FOUR).removesuffix(DECOY)


def scoped_token_key(secret: bytes, *, session: str, connection: str) -> bytes:
    """The key of one session's tokens on one connection: the same value elsewhere has another token."""
    scope = len(session).to_bytes(4, "big") + session.encode() + connection.encode()
    return hashlib.blake2b(scope, key=secret[:64], digest_size=32, person=b"hoopweb-token").digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How masked values are written: plain labels, and by policy decoys, tokens under a key or last digits.

    `masks` are a policy's mask names; without a `token_key` no token is written, without a `press` no decoy. `all-token`
    asks for tokens for every type but those of low entropy, which must be named; `all-decoy` for every type that has
    decoys. What is said of one type goes before what is said of all, a decoy before a token.
    """

    masks: tuple[str, ...] = ()
    token_key: bytes = field(default=b"", repr=False)
    press: Press | None = None

    @property
    def is_plain(self) -> bool:
        """Whether every value is written as its type's label, whatever it is."""
        return not any(mask.endswith((TOKEN, LAST_FOUR, DECOY)) for mask in self.masks)

    def text(self, kind: str, value: str) -> str:
        """What stands for this value; the same for the same value, as far as a token is asked for."""
        if kind in _WITH_LAST_FOUR and f"{kind}{LAST_FOUR}" in self.masks:
            digits = re.sub(r"\D", "", value)
            # Four of less than ten digits would be half of the number.
            return f"[REDACTED:{kind}:{digits[-4:]}]" if len(digits) >= 10 else token(kind)
        if self.press is not None and self._is_decoyed(kind):
            decoy = decoy_for(self.press, kind, value)
            if decoy is not None:
                return decoy
        if self.token_key and self._is_tokenised(kind):
            return f"[REDACTED:{kind}:{self._token(kind, value)}]"
        return token(kind)

    def _is_decoyed(self, kind: str) -> bool:
        if f"{kind}{DECOY}" in self.masks:
            return True
        return f"all{DECOY}" in self.masks and f"{kind}{TOKEN}" not in self.masks

    def _is_tokenised(self, kind: str) -> bool:
        if kind in _NEVER_WHOLE:
            return False
        return f"{kind}{TOKEN}" in self.masks or (f"all{TOKEN}" in self.masks and kind not in LOW_ENTROPY)

    def _token(self, kind: str, value: str) -> str:
        spelt = kind.encode() + b"\0" + _spelling(kind, value).encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(spelt, key=self.token_key, digest_size=_TOKEN_BYTES).digest()
        return base64.b32encode(digest).decode("ascii")


def _spelling(kind: str, value: str) -> str:
    """One spelling for what people write in many: without case in addresses, without signs in numbers."""
    if kind in ("card", "phone", "ssn", "itin", "iban", "mac"):
        return re.sub(r"[^0-9A-Za-z]", "", value).lower()
    return value.strip().lower() if kind in ("email", "ip") else value


PLAIN = Writing()


def is_base64(text: str) -> bool:
    """Whether `text` is non-empty canonical base64, as botocore writes and reads blobs."""
    # Asked of every value: most are ruled out by their length.
    return bool(text) and len(text) % 4 == 0 and _BASE64.fullmatch(text) is not None


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


def typed(value: Scalar, *, kind: str, name: str, writing: Writing = PLAIN) -> Scalar:
    """A masked stand-in of the value's own type: 0, false, null, an empty moment, decodable base64, or the token."""
    match value:
        case bool():
            return False
        case int() | float():
            return 0
        case str():
            return typed_text(value, kind=kind, name=name, writing=writing)
        case bytes():
            return token(kind).encode()
        case cbor2.CBORTag():
            return EPOCH
        case None:
            return None


def typed_text(value: str, *, kind: str, name: str, writing: Writing = PLAIN) -> str:
    """Like `typed`, for a string whose model type is known only by its member's name and its look."""
    if name in BLOB_NAMES and is_base64(value):
        return to_base64(writing.text(kind, value))
    return EPOCH_TEXT if _TIMESTAMP.fullmatch(value) else writing.text(kind, value)


def typed_xml(value: str, *, kind: str, name: str, writing: Writing = PLAIN) -> str:
    """Like `typed_text`; XML has no types of its own, so numbers and booleans are known by their look too."""
    if value in ("true", "false"):
        return "false"
    return "0" if _NUMBER.fullmatch(value) else typed_text(value, kind=kind, name=name, writing=writing)
