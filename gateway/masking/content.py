"""Secrets found by look in free text: every detector asked, overlapping answers joined, tokens written.

Bodies with structure are `values`' work; which shapes are secret is told in `catalogue`, `rules`, `assignments`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import accumulate
from operator import itemgetter, le, lt
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from gateway.masking import assignments, cells, commands, manifests, sticky, vendors, wording
from gateway.masking.catalogue import ByteSpan, Catalogue
from gateway.masking.decoding import DECODERS, Hidden
from gateway.masking.decoys import Press
from gateway.masking.people import PERSON
from gateway.masking.personal import DETECTORS, PRIVATE_KINDS
from gateway.masking.replacement import PLAIN, Tally, Writing, kind_of_mask, token
from gateway.masking.rules import RULES
from gateway.masking.tenant_rules import TenantRules, unpacked
from gateway.masking.triggers import WHOLE, Detector, Watch
from gateway.wire.contract import MaskPlan, SensitivityClass

if TYPE_CHECKING:
    from gateway.masking.columns import Table

# How deep text inside text is followed: base64 of base64 in a JSON string is the deepest that is met in use.
DEEPEST_LAYER = 3
_BETWEEN = b"\n\n"
_START, _END, _KIND = itemgetter(0), itemgetter(1), itemgetter(2)


class Span(NamedTuple):
    """A secret in text: code points, end exclusive, its mask type and the rule that found it."""

    start: int
    end: int
    kind: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which types are masked, and how their values are written.

    `clear` lists types, or the class `secret` for all of them, to let through; `masks` private types to add, with
    `-token`, `-last4` or `-decoy` behind a type whose values stay joinable, in part readable or become decoys. Tokens
    need their key, decoys the response's press.
    """

    clear: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    token_key: bytes = field(default=b"", repr=False)
    press: Press | None = None

    def has(self, kind: str) -> bool:
        """Whether values of this type are to be masked."""
        if kind in PRIVATE_KINDS:
            # A mask outweighs a clear, however its values are to be written.
            return kind in self.private
        return kind not in self.clear and SensitivityClass.SECRET not in self.clear

    @property
    def asks_for_people(self) -> bool:
        """Whether people's names are to be looked for, by a model (`people`)."""
        return any(kind_of_mask(mask) == PERSON for mask in self.masks)

    @property
    def private(self) -> frozenset[str]:
        """The private types among the masks."""
        return _private_kinds(self.masks)

    @property
    def writing(self) -> Writing:
        """How values are written."""
        return Writing(masks=self.masks, token_key=self.token_key, press=self.press)


@lru_cache(maxsize=256)
def _private_kinds(masks: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(kind_of_mask, masks)) & PRIVATE_KINDS


EVERY_SECRET = Wanted()


def wanted_by(plan: MaskPlan, *, has_decoys: bool = True) -> Wanted:
    """What a plan asks for; without decoys where a replacement must be as long as its value."""
    if not (plan.clear or plan.masks or plan.decoy_key):
        return EVERY_SECRET
    press = Press(key=plan.decoy_key, tag=plan.decoy_tag) if plan.decoy_key and has_decoys else None
    return Wanted(clear=plan.clear, masks=plan.masks, token_key=plan.token_key, press=press)


