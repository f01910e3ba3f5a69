"""The leaves of a decoded body turned into replacements: by path, by name, by layer, and by one scan over the rest.

Reading and writing the body is `structural`'s; what looks like a secret in text is `content`'s.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from gateway.masking import jsontext, sticky
from gateway.masking.assignments import kind_of_name
from gateway.masking.catalogue import ByteSpan
from gateway.masking.content import DEEPEST_LAYER, EVERY_SECRET, ContentScanner, Span, Wanted, merged, replaced
from gateway.masking.decoding import LARGEST_ENCODED
from gateway.masking.jsontext import Malformed
from gateway.masking.leaves import Leaf, leaves_of
from gateway.masking.people import Labelled, Name, People
from gateway.masking.plausible import Strength, is_plausible, name_strength
from gateway.masking.replacement import BLOB_NAMES, Scalar, Tally, from_base64, is_base64, to_base64, typed

# Shorter text cannot hold a name and a secret in a second layer.
SHORTEST_LAYER = 12
# What JSON inside a value begins with, space before it included: whatever `lstrip` takes off.
_OPENING = frozenset(
    "{[ \t\n\r\f\v\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)

# How base64 begins that is no shorter than SHORTEST_LAYER: told of every value, so that few are looked at whole.
_MAY_BE_BASE64 = re.compile(r"[A-Za-z0-9+/]{10}").match

Retype = Callable[..., Scalar]
_NO_STRENGTH = Strength.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Masking:
    """How one body is masked: the detectors, what is wanted, where counts go, how a whole leaf is replaced.

    `people` looks for names, where policy asks for them.
    """

    scanner: ContentScanner
    tally: Tally
    wanted: Wanted = EVERY_SECRET
    retype: Retype = typed
    layer: int = 0
    people: People | None = None

    def deeper(self) -> Masking:
        """The same, one encoding further in, where values are JSON's."""
        return Masking(
            scanner=self.scanner, tally=self.tally, wanted=self.wanted, layer=self.layer + 1, people=self.people
        )

    def leaves(self, leaves: Iterable[Leaf]) -> dict[int, Scalar]:
        """Replacements by leaf index."""
        work = _Work(self)
        work.take_all(leaves)
        work.scan()
        return work.replacements

    def text(self, text: str, name: str = "") -> str:
        """A bare value: JSON inside is masked as JSON, other text as text; `name` is the label known for it."""
        if text.lstrip()[:1] in ("{", "["):
            masked = self.json_text(text)
            if masked is not None:
                return masked
        replacement = self.leaves([Leaf(0, name, text)]).get(0, text) if name else self._plain(text)
        return str(replacement)

    def json_text(self, text: str) -> str | None:
        """JSON text with its secrets replaced in place; None when it is not (strict) JSON."""
        try:
            value = jsontext.parse(text)
            replacements = self.leaves(leaves_of(value))
        except (Malformed, RecursionError):
            return None
        return jsontext.splice(text, replacements) if replacements else text

    def _plain(self, text: str) -> str:
        spans = self.scanner.spans(text, self.wanted, layer=self.layer)
        if self.people is not None:
            [names] = self.people.spans([Labelled("", text)], self.tally)
            spans = with_names(spans, names)
        return replaced(text, spans, self.tally, self.wanted.writing)


def with_names(spans: Sequence[Span], names: Sequence[Name]) -> list[Span]:
    """Secrets and names of one text as disjoint spans."""
    return [Span(*one) for one in merged([ByteSpan(*one) for one in (*spans, *names)])] if names else list(spans)


