"""Secrets without a bounded length: private key blocks, JSON web tokens, and base64 that hides text.

Each is known by a short start and followed to its end, however far: a window would leak the tail.
"""

from __future__ import annotations

import base64
import binascii
import re
from bisect import bisect_left
from collections.abc import Iterator

import re2

from gateway.masking.catalogue import ByteSpan

_KEY_START = re2.compile(
    r"-----BEGIN (?:[A-Z0-9]+ ){0,6}PRIVATE KEY(?: BLOCK)?-----|---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----"
)
_KEY_END = re2.compile(r"-----END [A-Z0-9 ]{0,80}-----|---- END SSH2 [A-Z0-9 ]{0,60} ----")
_PUTTY_START = re2.compile(r"Private-Lines:\s*\d+")
# A key block's inside: base64, armour headers, line breaks, also escaped as in JSON, quoted lines and joined strings.
_KEY_BODY = re2.compile(r"[A-Za-z0-9+/=:,.()>|\"'\s\\-]*")
_KEY_PROOF = re2.compile(r"[A-Za-z0-9+/=]{16}")
_PROOF_WITHIN = 400
# A marker further away belongs to another key; the inside is then followed by its alphabet.
_FARTHEST_END = 256 * 1024

_JWT = re2.compile(r"(?:eyJ|eyAi|ewo)[A-Za-z0-9_-]{6,}\.(?:ey)?[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,3}")
_JWT_HEADER = 512

_TEXT_START = re.compile(rb"[\t\r\n -~\x80-\xf4]+\Z")


def spans(data: bytes) -> Iterator[ByteSpan]:
    """Private keys and web tokens in UTF-8 text."""
    if b"BEGIN " in data:
        yield from _private_keys(data)
    if b"Private-Lines:" in data:
        for match in _PUTTY_START.finditer(data):
            yield ByteSpan(match.end(), _body_end(data, match.end()), "private-key", "putty-private-key")
    if b"ey" in data or b"ewo" in data:
        for match in _JWT.finditer(data):
            if _is_jwt(data[match.start() : match.start() + _JWT_HEADER]):
                yield ByteSpan(match.start(), match.end(), "jwt", "json-web-token")


def _private_keys(data: bytes) -> Iterator[ByteSpan]:
    # Markers are listed once: a text of nothing but beginnings must not be searched from each of them.
    ends = [match.span() for match in _KEY_END.finditer(data)]
    position = 0
    for start in _KEY_START.finditer(data):
        # A marker quoted in prose holds no key, and must not hide one that follows.
        if start.start() < position or not _KEY_PROOF.search(data[start.end() : start.end() + _PROOF_WITHIN]):
            continue
        following = bisect_left(ends, (start.end(), 0))
        farthest = start.end() + _FARTHEST_END
        if following == len(ends) or ends[following][0] > farthest:
            # Further away it ends this key only where nothing but a key's inside lies between.
            farthest = _body_end(data, start.end())
        is_closed = following < len(ends) and ends[following][0] <= farthest
        position = ends[following][1] if is_closed else farthest
        yield ByteSpan(start.start(), position, "private-key", "private-key-block")


def _body_end(data: bytes, start: int) -> int:
    body = _KEY_BODY.match(data, start)
    return body.end() if body else start


def _is_jwt(head: bytes) -> bool:
    """The first part must decode to the beginning of a JSON object, as every JOSE header does."""
    return may_decode_to_text(head.split(b".", 1)[0]) and _decoded_start(head).lstrip()[:1] == b"{"


def may_decode_to_text(encoded: bytes) -> bool:
    """A cheap gate: whether the first characters of this base64 decode to something like text."""
    return _TEXT_START.match(_decoded_start(encoded)) is not None


def is_start_of_text(encoded: str) -> bool:
    """The same for standard base64 that is whole; asked of every value that could be some."""
    return _TEXT_START.match(binascii.a2b_base64(encoded[:24])) is not None


def _decoded_start(encoded: bytes) -> bytes:
    head = encoded.split(b".", 1)[0][:24].rstrip(b"=")
    whole = head[: len(head) // 4 * 4].replace(b"-", b"+").replace(b"_", b"/")
    return base64.b64decode(whole)
