"""A payload on its way: judged by its beginning, then masked inside its codings, passed, or withheld.

Small ones are kept whole, so that an untouched one keeps its length and checksums; the rest is streamed.
"""

from __future__ import annotations

from gateway.masking import headers as http
from gateway.masking.bodies import BodyMasker, End, MaskReport, Reason, Withheld, report_of, withheld_by
from gateway.masking.catalogue import ScannerFailed
from gateway.masking.codings import Coding, Plain, Undecodable, opened
from gateway.masking.content_types import SAMPLE, Readability, classify
from gateway.masking.headers import Headers
from gateway.masking.ranged import Part, Ranged
from gateway.masking.replacement import Tally
from gateway.masking.streaming import Masker, NotText
from gateway.masking.values import Masking
from gateway.wire.contract import MaskPlan, OpaqueChoice

# So much is kept before anything is sent: answers of this size keep true lengths and checksums.
LARGEST_KEPT = 1024 * 1024
# A body that says it is larger is judged by its beginning and sent on from there.
BEGINNING = 64 * 1024
# How the second and later bytes of a UTF-8 character begin.
_CONTINUED = bytes(range(0x80, 0xC0))
_CODINGS = frozenset(("", "identity", "aws-chunked", "gzip", "x-gzip", "zstd"))


class Payload(BodyMasker):
    """One payload. The headers come as upstream sent them, and once more masked."""

    def __init__(
        self, headers: Headers, masked_headers: Headers, plan: MaskPlan, how: Masking, *, part: Part | None = None
    ) -> None:
        self._part = part
        self._original, self._masked_headers, self._plan, self._how = headers, masked_headers, plan, how
        self._kept: list[bytes] = []
        self._size = 0
        self._way: Masked | Ranged | Passed | None = None
        self._withheld: Withheld | None = None
        stated = http.value_of(headers, "content-length") or ""
        is_large = stated.isdecimal() and int(stated) > LARGEST_KEPT
        self._stated = int(stated) if stated.isdecimal() else None
        self._most_kept = BEGINNING if is_large else LARGEST_KEPT

    @property
    def held(self) -> int:
        """How many bytes are kept now."""
        return self._size if self._way is None else self._way.held

    @property
    def appetite(self) -> int:
        """How many bytes may be fed before the next scan takes its milliseconds."""
        return self._most_kept - self._size if self._way is None else self._way.appetite

    def feed(self, chunk: bytes) -> bytes | Withheld:
        """Take the next bytes; hands out none before enough is seen to judge them."""
        if self._withheld is not None:
            return self._withheld
        self._size += len(chunk)
        if self._way is not None:
            return self._guarded(chunk)
        self._kept.append(chunk)
        return self._begin() if self._size > self._most_kept else b""

    def finish(self) -> End | Withheld:
        """The rest. A payload that was kept whole and holds nothing secret is upstream's own, checksums and all."""
        is_whole = self._way is None
        body = b"".join(self._kept)
        sent = self._begin() if is_whole else b""
        rest = self._guarded(None) if self._withheld is None else self._withheld
        if isinstance(sent, Withheld) or isinstance(rest, Withheld):
            return sent if isinstance(sent, Withheld) else rest  # type: ignore[return-value]  # one of them is
        report = self._way.report(self._size) if self._way else report_of(self._how.tally)
        if not is_whole:
            return End(headers=self.headers or (), body=rest, report=report)
        if isinstance(self._way, Ranged):
            return End(headers=self._way.headers, body=sent + rest, report=report)
        out = sent + rest if self._way and self._way.is_changed else body
        head = http.for_body(self._masked_headers, out, is_changed=out != body)
        return End(headers=head, body=out, report=report)

    def _begin(self) -> bytes | Withheld:
        """Judge what is there, and send it the way it goes."""
        kept, self._kept = b"".join(self._kept), []
        judged = self._judged(kept[:BEGINNING])
        if isinstance(judged, Withheld):
            self._withheld = judged
            return judged
        self._way = judged
        self.headers, self.length = judged.headers, judged.length
        return self._guarded(kept)

    def _judged(self, beginning: bytes) -> Masked | Ranged | Passed | Withheld:
        try:
            coding, sample = opened(beginning, SAMPLE)
        except Undecodable as error:
            return self._unreadable(Reason.UNDECODABLE, str(error))
        if self._part is not None and not isinstance(coding, Plain):
            return self._unreadable(Reason.RANGE, "a part of packed text")
        kind = classify(
            http.value_of(self._original, "content-type") or "",
            sample if self._part is None else _whole_characters(sample),
        )
        match kind.readability:
            case Readability.DECODED:
                encoding = (http.value_of(self._original, "content-encoding") or "").lower()
                if not {each.strip() for each in encoding.split(",")} <= _CODINGS:
                    return self._unreadable(Reason.ENCODED, f"the body is encoded as {encoding[:32]!r}")
                if self._part is not None:
                    return Ranged(self._masked_headers, self._plan, self._how, part=self._part, is_read=True)
                return Masked(coding, self._masked_headers, self._plan, self._how, whole=self._most_kept)
            case Readability.OPAQUE:
                return self._unreadable(Reason.OPAQUE, kind.name)
            case Readability.UNKNOWN:
                return self._unreadable(Reason.UNKNOWN, kind.name)

    def _unreadable(self, reason: Reason, detail: str) -> Ranged | Passed | Withheld:
        if self._plan.opaque is OpaqueChoice.PASS:
            if self._part is not None:
                return Ranged(self._masked_headers, self._plan, self._how, part=self._part, is_read=False)
            return Passed(self._masked_headers, self._how.tally, self._stated)
        return Withheld(reason=reason, detail=detail, may_be_asked=self._plan.opaque is OpaqueChoice.ASK)

    def _guarded(self, chunk: bytes | None) -> bytes | Withheld:
        """Feed, or finish where there is no chunk; a failure is for good."""
        try:
            if self._way is None:
                return b""
            return self._way.finish() if chunk is None else self._way.feed(chunk)
        except Undecodable as error:
            self._withheld = Withheld(reason=Reason.UNDECODABLE, detail=str(error))
        except NotText:
            self._withheld = Withheld(reason=Reason.UNKNOWN, detail="text that turns into something else")
        except ScannerFailed as error:
            self._withheld = withheld_by(error)
        return self._withheld


