"""One HTTP request as it came off the wire, with strict look-ups that refuse what two readers could read two ways.

Reading the bytes off a socket belongs to `gateway.edge`; what the request means to `gateway.wire.aws`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from gateway.wire.problems import MalformedHeader, OddEncoding, RepeatedHeader

# Query names that belong to a presigned signature and never to an operation.
PRESIGN_NAMES = frozenset(
    (
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-signedheaders",
        "x-amz-signature",
        "x-amz-security-token",
        "x-amz-content-sha256",
    )
)
# A target longer than this is refused: S3's longest key (1,024 bytes) three times encoded plus a long query fits.
LONGEST_TARGET = 64 * 1024

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Only printable ASCII without space may stand in a request target (RFC 9112); `#` never reaches a server.
_TARGET = re.compile(r"/[!-\"$-~]*\Z")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_NOT_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def decode_component(raw: str) -> str:
    """Percent-decode one path segment or query part; raises OddEncoding on a broken escape or invalid UTF-8."""
    if "%" not in raw:
        return raw
    if _BAD_ESCAPE.search(raw):
        raise OddEncoding("A percent sign is not followed by two hexadecimal digits")
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError as error:
        raise OddEncoding("The encoded bytes are not UTF-8") from error


def query_pairs(raw_query: str) -> tuple[tuple[str, str], ...]:
    """Decoded (name, value) pairs in order; `a` and `a=` both have an empty value. Raises OddEncoding on a raw `+`."""
    if "+" in raw_query:
        # Form readers take it for a space, URL readers for itself; the signature cannot tell them apart.
        raise OddEncoding("The query string holds a raw plus sign")
    parts = (part.partition("=") for part in raw_query.split("&") if part)
    return tuple((decode_component(name), decode_component(value)) for name, _, value in parts)


@dataclass(frozen=True, kw_only=True)
class WireRequest:
    """A request with its raw target (percent-encoding untouched) and headers in the order received.

    Raises OddEncoding when the target is not an absolute path in printable ASCII, and MalformedHeader when the
    method, a name or a value could break the head apart: values may come decoded out of a presigned query.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def __post_init__(self) -> None:
        if len(self.target) > LONGEST_TARGET or not _TARGET.match(self.target):
            raise OddEncoding("The request target is not an absolute path in printable ASCII")
        if not _TOKEN.match(self.method):
            raise MalformedHeader("The method is not a token")
        # Values in one look, names by one each: a name's own pattern also says that it is not empty.
        if _NOT_IN_VALUE.search("".join([value for _, value in self.headers])):
            raise MalformedHeader
        if not all(_TOKEN.match(name) for name, _ in self.headers):
            raise MalformedHeader

    def __repr__(self) -> str:
        # Headers and query may carry signatures and tokens, the body secrets: none of them is shown.
        return f"WireRequest({self.method} {self.path}, {len(self.headers)} headers, {len(self.body)} bytes)"

    @property
    def path(self) -> str:
        """The raw path, before any question mark."""
        return self.target.partition("?")[0]

    @property
    def raw_query(self) -> str:
        return self.target.partition("?")[2]

    @cached_property
    def query(self) -> tuple[tuple[str, str], ...]:
        """Decoded query pairs in order, presign parameters included; raises OddEncoding."""
        return query_pairs(self.raw_query)

    @cached_property
    def header_values(self) -> Mapping[str, tuple[str, ...]]:
        """All values by lower-case header name."""
        found: dict[str, tuple[str, ...]] = {}
        for name, value in self.headers:
            lowered = name.lower()
            found[lowered] = (*found[lowered], value) if lowered in found else (value,)
        return MappingProxyType(found)

    def header(self, name: str) -> str | None:
        """The value of a header that may appear once, stripped; raises RepeatedHeader when it came twice."""
        # Nearly all who ask spell it in lower case.
        values = self.header_values.get(name) or self.header_values.get(name.lower())
        if values is None:
            return None
        if len(values) > 1:
            raise RepeatedHeader(name.lower())
        return values[0].strip()

    @cached_property
    def presign(self) -> Mapping[str, str]:
        """Presign parameters by lower-case name; raises RepeatedHeader when one is repeated."""
        found: dict[str, str] = {}
        for name, value in self.query:
            lowered = name.lower()
            if lowered in PRESIGN_NAMES:
                if lowered in found:
                    raise RepeatedHeader(lowered)
                found[lowered] = value
        return MappingProxyType(found)
