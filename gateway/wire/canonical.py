"""The canonical form that Signature Version 4 signs, and the keys it is signed with.

Who claims what, and whether it is true, is `sigv4`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from gateway.wire.problems import RepeatedHeader, SignatureDoesNotMatch
from gateway.wire.request import WireRequest

ALGORITHM = "AWS4-HMAC-SHA256"
# Paths of these are encoded once and never folded: a key may hold `//` or `..`.
S3_FAMILY = frozenset(("s3", "s3express", "s3-object-lambda", "s3-outposts"))


@lru_cache(maxsize=2048)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """Derive the key of one day, region and service; four HMACs, so kept (the cache never leaves memory)."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def stamp_of(date: datetime) -> str:
    """A moment in UTC as signatures write it; its first eight characters are the day."""
    # By hand: strftime takes twice as long, and this is written three times a call.
    text = date.isoformat()
    return f"{text[:4]}{text[5:7]}{text[8:10]}T{text[11:13]}{text[14:16]}{text[17:19]}Z"


def signature_of(key: bytes, canonical: str, stamp: str, region: str, service: str) -> str:
    """The hex signature of a canonical request at the time a stamp says."""
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join((ALGORITHM, stamp, scope, digest))
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def canonical_headers(request: WireRequest, signed: Iterable[str]) -> list[str]:
    """One line per signed header, named in lower case; raises RepeatedHeader, and SignatureDoesNotMatch when one did not arrive."""
    lines, known = [], request.header_values
    for name in signed:
        values = known.get(name)
        if values is None:
            raise SignatureDoesNotMatch(f"The signed header {name} did not arrive")
        # A joined value would be signed as one and read by AWS as two.
        if len(values) > 1:
            raise RepeatedHeader(name)
        lines.append(f"{name}:{' '.join(values[0].split())}")
    return lines


def canonical_query(request: WireRequest) -> str:
    """The query re-encoded and sorted, without its own signature; raises OddEncoding."""
    if not request.query:
        return ""
    pairs = (
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in request.query
        if name.lower() != "x-amz-signature"
    )
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def canonical_paths(path: str, service: str) -> tuple[str, ...]:
    """The path as clients sign it, first; for S3 also as AWS re-encodes it, where that differs."""
    if path == "/":
        return ("/",)
    if service not in S3_FAMILY:
        return (quote(_without_dot_segments(path), safe="/~"),)
    encoded = quote(unquote_to_bytes(path), safe="/~")
    return (path,) if encoded == path else (path, encoded)


def _without_dot_segments(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == ".." and kept:
            kept.pop()
        elif segment not in ("", ".", ".."):
            kept.append(segment)
    tail = "/" if kept and path.endswith("/") else ""
    return "/" + "/".join(kept) + tail