class ContentScanner:
    """Finds and replaces secrets in text. Holds compiled rules only, so threads may share one."""

    def __init__(self, cache_dir: Path | None = None) -> None:
        self._catalogue = Catalogue(cache_dir)
        self._tenants: TenantRules | None = None

    def with_tenant(self, rules: TenantRules) -> ContentScanner:
        """The same rules and a tenant's own, wherever text is scanned."""
        other = copy(self)
        other._tenants = rules
        return other

    def load(self) -> None:
        """Load the rules now rather than at the first scan."""
        self._catalogue.load()
        _secret_watch().load()

    def spans(self, text: str, wanted: Wanted = EVERY_SECRET, *, layer: int = 0) -> list[Span]:
        """Disjoint spans in order; `layer` says how many encodings were already taken off."""
        data = text.encode("utf-8", "replace")
        found = self.byte_spans(data, wanted, layer=layer)
        return in_code_points(found, data) if found else []

    def byte_spans(self, data: bytes, wanted: Wanted = EVERY_SECRET, *, layer: int = 0) -> list[ByteSpan]:
        """Like `spans`, for text that is UTF-8 bytes already, in byte offsets."""
        spans, table = self.parted(data, wanted, layer=layer)
        return sorted([*spans, *table.spans()]) if table is not None else spans

    def parted(
        self, data: bytes, wanted: Wanted = EVERY_SECRET, *, layer: int = 0
    ) -> tuple[list[ByteSpan], Table | None]:
        """Like `byte_spans`, with the values of a dense table apart, so that they need not be looked at one by one."""
        found, table = self._found(data, wanted, layer)
        if not found and table is None:
            return found, None
        unwanted = {kind for kind in set(map(_KIND, found)) if not wanted.has(kind)}
        if unwanted:
            found = [span for span in found if span.kind not in unwanted]
        spans = merged(found)
        if table is None:
            return spans, None
        table, touched = table.apart_from(spans)
        return merged([*found, *touched]) if touched else spans, table

    def mask_text(self, text: str, tally: Tally, wanted: Wanted = EVERY_SECRET, *, layer: int = 0) -> str:
        """`text` with each secret replaced by its token; counts go to `tally`."""
        return replaced(text, self.spans(text, wanted, layer=layer), tally, wanted.writing)

    def _found(self, data: bytes, wanted: Wanted, layer: int) -> tuple[list[ByteSpan], Table | None]:
        spans, table = self._catalogue.spans(data), None
        hidden: list[Hidden] = []
        for found in _secret_watch().found(data):
            if isinstance(found, Hidden):
                hidden.append(found)
            else:
                spans.append(found)
        if self._tenants is not None:
            spans += self._tenants.spans(data)
        # Policy may ask for secrets by name too; those are looked for anyway, and a watch for nothing does not compile.
        if wanted.private:
            private, table = _private_spans(data, wanted.private)
            spans += private
        if hidden and layer < DEEPEST_LAYER:
            spans += self._below(hidden, wanted, layer + 1)
        return spans, table

    def _below(self, hidden: list[Hidden], wanted: Wanted, layer: int) -> Iterator[ByteSpan]:
        """Secrets one layer down, as they stand in this layer. The layer is scanned as one text: scans have a price."""
        starts = [0, *accumulate(len(each.text) + len(_BETWEEN) for each in hidden)]
        for span in self.byte_spans(_BETWEEN.join(each.text for each in hidden), wanted, layer=layer):
            for place in range(bisect_right(starts, span.start) - 1, len(hidden)):
                one, offset = hidden[place], starts[place]
                if offset >= span.end:
                    break
                start, end = max(0, span.start - offset), min(len(one.text), span.end - offset)
                if start < end:
                    rule = span.rule if one.marks else f"base64:{span.rule.removeprefix('base64:')}"
                    yield ByteSpan(*one.outer(start, end), span.kind, rule)


@lru_cache(maxsize=4)
def default_scanner(cache_dir: Path | None = None) -> ContentScanner:
    """The process's shared scanner; its rules load at the first scan."""
    return ContentScanner(cache_dir)


@lru_cache(maxsize=32)
def scanner_for(detectors: bytes) -> ContentScanner:
    """The shared scanner with the tenant's own rules that a mask plan brings; raises ScannerFailed."""
    return default_scanner().with_tenant(unpacked(detectors)) if detectors else default_scanner()


@cache
def _secret_watch() -> Watch[ByteSpan | Hidden]:
    """All that is looked for in every text, in one pass."""
    keys_and_tokens = Detector(
        trigger=r"BEGIN |Private-Lines:|eyJ|eyAi|\bewo",
        behind=WHOLE,
        ahead=WHOLE,
        find=lambda data, _start, _end: sticky.spans(data),
        is_exact=True,
    )
    own = (rule.detector for rule in RULES)
    others = (*vendors.DETECTORS, *commands.DETECTORS, *assignments.DETECTORS, *manifests.DETECTORS, *wording.DETECTORS)
    return Watch((*own, *others, keys_and_tokens, *DECODERS))


