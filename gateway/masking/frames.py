"""Event streams: every frame opened, masked as what it is, and framed anew with true checksums.

A frame of JSON or XML is a document of its own. Payloads without structure (rows of S3 Select, chunks of a function's
answer) are one text cut anywhere, so a secret that lies in two frames is found and held back until it is whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gateway.masking import headers as http
from gateway.masking.bodies import BodyMasker, End, Reason, Withheld, report_of, withheld_by
from gateway.masking.catalogue import ScannerFailed
from gateway.masking.cutting import CONTEXT
from gateway.masking.deltas import Deltas, is_aside
from gateway.masking.headers import Headers
from gateway.masking.jsontext import Malformed
from gateway.masking.leaves import Leaf
from gateway.masking.paths import States, compile_paths, kind_of, step
from gateway.masking.replacement import token, typed, typed_xml
from gateway.masking.streaming import Masker, NotText
from gateway.masking.structural import XML_PROTOCOLS, open_document
from gateway.masking.values import Masking
from gateway.terms import Protocol
from gateway.wire.contract import MaskPlan
from gateway.wire.eventstream import Frame, FrameHeader, FrameMalformed, FrameReader, HeaderType

INITIAL = "initial-response"
# Said in every frame by AWS itself.
_OWN_HEADERS = (":message-type", ":event-type", ":exception-type", ":content-type", ":error-code")
_TEXT_TYPES = ("", "application/octet-stream", "text/plain", "binary/octet-stream")
# Smaller than an object's: whoever reads an event stream waits for it as it comes.
BLOCK = CONTEXT
LARGEST_TEXT_FRAME = 128 * 1024
# Held at once: one frame and what the text's masker keeps.
_QUICK = 32 * 1024


class EventStream(BodyMasker):
    """One event stream on its way."""

    def __init__(self, masked_headers: Headers, plan: MaskPlan, how: Masking) -> None:
        self.headers: Headers | None = http.for_stream(masked_headers)
        self._plan, self._how = plan, how
        self._states = compile_paths((*plan.paths, *plan.error_paths), plan.clear)
        self._reader = FrameReader()
        self._text: Masker | None = None
        self._deltas = Deltas(self._new_masker)
        # The last frame of the text: what is held back of it leaves in one like it.
        self._pattern: Frame | None = None
        self._size = 0
        self._withheld: Withheld | None = None

    @property
    def held(self) -> int:
        """How many bytes are kept now."""
        return self._reader.held + (self._text.held if self._text else 0) + self._deltas.held

    @property
    def appetite(self) -> int:
        """Frames are scanned as soon as they are whole; small ones in no time."""
        return _QUICK - self.held

    def feed(self, chunk: bytes) -> bytes | Withheld:
        """Masked frames, as many as are whole and decided."""
        if self._withheld is not None:
            return self._withheld
        self._size += len(chunk)
        try:
            return b"".join(out.encoded() for frame in self._reader.receive(chunk) for out in self._masked(frame))
        except (FrameMalformed, Malformed, ScannerFailed, NotText) as error:
            return self._withhold(error)

    def finish(self) -> End | Withheld:
        """The frames held back. A stream cut amid a frame does not end as if it were whole."""
        if self._withheld is not None:
            return self._withheld
        try:
            self._reader.end()
            rest = b"".join(frame.encoded() for frame in self._flushed())
        except (FrameMalformed, ScannerFailed, NotText) as error:
            return self._withhold(error)
        return End(headers=self.headers or (), body=rest, report=report_of(self._how.tally, scanned=self._size))

    def _withhold(self, error: Exception) -> Withheld:
        if isinstance(error, ScannerFailed):
            self._withheld = withheld_by(error)
        else:
            reason = Reason.UNKNOWN if isinstance(error, NotText) else Reason.EVENT_STREAM
            self._withheld = Withheld(reason=reason, detail=str(error))
        return self._withheld

    def _masked(self, frame: Frame) -> Iterator[Frame]:
        states = self._states_of(frame)
        headers = tuple(self._masked_header(one, states) for one in frame.headers)
        frame = replace(frame, headers=headers)
        kind = frame.header(":content-type").partition(";")[0].strip().lower()
        if frame.header(":message-type") == "event" and kind in _TEXT_TYPES and frame.payload:
            yield from self._masked_text(frame, states)
            return
        pieces = self._deltas.take(frame) if self._may_be_delta(frame, states) else None
        if pieces is None:
            if not self._goes_on(frame):
                yield from self._flushed()
            pieces = [frame]
        for piece in pieces:
            yield piece.with_payload(self._masked_document(piece.payload, kind, states)) if piece.payload else piece

    def _may_be_delta(self, frame: Frame, states: States) -> bool:
        """What a path masks whole has no text left that could go on in the next frame."""
        if frame.header(":message-type") != "event" or kind_of(states) or kind_of(step(states, "bytes")):
            return False
        return not kind_of(step(step(states, "delta"), "text"))

    def _goes_on(self, frame: Frame) -> bool:
        """Events that tell of progress stand between the pieces of a text; any other one ends it."""
        return frame.header(":event-type") in ("Cont", "Progress") or is_aside(frame)

    def _states_of(self, frame: Frame) -> States:
        name = frame.header(":event-type") or frame.header(":exception-type")
        return self._states if name == INITIAL else step(self._states, name)

    # -- text that goes through several frames

    def _masked_text(self, frame: Frame, states: States) -> Iterator[Frame]:
        kind = kind_of(states) or next((kind_of((child,)) for node in states for child in node.children.values()), None)
        if kind is not None:
            self._how.tally.add(kind, "path")
            yield frame.with_payload(token(kind).encode())
            return
        if self._text is None:
            self._text = self._new_masker()
        self._pattern = frame
        yield from self._framed(self._text.feed(frame.payload))

    def _new_masker(self) -> Masker:
        how = self._how
        return Masker(self._plan, scanner=how.scanner, tally=how.tally, block=BLOCK, whole=0, people=how.people)

    def _flushed(self) -> Iterator[Frame]:
        yield from self._deltas.flushed()
        if self._text is not None:
            text, self._text = self._text, None
            yield from self._framed(text.finish())

    def _framed(self, text: bytes) -> Iterator[Frame]:
        if self._pattern is not None:
            for start in range(0, len(text), LARGEST_TEXT_FRAME):
                yield self._pattern.with_payload(text[start : start + LARGEST_TEXT_FRAME])

    # -- frames that are documents

    def _masked_document(self, payload: bytes, kind: str, states: States) -> bytes:
        protocol = self._protocol_of(kind)
        how = replace(self._how, retype=typed_xml if protocol in XML_PROTOCOLS else typed)
        document = open_document(payload, protocol, states)
        replacements = how.leaves(document.leaves)
        return document.render(replacements) if replacements or document.forced else payload

    def _protocol_of(self, kind: str) -> Protocol:
        """What the frame says it holds, before what its service speaks."""
        if kind.endswith("json"):
            return Protocol.JSON
        if kind.endswith("xml"):
            return Protocol.REST_XML
        return Protocol.CBOR if kind.endswith("cbor") else self._plan.protocol

    def _masked_header(self, header: FrameHeader, states: States) -> FrameHeader:
        """A string in a header is a member like others, by its name."""
        text = header.text
        if text is None or header.name in _OWN_HEADERS:
            return header
        found = self._how.leaves([Leaf(0, header.name, text, kind_of(step(states, header.name)))])
        return replace(header, kind=HeaderType.STRING, value=str(found[0]).encode()) if found else header
