"""Whether a request would store what masking wrote: a token over the real value would destroy it.

Refusing such a request, and which rule permits it, is the control plane's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# The mask type under which a rule permits it: `@clear("mask-tokens")`.
STORING_TOKENS = "mask-tokens"

# Plain and percent-encoded, in any case; and as base64 begins that hides it.
_TOKEN = re.compile(r"(?:\[|%5B)REDACTED(?::|%3A)[a-z0-9-]{1,40}(?:(?::|%3A)[a-z0-9]{1,40})?(?:\]|%5D)", re.IGNORECASE)
_TOKEN_BYTES = re.compile(rb"\[REDACTED:[a-z0-9-]{1,40}(?::[A-Za-z0-9]{1,40})?\]")
_IN_BASE64 = "W1JFREFDVEVEO"
# The line between two chunks of an aws-chunked upload, which may stand amid a token.
_FRAME = re.compile(rb"\r\n[0-9A-Fa-f]{1,8}(?:;chunk-signature=[0-9a-f]{64})?\r\n")
_IN_UTF16 = "REDACTED".encode("utf-16-le")
# Longer than any token, in UTF-16 too and with a frame's line in it: what a search keeps of one piece.
LONGEST_TOKEN = 320


def holds_token(value: object) -> bool:
    """Whether a mask token stands anywhere in this value: text, bytes, and what mappings and lists hold."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                if _IN_BASE64 in text or _TOKEN.search(text):
                    return True
            case bytes() as data:
                if _TOKEN_BYTES.search(data):
                    return True
            case Mapping() as members:
                waiting += (*members.keys(), *members.values())
            case list() | tuple() as elements:
                waiting += elements
    return False


class TokenWatch:
    """Looks for a token in bytes that come in chunks, wherever they are cut, in UTF-8 or UTF-16."""

    def __init__(self) -> None:
        self._tail = b""

    def saw_token(self, chunk: bytes) -> bool:
        """Whether a token ends in this chunk."""
        seen = self._tail + chunk
        self._tail = seen[-LONGEST_TOKEN:]
        if b"R\0E\0D" in seen and _IN_UTF16 in seen:
            seen = seen.replace(b"\0", b"")
        return _TOKEN_BYTES.search(_FRAME.sub(b"", seen)) is not None