class _Work:
    """One body's leaves on their way to replacements."""

    __slots__ = ("_how", "_parts", "_queue", "replacements")

    def __init__(self, how: Masking) -> None:
        self._how = how
        self.replacements: dict[int, Scalar] = {}
        # What is left for the scan, and how each stands there: on a line of its own, behind its name.
        self._queue: list[Leaf] = []
        self._parts: list[str] = []

    def take_all(self, leaves: Iterable[Leaf]) -> None:
        """Replace leaves at once where path, name or an inner layer decides; queue the others for the scan."""
        queue, parts = self._queue.append, self._parts.append
        for leaf in leaves:
            _place, name, value, kind, is_name = leaf
            # Most leaves are short plain text under a name that says nothing: told here, without a call for each.
            if type(value) is not str or kind is not None:
                self._take(leaf)
            elif is_name or name_strength(name) is _NO_STRENGTH:
                size = len(value)
                is_plain = (
                    is_name
                    or size < SHORTEST_LAYER
                    or (value[0] not in _OPENING and (size % 4 or _MAY_BE_BASE64(value) is None))
                )
                if is_plain or not self._is_layered(leaf, value):
                    queue(leaf)
                    parts(f'{name}: "{value}"\n' if name else f'"{value}"\n')
            else:
                self._take_named(leaf, value)

    def _take(self, leaf: Leaf) -> None:
        """A leaf that a path masks, or that is no text."""
        value = leaf.value
        if leaf.kind is not None:
            self._mask_whole(leaf, leaf.kind, "path")
        elif isinstance(value, str):
            self._take_named(leaf, value)
        elif isinstance(value, bytes):
            self._take_bytes(leaf, value)
        elif type(value) is int:
            self._is_named_secret(leaf, str(value))

    def _take_named(self, leaf: Leaf, value: str) -> None:
        """A text whose name may say that it is secret."""
        if self._is_named_secret(leaf, value):
            return
        may_be_layered = len(value) >= SHORTEST_LAYER and (not len(value) % 4 or value[0] in _OPENING)
        if not (may_be_layered and self._is_layered(leaf, value)):
            self._queue.append(leaf)
            self._parts.append(f'{leaf.name}: "{value}"\n' if leaf.name else f'"{value}"\n')

    def scan(self) -> None:
        """Scan everything queued as one text, each value on a line with its name, and map the spans back."""
        if not self._queue:
            return
        how = self._how
        spans = how.scanner.spans("".join(self._parts), how.wanted, layer=how.layer)
        found: dict[int, list[Span]] = {}
        if spans:
            starts = [
                start + (len(leaf.name) + 3 if leaf.name else 1)
                for start, leaf in zip(accumulate(map(len, self._parts), initial=0), self._queue, strict=False)
            ]
            for span in spans:
                self._assign(span, starts, found)
        if how.people is not None:
            self._read_names(how.people, found)
        for place, within in found.items():
            leaf = self._queue[place]
            self._put(leaf, str(leaf.value), within)

    def _read_names(self, people: People, found: dict[int, list[Span]]) -> None:
        texts = [Labelled(leaf.name, str(leaf.value)) for leaf in self._queue]
        for place, names in enumerate(people.spans(texts, self._how.tally)):
            if names:
                found[place] = with_names(found.get(place, ()), names)

    def _assign(self, span: Span, starts: Sequence[int], found: dict[int, list[Span]]) -> None:
        """Give each leaf the part of the span that lies in its value; names around it are only context."""
        for place in range(max(0, bisect_right(starts, span.start) - 1), len(starts)):
            offset, leaf = starts[place], self._queue[place]
            if offset >= span.end:
                break
            size = len(str(leaf.value))
            start, end = max(0, span.start - offset), min(size, span.end - offset)
            if start < end and not _is_listed_key_id(leaf, size, span):
                found.setdefault(place, []).append(Span(start, end, span.kind, span.rule))

    def _put(self, leaf: Leaf, text: str, spans: list[Span]) -> None:
        masked = replaced(text, spans, self._how.tally, self._how.wanted.writing)
        if leaf.is_name:
            # Two masked names in one mapping must stay two.
            masked = f"{masked}#{leaf.place}"
        elif is_base64(text) and (leaf.name in BLOB_NAMES or spans[0].rule.startswith("base64:")):
            masked = to_base64(masked)
        self.replacements[leaf.place] = masked

    def _mask_whole(self, leaf: Leaf, kind: str, rule: str) -> None:
        if leaf.value is None or leaf.value == "" or leaf.value == b"":
            return
        self._how.tally.add(kind, rule, leaf.value)
        self.replacements[leaf.place] = self._how.retype(
            leaf.value, kind=kind, name=leaf.name, writing=self._how.wanted.writing
        )

    def _is_named_secret(self, leaf: Leaf, text: str) -> bool:
        strength = name_strength(leaf.name)
        if strength is Strength.NONE or not is_plausible(text, strength, is_quoted=True):
            return False
        kind = kind_of_name(leaf.name)
        if not self._how.wanted.has(kind) or (type(leaf.value) is int and strength is not Strength.STRONG):
            return False
        self._mask_whole(leaf, kind, "named-secret")
        return True

    def _is_layered(self, leaf: Leaf, text: str) -> bool:
        """Follow JSON or base64 inside the value; true when the inner text was scanned in this leaf's stead."""
        if self._how.layer >= DEEPEST_LAYER:
            return False
        if text[0] in _OPENING and text.lstrip()[:1] in ("{", "["):
            masked = self._how.deeper().json_text(text)
            if masked is not None and masked != text:
                self.replacements[leaf.place] = masked
            return masked is not None
        return is_base64(text) and sticky.is_start_of_text(text) and self._is_encoded(leaf, text)

    def _is_encoded(self, leaf: Leaf, text: str) -> bool:
        decoded = from_base64(text, limit=LARGEST_ENCODED)
        masked = self._how.deeper().text(decoded, leaf.name) if decoded else decoded
        if masked is None or masked == decoded:
            return False
        self.replacements[leaf.place] = to_base64(masked)
        return True

    def _take_bytes(self, leaf: Leaf, value: bytes) -> None:
        """A CBOR blob is scanned when it is text; other bytes pass, as undecodable base64 does in JSON."""
        try:
            text = value.decode()
        except UnicodeDecodeError:
            return
        masked = self._how.deeper().text(text, leaf.name)
        if masked != text:
            self.replacements[leaf.place] = masked.encode()


def _is_listed_key_id(leaf: Leaf, size: int, span: Span) -> bool:
    """An access key's id in a member of that name is how keys are managed; where it is a bearer's, a path says so."""
    return size == 20 and span.kind == "aws-access-key" and leaf.name.lower().endswith("accesskeyid")
