"""Response headers under masking: secrets taken out, and lengths and checksums made true for a changed body.

The body itself is `masker`'s; which headers a model marks comes with the plan.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable
from email.errors import HeaderParseError
from email.header import decode_header, make_header

from gateway.masking.leaves import Leaf
from gateway.masking.paths import States, kind_of, step
from gateway.masking.replacement import from_base64, to_base64
from gateway.masking.values import Masking

Headers = tuple[tuple[str, str], ...]

METADATA_PREFIX = "x-amz-meta-"
LOG_RESULT = "x-amz-log-result"
# Lambda caps the log tail at 4 KB; the rest is room for base64 and for other gateways.
LARGEST_LOG_RESULT = 64 * 1024
# AWS's own words and numbers: nothing of a user's in them, and some (request ids) look random.
_KEPT = frozenset(
    [
        "content-length",
        "content-type",
        "content-range",
        "content-encoding",
        "content-language",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "date",
        "last-modified",
        "expires",
        "cache-control",
        "server",
        "etag",
        "vary",
        "accept-ranges",
        "age",
        "via",
        "trailer",
        "x-amzn-requestid",
        "x-amz-request-id",
        "x-amz-id-2",
        "x-amz-cf-id",
        "x-amzn-trace-id",
        "x-amz-crc32",
        "x-amz-version-id",
        "x-amz-server-side-encryption",
        "x-amz-bucket-region",
        "x-amz-storage-class",
        "x-amz-executed-version",
        "x-amz-function-error",
        "x-amz-mp-parts-count",
        "x-amz-expiration",
        "x-amz-delete-marker",
        "x-amz-tagging-count",
        "x-amz-trailer",
        "smithy-protocol",
        "content-md5",
        "x-amzn-errortype",
        "x-amz-replication-status",
        "x-amz-restore",
        "x-amz-checksum-type",
    ]
)
# Digests of a body that is not sent; nothing can vouch for the masked one but us.
_STALE = frozenset(
    (
        "content-md5",
        "x-amz-trailer",
        "trailer",
        "digest",
        "content-digest",
        "repr-digest",
        "x-amz-decoded-content-length",
    )
)
_FRAMING = frozenset(("content-length", "transfer-encoding"))
_MD5_ETAG = re.compile(r'"?[0-9a-f]{32}"?')


def value_of(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    """The first value of a header, by lower-cased name."""
    return next((value for each, value in headers if each.lower() == name), None)


def mask_headers(headers: Headers, states: States, how: Masking) -> Headers:
    """The headers with members of the plan's paths replaced and users' text (metadata, log tails) scanned."""
    if not states and all(name.lower() in _KEPT for name, _ in headers):
        return headers
    leaves = [Leaf(place, *_scannable(name, value), _kind(states, name)) for place, (name, value) in enumerate(headers)]
    candidates = [leaf for leaf in leaves if leaf.kind or headers[leaf.place][0].lower() not in _KEPT]
    if not candidates:
        return headers
    replacements = how.leaves(leaf for leaf in candidates if not _is_log(headers[leaf.place][0]))
    masked = list(headers)
    for place, value in replacements.items():
        masked[place] = (headers[place][0], _one_line(str(value)))
    for leaf in candidates:
        if _is_log(headers[leaf.place][0]):
            masked[leaf.place] = (headers[leaf.place][0], _masked_log(str(leaf.value), how))
    return tuple(masked)


def _is_log(header: str) -> bool:
    """Lambda's log tail is marked secret as a whole, and read as what it is: SDKs and people decode it."""
    return header.lower() == LOG_RESULT


def _masked_log(value: str, how: Masking) -> str:
    """Lambda's log tail: base64 of free text. A tail that does not decode is replaced whole."""
    text = from_base64(value, limit=LARGEST_LOG_RESULT)
    if text is None:
        how.tally.add("secret", "undecodable-log")
        return to_base64("[REDACTED:secret]")
    masked = how.text(text)
    return value if masked == text else to_base64(masked)


def _kind(states: States, header: str) -> str | None:
    """The class a path gives this header; `x-amz-meta-*` in a path stands for every header of that prefix."""
    lowered = header.lower()
    for node in states:
        for segment, child in node.children.items():
            wanted = segment.lower()
            if lowered == wanted or (wanted.endswith("*") and lowered.startswith(wanted[:-1])):
                return kind_of((child, *step((child,), "")))
    return None


def _scannable(name: str, value: str) -> tuple[str, str]:
    """The label and text a header is judged by; S3 sends metadata outside ASCII as RFC 2047 words."""
    label = name.lower().removeprefix(METADATA_PREFIX)
    if "=?" not in value:
        return label, value
    try:
        return label, str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, UnicodeError):
        return label, value


def _one_line(value: str) -> str:
    """A header value again: other characters than printable ASCII cannot travel in one."""
    return "".join(character if " " <= character <= "~" else "?" for character in value)


def for_body(headers: Headers, body: bytes, *, is_changed: bool) -> Headers:
    """The headers of a body that is sent whole: framed by length, and with checksums that hold for these bytes.

    DynamoDB's CRC is recomputed, as a missing one is accepted but a wrong one retried; an MD5-shaped ETag becomes
    the masked bytes' own, so that a conditional write of redacted data over the real object fails.
    """
    kept = [(name, value) for name, value in headers if name.lower() not in _FRAMING]
    if is_changed:
        kept = [(name, _refreshed(name.lower(), value, body)) for name, value in kept if not _is_stale(name.lower())]
    return (*kept, ("Content-Length", str(len(body))))


def for_stream(headers: Headers) -> Headers:
    """The headers of a body that is masked while it is sent: nothing known of it beforehand may be said of it.

    Its ETag goes too: a conditional write of redacted data over the real object must not succeed.
    """
    return tuple(
        (name, value)
        for name, value in headers
        if name.lower() not in _FRAMING and name.lower() not in ("etag", "x-amz-crc32") and not _is_stale(name.lower())
    )


def _is_stale(name: str) -> bool:
    return name in _STALE or name.startswith("x-amz-checksum-")


def _refreshed(name: str, value: str, body: bytes) -> str:
    if name == "x-amz-crc32":
        return str(zlib.crc32(body))
    if name == "etag" and _MD5_ETAG.fullmatch(value):
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return f'"{digest}"' if value.startswith('"') else digest
    return value
