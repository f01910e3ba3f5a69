"""Masking for what is written down: recorded parameters, prompts and error texts of the control plane.

Responses on the wire are `masker`'s; where records go is the control plane's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.masking.content import EVERY_SECRET, ContentScanner, Wanted, default_scanner
from gateway.masking.leaves import leaves_of, rebuild
from gateway.masking.paths import compile_paths
from gateway.masking.replacement import Tally
from gateway.masking.values import Masking
from gateway.wire.contract import MaskPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """Text without its secrets, and counts by type and by rule."""

    text: str
    by_type: Mapping[str, int]
    by_rule: Mapping[str, int]


def mask_text(text: str | bytes, *, wanted: Wanted = EVERY_SECRET, scanner: ContentScanner | None = None) -> Masked:
    """Free text or JSON text with secrets replaced; bytes that are not UTF-8 have their strange bytes replaced too.

    Raises ScannerFailed where the text cannot be scanned; it must then not be recorded in clear.
    """
    tally = Tally()
    plain = text if isinstance(text, str) else text.decode("utf-8", "replace")
    masked = Masking(scanner=scanner or default_scanner(), tally=tally, wanted=wanted).text(plain)
    return Masked(text=masked, by_type=dict(tally.by_type), by_rule=dict(tally.by_rule))


def mask_json(
    value: object,
    *,
    paths: tuple[MaskPath, ...] = (),
    wanted: Wanted = EVERY_SECRET,
    scanner: ContentScanner | None = None,
) -> tuple[Any, Mapping[str, int]]:
    """A copy of decoded JSON (text names, lists, scalars) with secrets replaced, and counts by type.

    `paths` are masked whatever they hold. Raises RecursionError past Python's own depth.
    """
    tally = Tally()
    how = Masking(scanner=scanner or default_scanner(), tally=tally, wanted=wanted)
    replacements = how.leaves(leaves_of(value, compile_paths(paths, wanted.clear), is_modelled=True))
    return (rebuild(value, replacements) if replacements else value), dict(tally.by_type)
