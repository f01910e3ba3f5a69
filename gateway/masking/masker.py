"""One response through its mask plan: passed, masked, or withheld before its first byte.

Pure: the edge feeds chunks and sends what comes back; rendering `ResponseWithheld` is the edge's. Payloads are
`payloads`' work, modelled structures are done here.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.masking import headers as http
from gateway.masking.bodies import BodyMasker, End, Reason, Withheld, report_of, withheld_by
from gateway.masking.catalogue import ScannerFailed
from gateway.masking.content import ContentScanner, Wanted, scanner_for, wanted_by
from gateway.masking.frames import EventStream
from gateway.masking.headers import Headers
from gateway.masking.jsontext import Malformed
from gateway.masking.paths import compile_paths
from gateway.masking.payloads import Payload
from gateway.masking.people import NameReader, NamesUnread, People
from gateway.masking.ranged import Part
from gateway.masking.replacement import Tally, typed_xml
from gateway.masking.structural import XML_PROTOCOLS, open_document, utf8
from gateway.masking.values import Masking
from gateway.terms import Protocol
from gateway.wire.contract import LARGEST_SCANNED_BODY, BodyForm, MaskPlan
from gateway.wire.ranges import ContentRange, read_content_range, read_range


def open_body(
    status: int,
    headers: Headers,
    plan: MaskPlan,
    *,
    method: str = "GET",
    scanner: ContentScanner | None = None,
    salt: bytes = b"",
    names: NameReader | None = None,
) -> BodyMasker | Withheld:
    """Start on a response. The headers come as upstream sent them; `method` is the request's.

    Withheld at once where the head already shows that the body cannot be masked. With a `salt` the report commits to
    the values that were masked. `names` reads people's names, where the plan asks for them.
    """
    wanted = wanted_by(plan)
    try:
        how = Masking(
            scanner=scanner or scanner_for(plan.detectors),
            tally=Tally(salt=salt),
            wanted=wanted,
            people=_people(wanted, names),
        )
        masked = http.mask_headers(headers, compile_paths(plan.header_paths, plan.clear), how)
    except ScannerFailed as error:
        return withheld_by(error)
    if plan.is_clear or method == "HEAD" or status in (204, 304) or status < 200:
        return _Passing(masked, how.tally, _stated_length(headers))
    if status < 400 and plan.body is BodyForm.BLOB:
        part = _part(headers, plan) if status == 206 else None
        return part if isinstance(part, Withheld) else Payload(headers, masked, plan, how, part=part)
    if status < 400 and plan.body is BodyForm.EVENT_STREAM:
        return EventStream(masked, plan, how)
    return _refusal(headers) or _Buffering(status, masked, plan, how)


def _people(wanted: Wanted, names: NameReader | None) -> People | None:
    if not wanted.asks_for_people:
        return None
    if names is None:
        raise NamesUnread("policy asks for people's names, and there is no model to find them")
    return People(reader=names)


def _stated_length(headers: Headers) -> int | None:
    length = http.value_of(headers, "content-length") or ""
    return int(length) if length.isdecimal() else None


def _part(headers: Headers, plan: MaskPlan) -> Part | Withheld:
    """The part that a partial answer is to be trimmed to."""
    asked = read_range(plan.range)
    came = read_content_range(http.value_of(headers, "content-range") or "")
    if asked is None or came is None:
        return Withheld(reason=Reason.RANGE, detail="a range could cut a secret in two")
    found = asked.within(came.total)
    if found is None:
        return Withheld(reason=Reason.OUTSIDE, detail="the range lies behind the end")
    wanted = ContentRange(first=found[0], last=found[1], total=came.total)
    if not came.first <= wanted.first <= wanted.last <= came.last:
        return Withheld(reason=Reason.RANGE, detail="another part came than was asked for")
    return Part(asked=wanted, came=came)


def _refusal(headers: Headers) -> Withheld | None:
    """What a structure's head alone rules out. An empty body is judged by its length, like any other."""
    length = _stated_length(headers)
    if length == 0:
        return None
    encoding = (http.value_of(headers, "content-encoding") or "identity").strip().lower()
    if encoding not in ("", "identity"):
        return Withheld(reason=Reason.ENCODED, detail=f"the body is encoded as {encoding[:32]!r}")
    return _too_large() if (length or 0) > LARGEST_SCANNED_BODY else None


