"""HTTP/1.1 as values: what a request head must look like to be let in, and how heads are written.

Sockets and parsers' callbacks belong to `server` (towards clients) and `upstream` (towards AWS).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from gateway.edge import problems

Headers = tuple[tuple[str, str], ...]

# botocore's largest heads are S3's 8 KiB of metadata plus a session token of up to 6 KB; 64 KiB is generous.
LARGEST_HEAD_BYTES = 64 * 1024
# A full-featured PutObject has under 60 headers; S3 metadata may add a few dozen.
MOST_HEADERS = 100
# The longest real targets are presigned URLs with a session token: about 7 KB.
LARGEST_TARGET_BYTES = 16 * 1024
# AWS's own answers stay far below; a hostile or broken upstream must not fill memory with headers.
LARGEST_ANSWER_HEAD_BYTES = 256 * 1024

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

# Fragments never travel; quotes and backslashes do, for some SDKs leave them raw in query strings.
_TARGET = re.compile(r"/[\x21\x22\x24-\x7e]*\Z")
_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A request's head as it came, in order and case; text is latin-1, so that bytes survive a round trip."""

    method: str
    target: str
    headers: Headers
    content_length: int | None
    is_chunked: bool
    expects_continue: bool

    @property
    def has_body(self) -> bool:
        return self.is_chunked or bool(self.content_length)


def read_head(*, method: str, target: str, headers: Headers) -> Head:
    """Check what the parser lets through and make a Head; raises a MalformedRequest problem.

    The parser has already refused: both framings at once, repeated lengths, folded lines, bare CR or LF, NUL.
    """
    if not _TARGET.match(target):
        raise problems.TargetRefused()
    found = _framing(headers)
    lengths, encodings = found["content-length"], found["transfer-encoding"]
    # `gzip, chunked` is legal HTTP, but the body would be decided upon in a form nobody here can read.
    if encodings and [value.strip().lower() for value in encodings] != ["chunked"]:
        raise problems.MalformedRequest("Transfer-Encoding may only be chunked")
    if len(lengths) > 1 or (lengths and encodings):
        raise problems.MalformedRequest("one request may have one framing")
    if len(found["host"]) != 1:
        raise problems.MalformedRequest("exactly one Host header is needed")
    if any(value.strip().lower() != "100-continue" for value in found["expect"]):
        raise problems.MalformedRequest("Expect may only be 100-continue")
    return Head(
        method=method,
        target=target,
        headers=headers,
        content_length=int(lengths[0]) if lengths else None,
        is_chunked=bool(encodings),
        expects_continue=bool(found["expect"]),
    )


def _framing(headers: Headers) -> dict[str, list[str]]:
    """The values of what frames a request, in one pass: every call comes by here."""
    found: dict[str, list[str]] = {"content-length": [], "transfer-encoding": [], "host": [], "expect": []}
    for key, value in headers:
        name = key.lower()
        if name in found:
            found[name].append(value)
    return found


def header(headers: Iterable[tuple[str, str]], name: str) -> str:
    """Return the first value of a header, whatever its case, or the empty string."""
    return next((value for key, value in headers if key.lower() == name), "")


def request_head(*, method: str, target: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Write a request's head; raises ValueError when a part could end its line early."""
    return _lines(f"{method} {target} HTTP/1.1", headers)


def answer_head(*, status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """Write an answer's head; raises ValueError when a part could end its line early."""
    return _lines(f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}", headers)


def end_to_end(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out what belongs to one connection only, and the length, which the writer states anew."""
    return [pair for pair in headers if (name := pair[0].lower()) not in HOP_BY_HOP and name != "content-length"]


def as_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _lines(first: str, headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in headers)]
    text = "\r\n".join(lines)
    # One count instead of a look at each value: a line break inside any part makes one too many.
    if text.count("\r") != len(lines) - 1 or text.count("\n") != len(lines) - 1:
        raise ValueError("a header holds a line break")
    return text.encode("latin-1") + b"\r\n\r\n"
