"""One response through its mask plan: passed, masked whole, or withheld before its first byte.

Pure: the edge feeds chunks and sends what comes back; rendering `ResponseWithheld` is the edge's.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from gateway.masking import headers as http
from gateway.masking.catalogue import ScannerFailed
from gateway.masking.content import ContentScanner, Wanted, default_scanner
from gateway.masking.headers import Headers
from gateway.masking.jsontext import Malformed
from gateway.masking.paths import States, compile_paths
from gateway.masking.replacement import Tally, typed, typed_xml
from gateway.masking.structural import XML_PROTOCOLS, Document, open_document
from gateway.masking.values import Masking
from gateway.terms import Protocol
from gateway.wire.contract import LARGEST_SCANNED_BODY, BodyForm, MaskPlan

WITHHELD_CODE = "masking.withheld"


class Reason(StrEnum):
    """Why a response is not sent. Closed: each is explained in docs/problems."""

    TOO_LARGE = "too_large"
    NOT_TEXT = "not_text"
    ENCODED = "content_encoding"
    EVENT_STREAM = "event_stream"
    RANGE = "partial_content"
    MALFORMED = "malformed"
    SCANNER = "scanner_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """Nothing of this response may be sent; the call did run. `detail` never quotes the body."""

    reason: Reason
    detail: str = ""
    code: str = WITHHELD_CODE


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskReport:
    """What masking did: values by type and by rule, and bytes of the original body looked at or passed unread."""

    masked_by_type: Mapping[str, int] = field(default_factory=dict)
    masked_by_rule: Mapping[str, int] = field(default_factory=dict)
    bytes_scanned: int = 0
    bytes_unscanned: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The rest of a response: its headers, the body bytes not yet handed out, and the report of all of it."""

    headers: Headers
    body: bytes
    report: MaskReport


class BodyMasker:
    """One response body on its way. `headers` is None until the end where the masked body decides them.

    `feed` hands out what may be sent now (only after `headers` are known); `finish` the rest. Either may answer
    Withheld, in which case nothing was handed out and every later call answers the same.
    """

    headers: Headers | None = None

    def feed(self, chunk: bytes) -> bytes | Withheld:
        """Take the next bytes of the body; returns bytes to send at once."""
        raise NotImplementedError

    def finish(self) -> End | Withheld:
        """The body is complete: the final headers, the remaining bytes and the report."""
        raise NotImplementedError


def open_body(
    status: int, headers: Headers, plan: MaskPlan, *, method: str = "GET", scanner: ContentScanner | None = None
) -> BodyMasker | Withheld:
    """Start on a response. The headers come as upstream sent them; `method` is the request's.

    Withheld at once where the head already shows that the body cannot be masked.
    """
    wanted = Wanted(clear=plan.clear, masks=plan.masks)
    how = Masking(scanner=scanner or default_scanner(), tally=Tally(), wanted=wanted)
    if plan.is_clear or method == "HEAD" or status in (204, 304) or status < 200:
        try:
            return _Passing(_masked_head(headers, plan, how), how.tally)
        except ScannerFailed:
            return Withheld(reason=Reason.SCANNER, detail="the scan did not complete")
    return _refusal(status, headers, plan) or _Buffering(status, headers, plan, how)


def _masked_head(headers: Headers, plan: MaskPlan, how: Masking) -> Headers:
    return http.mask_headers(headers, compile_paths(plan.header_paths, plan.clear), how)


def _refusal(status: int, headers: Headers, plan: MaskPlan) -> Withheld | None:
    """What a response's head alone rules out. An empty body is judged by its length, like any other."""
    length = http.value_of(headers, "content-length") or ""
    if length == "0":
        return None
    encoding = (http.value_of(headers, "content-encoding") or "identity").strip().lower()
    if encoding not in ("", "identity"):
        return Withheld(reason=Reason.ENCODED, detail=f"the body is encoded as {encoding[:32]!r}")
    is_error = status >= 400
    if not is_error and (status == 206 or plan.reads_range):
        return Withheld(reason=Reason.RANGE, detail="a range could cut a secret in two")
    if not is_error and plan.body is BodyForm.EVENT_STREAM:
        return Withheld(reason=Reason.EVENT_STREAM, detail="event streams cannot be masked")
    if length.isdecimal() and int(length) > LARGEST_SCANNED_BODY:
        return _too_large()
    return None


def _too_large() -> Withheld:
    return Withheld(reason=Reason.TOO_LARGE, detail=f"the body is larger than {LARGEST_SCANNED_BODY} bytes")