def _too_large() -> Withheld:
    return Withheld(reason=Reason.TOO_LARGE, detail=f"the body is larger than {LARGEST_SCANNED_BODY} bytes")


class _Passing(BodyMasker):
    """A body a rule let through unread, or none at all: constant memory, framing and checksums as they came."""

    # Nothing is scanned, so nothing takes long.
    appetite = 1 << 40

    def __init__(self, headers: Headers, tally: Tally, length: int | None) -> None:
        self.headers: Headers | None = headers
        self.length = length
        self._head = headers
        self._tally = tally
        self._passed = 0

    def feed(self, chunk: bytes) -> bytes:
        """The chunk itself."""
        self._passed += len(chunk)
        return chunk

    def finish(self) -> End:
        """Nothing is left to send."""
        return End(headers=self._head, body=b"", report=report_of(self._tally, unscanned=self._passed))


class _Buffering(BodyMasker):
    """A structure, masked whole: kept up to LARGEST_SCANNED_BODY, sent at the end with headers made for it."""

    # The scan comes at the end, whatever is fed before.
    appetite = 1 << 40

    def __init__(self, status: int, masked_headers: Headers, plan: MaskPlan, how: Masking) -> None:
        self._status, self._masked_headers, self._plan, self._how = status, masked_headers, plan, how
        self._chunks: list[bytes] = []
        self._size = 0
        self._withheld: Withheld | None = None

    @property
    def held(self) -> int:
        """All that came."""
        return self._size

    def feed(self, chunk: bytes) -> bytes | Withheld:
        """Keep the chunk; Withheld as soon as the body is too large."""
        self._size += len(chunk)
        if self._size > LARGEST_SCANNED_BODY:
            self._withheld = _too_large()
            self._chunks.clear()
        if self._withheld is not None:
            return self._withheld
        self._chunks.append(chunk)
        return b""

    def finish(self) -> End | Withheld:
        """Mask the whole; where nothing was found the body and its checksums are upstream's own."""
        if self._withheld is not None:
            return self._withheld
        body = b"".join(self._chunks)
        self._chunks.clear()
        try:
            masked = self._masked(body) if body else body
        except Malformed as error:
            return self._withhold(Reason.MALFORMED, str(error))
        except ScannerFailed as error:
            self._withheld = withheld_by(error)
            return self._withheld
        head = http.for_body(self._masked_headers, masked, is_changed=masked != body)
        return End(headers=head, body=masked, report=report_of(self._how.tally, scanned=len(body)))

    def _withhold(self, reason: Reason, detail: str) -> Withheld:
        self._withheld = Withheld(reason=reason, detail=detail)
        return self._withheld

    def _masked(self, body: bytes) -> bytes:
        is_error = self._status >= 400
        states = compile_paths(self._plan.error_paths if is_error else self._plan.paths, self._plan.clear)
        is_xml = self._plan.protocol in XML_PROTOCOLS
        how = replace(self._how, retype=typed_xml) if is_xml else self._how
        try:
            document = open_document(body, self._plan.protocol, states)
        except Malformed:
            # Errors of proxies and load balancers are HTML or bare text, whatever the service speaks.
            if not is_error or states or self._plan.protocol is Protocol.CBOR:
                raise
            return _masked_text(body, how)
        replacements = how.leaves(document.leaves)
        return document.render(replacements) if replacements or document.forced else body


def _masked_text(body: bytes, how: Masking) -> bytes:
    text = utf8(body)
    if "\0" in text:
        raise Malformed("not text")
    masked = how.text(text)
    return body if masked == text else masked.encode()