def _whole_characters(sample: bytes) -> bytes:
    """A sample without the rest of a character that a part may begin with."""
    return sample[min(3, len(sample) - len(sample.lstrip(_CONTINUED))) :]


class Masked:
    """Text, masked inside its codings and packed again."""

    def __init__(self, coding: Coding, headers: Headers, plan: MaskPlan, how: Masking, *, whole: int) -> None:
        self.headers = http.for_stream(headers)
        self.length: int | None = None
        self._coding = coding
        self._all = how.tally
        # The body's own counts: secrets in headers do not change the body.
        self._tally = Tally(salt=how.tally.salt)
        self._masker = Masker(plan, scanner=how.scanner, tally=self._tally, whole=whole, people=how.people)

    @property
    def held(self) -> int:
        """How many bytes are kept now."""
        return self._masker.held

    @property
    def appetite(self) -> int:
        """How many bytes may be fed before the next scan."""
        return self._masker.appetite

    @property
    def is_changed(self) -> bool:
        """Whether anything was replaced."""
        return bool(self._tally)

    def feed(self, chunk: bytes) -> bytes:
        """Masked bytes in the body's own coding."""
        return b"".join(self._coding.encode(self._masker.feed(piece)) for piece in self._coding.decode(chunk))

    def finish(self) -> bytes:
        """The rest, and the coding's own end."""
        last = self._masker.feed(self._coding.done()) + self._masker.finish()
        return self._coding.encode(last) + self._coding.end()

    def report(self, size: int) -> MaskReport:
        """All of it was looked at."""
        self._all.merge(self._tally)
        return report_of(self._all, scanned=size)


class Passed:
    """Bytes the connection lets through unread: framing and checksums as they came."""

    held = 0
    # Nothing is scanned, so nothing takes long.
    appetite = 1 << 40
    is_changed = False

    def __init__(self, headers: Headers, tally: Tally, length: int | None) -> None:
        self.headers = headers
        self.length = length
        self._tally = tally

    def feed(self, chunk: bytes) -> bytes:
        """The chunk itself."""
        return chunk

    def finish(self) -> bytes:
        """Nothing is left."""
        return b""

    def report(self, size: int) -> MaskReport:
        """None of it was looked at."""
        return report_of(self._tally, unscanned=size)
