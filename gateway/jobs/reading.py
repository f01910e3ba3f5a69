"""Reading one S3 object through the masker, in constant memory: what an agent's edge would do with the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.masking.bodies import BodyMasker, End, MaskReport, Withheld
from gateway.masking.headers import Headers
from gateway.masking.masker import open_body
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, MaskPlan, OpaqueChoice

CHUNK = 256 * 1024


class Unreadable(Exception):
    """The object's bytes cannot be scanned, or stop being scannable on the way; nothing of it may be passed on."""


class MaskedObject:
    """A masked object on its way. `headers` say what its bytes are; `report` is there once all of it was read."""

    def __init__(self, answer: Mapping[str, Any], plan: MaskPlan) -> None:
        """Open what GetObject answered; raises Unreadable where its head alone says no."""
        headers = tuple((str(name), str(value)) for name, value in answer["ResponseMetadata"]["HTTPHeaders"].items())
        masker = open_body(200, headers, plan)
        if not isinstance(masker, BodyMasker):
            raise Unreadable(masker.reason.value)
        self._body, self._masker = answer["Body"], masker
        self.report: MaskReport | None = None
        # A short body decides its headers at its end: it is read now.
        self._parts = list(self._read()) if masker.headers is None else None
        self.headers = {name.lower(): value for name, value in self._head}

    @property
    def _head(self) -> Headers:
        return self._end.headers if self._parts is not None else self._masker.headers or ()

    def chunks(self) -> Iterator[bytes]:
        """The masked bytes, once; raises Unreadable."""
        return iter(self._parts) if self._parts is not None else self._read()

    def _read(self) -> Iterator[bytes]:
        for chunk in self._body.iter_chunks(CHUNK):
            yield _sendable(self._masker.feed(chunk))
        end = self._masker.finish()
        if not isinstance(end, End):
            raise Unreadable(end.reason.value)
        self._end, self.report = end, end.report
        yield end.body


def _sendable(part: bytes | Withheld) -> bytes:
    if isinstance(part, Withheld):
        raise Unreadable(part.reason.value)
    return part


def plan_for(detectors: bytes, opaque: OpaqueChoice) -> MaskPlan:
    """Every secret masked, nothing cleared; `opaque` is for what cannot be read."""
    return MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB, opaque=opaque, detectors=detectors)
