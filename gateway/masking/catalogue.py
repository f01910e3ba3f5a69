"""Kingfisher's rule catalogue as an offline detector: bytes in, byte spans out.

Only its `scan` is used. Its validation and revocation call providers and are never touched; our own rules
are in `rules`.
"""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from kingfisher_sdk import Rules, Scanner

# Set by whoever starts the process; without it the library's own per-user cache is used. A folder that cannot
# be written costs a compile of some seconds at the first scan of each process, nothing else.
CACHE_VARIABLE = "HOOPWEB_RULE_CACHE"

# Some of the catalogue's patterns take quadratic time on text made for it; 8 MiB of any honest text takes 0.1 s.
LONGEST_SCAN_SECONDS = 4.0
_SURELY_QUICK = 64 * 1024

# Helpers of composite rules: most say which account a secret belongs to, and only these are secret themselves.
_SECRET_HELPERS = frozenset(
    (
        "betterleaks.alibaba-sts-security-token",
        "betterleaks.aws-secret-access-key",
        "betterleaks.exoscale-api-secret",
        "betterleaks.ovh-consumer-key",
        "betterleaks.polymarket-api-secret",
        "betterleaks.polymarket-passphrase",
        "veles.secrets/packagistsecret-api-key",
    )
)


class ScannerFailed(RuntimeError):
    """A scan did not finish, or its rules did not load: nothing of the text may be taken for scanned."""


class ByteSpan(NamedTuple):
    """A stretch of UTF-8 bytes found by a rule; end exclusive."""

    start: int
    end: int
    kind: str
    rule: str


class Catalogue:
    """The compiled rules, loaded at the first scan (0.3 to 0.5 s with a warm cache, 4 to 6 s without)."""

    def __init__(self, cache_dir: Path | None = None) -> None:
        self._cache_dir = cache_dir
        self._scanner: Scanner | None = None
        self._lock = Lock()

    def load(self) -> Scanner:
        """The scanner, compiling or loading the rules if this is the first call; safe from any thread."""
        with self._lock:
            if self._scanner is None:
                configured = os.environ.get(CACHE_VARIABLE)
                folder = self._cache_dir or (Path(configured) if configured else None)
                try:
                    self._scanner = Scanner(Rules(cache_dir=folder), base64=False)
                except (RuntimeError, ValueError, OSError) as error:
                    raise ScannerFailed("the rule catalogue did not load") from error
            return self._scanner

    def spans(self, data: bytes) -> list[ByteSpan]:
        """What the catalogue finds in UTF-8 text."""
        scanner = self._scanner or self.load()
        # Text with NULs or a byte order mark would be transcoded by the engine and its offsets be wrong.
        if b"\0" in data or b"\xef\xbb\xbf" in data[:3]:
            data = data.replace(b"\0", b" ").replace(b"\xef\xbb\xbf", b"   ", 1)
        try:
            findings = scanner.scan(data, timeout=LONGEST_SCAN_SECONDS if len(data) > _SURELY_QUICK else None)
        except (RuntimeError, ValueError, OSError):
            # Not chained: the library's message may quote what it scanned.
            raise ScannerFailed("the scan did not complete") from None
        spans = list[ByteSpan]()
        for finding in findings:
            if finding.visible or finding.rule_id in _SECRET_HELPERS:
                where = finding.location
                rule = finding.rule_id.removeprefix("betterleaks.").removeprefix("veles.secrets/")
                spans.append(ByteSpan(where["start_offset"], where["end_offset"], kind_of_rule(rule), rule))
        return spans


def kind_of_rule(rule: str) -> str:
    """The mask type of a catalogue rule; most are simply secrets."""
    if rule == "private-key" or rule.startswith("jwt"):
        return "private-key" if rule == "private-key" else "jwt"
    if rule.endswith("password") or rule == "curl-auth-user":
        return "password"
    return "connection-string" if rule.endswith(("credential-uri", "connection-string")) else "secret"