def _private_spans(data: bytes, kinds: frozenset[str]) -> tuple[list[ByteSpan], Table | None]:
    """Private values of these types. Text dense in them is read cell by cell first: less is left for the triggers."""
    if kinds.isdisjoint(cells.KINDS) or not cells.is_dense(data):
        return list(_private_watch(kinds).found(data)), None
    # Here, as it brings numpy: most processes never meet a table of private values.
    from gateway.masking import columns

    table = columns.taken(data, kinds)
    return list(_private_watch(kinds).found(table.left())), table


@lru_cache(maxsize=64)
def _private_watch(kinds: frozenset[str]) -> Watch[ByteSpan]:
    """The private formats of these types; a process meets as many sets as its tenants' policies name."""
    return Watch([detector for kind, detector in DETECTORS if kind in kinds])


def merged(found: list[ByteSpan]) -> list[ByteSpan]:
    """Disjoint spans in order. Overlapping ones become one run, named by its most particular, then longest, part."""
    runs: list[ByteSpan] = []
    reached = longest = 0
    found = sorted(found)
    # Told without a look at each: a table's values hardly ever overlap.
    if all(map(lt, map(_START, found), map(_END, found))) and all(map(le, map(_END, found), map(_START, found[1:]))):
        return found
    for span in found:
        start, end, kind, rule = span
        if end <= start:
            continue
        if start >= reached:
            runs.append(span)
            # Weighed only where another one overlaps it.
            reached, longest = end, -1
            continue
        last = runs[-1]
        longest = _weight(last) if longest < 0 else longest
        weight = _weight(span)
        if weight > longest:
            longest, last = weight, last._replace(kind=kind, rule=rule)
        reached = max(reached, end)
        runs[-1] = last._replace(end=reached)
    return runs


def _weight(span: ByteSpan) -> int:
    """Particular types before the plain `secret`, vendor rules before our generic ones, then length."""
    is_generic = span.rule in ("assigned-secret", "cli-option", "element-secret", "pair-secret", "prose-password")
    return (
        (span.kind != SensitivityClass.SECRET) * 2_000_000_000
        + (not is_generic) * 1_000_000_000
        + span.end
        - span.start
    )


def in_code_points(spans: Sequence[ByteSpan], data: bytes) -> list[Span]:
    """Byte offsets turned into code points, in one pass over the text."""
    if data.isascii():
        # The same four fields, and here the same offsets: a copy of each would cost more than finding it.
        return cast("list[Span]", spans)
    found: list[Span] = []
    done = points = 0
    for span in spans:
        start = points + len(data[done : span.start].decode("utf-8", "replace"))
        points = start + len(data[span.start : span.end].decode("utf-8", "replace"))
        done = span.end
        found.append(Span(start, points, span.kind, span.rule))
    return found


_BEFORE_NUMBER = re.compile(r"\"\s{0,8}:\s{0,8}\Z")
_JSON_NUMBER = re.compile(r"-?\d+", re.ASCII)
_MAY_STAND_BEFORE = frozenset(": \t\r\n")


def replaced(text: str, spans: Sequence[Span], tally: Tally, writing: Writing = PLAIN) -> str:
    """`text` with a token in place of each span, counted; 0 for a bare number of JSON, which must stay one."""
    if not spans:
        return text
    pieces: list[str] = []
    done, is_plain = 0, writing.is_plain
    for start, end, kind, _rule in spans:
        written = token(kind) if is_plain else writing.text(kind, text[start:end])
        if text[start - 1 : start] in _MAY_STAND_BEFORE and _is_json_number(text, start, text[start:end]):
            written = "0"
        pieces += (text[done:start], written)
        done = end
    tally.add_all(spans, text)
    return "".join((*pieces, text[done:]))


def _is_json_number(text: str, start: int, value: str) -> bool:
    """A bare number after a JSON name: a token there would leave no JSON."""
    is_number = _JSON_NUMBER.fullmatch(value) is not None
    return is_number and _BEFORE_NUMBER.search(text[max(0, start - 20) : start]) is not None