class _Passing(BodyMasker):
    """A body a rule let through unread, or none at all: constant memory, framing and checksums as they came."""

    def __init__(self, headers: Headers, tally: Tally) -> None:
        self.headers: Headers | None = headers
        self._head = headers
        self._tally = tally
        self._passed = 0

    def feed(self, chunk: bytes) -> bytes:
        """The chunk itself."""
        self._passed += len(chunk)
        return chunk

    def finish(self) -> End:
        """Nothing is left to send."""
        return End(headers=self._head, body=b"", report=_report(self._tally, unscanned=self._passed))


class _Buffering(BodyMasker):
    """A body that is masked whole: kept up to LARGEST_SCANNED_BODY, sent at the end with headers made for it."""

    def __init__(self, status: int, headers: Headers, plan: MaskPlan, how: Masking) -> None:
        self._status, self._original, self._plan, self._how = status, headers, plan, how
        self._chunks: list[bytes] = []
        self._size = 0
        self._withheld: Withheld | None = None

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
            head = http.for_body(_masked_head(self._original, self._plan, self._how), masked, is_changed=masked != body)
        except Malformed as error:
            return self._withhold(Reason.MALFORMED, str(error))
        except _NotText:
            return self._withhold(Reason.NOT_TEXT, "the body is not text")
        except ScannerFailed:
            return self._withhold(Reason.SCANNER, "the scan did not complete")
        return End(headers=head, body=masked, report=_report(self._how.tally, scanned=len(body)))

    def _withhold(self, reason: Reason, detail: str) -> Withheld:
        self._withheld = Withheld(reason=reason, detail=detail)
        return self._withheld

    def _masked(self, body: bytes) -> bytes:
        is_error = self._status >= 400
        paths = self._plan.error_paths if is_error else self._plan.paths
        states = compile_paths(paths, self._plan.clear)
        form = BodyForm.STRUCTURE if is_error else self._plan.body
        match form:
            case BodyForm.STRUCTURE:
                return self._masked_structure(body, states, may_be_text=is_error and not states)
            case BodyForm.BLOB:
                return self._masked_blob(body)
            case BodyForm.EVENT_STREAM:
                raise Malformed("event streams cannot be masked")
            case _:
                assert_never(form)

    def _masked_structure(self, body: bytes, states: States, *, may_be_text: bool) -> bytes:
        protocol = self._plan.protocol
        try:
            document = open_document(body, protocol, states)
        except Malformed:
            # Errors of proxies and load balancers are HTML or bare text, whatever the service speaks.
            if not may_be_text or protocol is Protocol.CBOR:
                raise
            return self._masked_blob(body)
        return self._rendered(document, body)

    def _rendered(self, document: Document, body: bytes) -> bytes:
        is_xml = self._plan.protocol in XML_PROTOCOLS
        how = Masking(
            scanner=self._how.scanner,
            tally=self._how.tally,
            wanted=self._how.wanted,
            retype=typed_xml if is_xml else typed,
        )
        replacements = how.leaves(document.leaves)
        return document.render(replacements) if replacements or document.forced else body

    def _masked_blob(self, body: bytes) -> bytes:
        """A payload: JSON where it is JSON, else text in UTF-8 or (with or without its mark) UTF-16."""
        text, encoding = _decoded(body)
        masked = self._how.text(text)
        return body if masked == text else masked.encode(encoding)


class _NotText(ValueError):
    """The body is not in an encoding the scan can read."""


_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def _decoded(body: bytes) -> tuple[str, str]:
    """The text and the encoding it came in; a byte order mark stays part of UTF-16 text."""
    encoding = next((name for mark, name in _MARKS if body.startswith(mark)), None) or _by_nuls(body)
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError:
        raise _NotText from None
    if "\0" in text:
        raise _NotText
    return text, encoding


def _by_nuls(body: bytes) -> str:
    """UTF-16 without a mark shows in Latin text as a NUL in every other byte."""
    sample = body[:4096]
    if len(sample) >= 4 and len(body) % 2 == 0:
        half = len(sample) // 2
        if sample[1::2].count(0) > half * 0.6:
            return "utf-16-le"
        if sample[0::2].count(0) > half * 0.6:
            return "utf-16-be"
    return "utf-8"


def _report(tally: Tally, *, scanned: int = 0, unscanned: int = 0) -> MaskReport:
    return MaskReport(
        masked_by_type=dict(tally.by_type),
        masked_by_rule=dict(tally.by_rule),
        bytes_scanned=scanned,
        bytes_unscanned=unscanned,
    )
