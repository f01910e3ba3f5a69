"""What masking answers about one response body: bytes to send, its end with a report, or that it is withheld.

How each kind of body is masked is `masker`'s and `payloads`'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.masking.catalogue import ScannerFailed
from gateway.masking.headers import Headers
from gateway.masking.people import NamesUnread
from gateway.masking.replacement import Tally
from gateway.masking.versions import rules_version

WITHHELD_CODE = "masking.withheld"


class Reason(StrEnum):
    """Why a response is not sent. Closed: each is explained in docs/problems."""

    TOO_LARGE = "too_large"
    OPAQUE = "opaque_content"
    UNKNOWN = "unknown_content"
    ENCODED = "content_encoding"
    UNDECODABLE = "undecodable"
    EVENT_STREAM = "event_stream"
    RANGE = "partial_content"
    OUTSIDE = "range_outside"
    MALFORMED = "malformed"
    SCANNER = "scanner_failed"
    NAMES = "names_unread"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """Nothing of this response may be sent; the call did run. `detail` never quotes the body.

    `may_be_asked`: people may be asked to let it pass unread when the same call comes again.
    """

    reason: Reason
    detail: str = ""
    may_be_asked: bool = False
    code: str = WITHHELD_CODE


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskReport:
    """What masking did: values by type and by rule, and bytes of the original body looked at or passed unread.

    `values` are commitments to masked values, where a salt was given; `rules` is the version of the rules.
    `bytes_unread` is text in which names of people were not looked for although policy asks: past the bounds.
    """

    masked_by_type: Mapping[str, int] = field(default_factory=dict)
    masked_by_rule: Mapping[str, int] = field(default_factory=dict)
    bytes_scanned: int = 0
    bytes_unscanned: int = 0
    values: tuple[str, ...] = ()
    rules: str = ""
    bytes_unread: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The rest of a response: its headers, the body bytes not yet handed out, and the report of all of it."""

    headers: Headers
    body: bytes
    report: MaskReport


class BodyMasker:
    """One response body on its way. `headers` is None until the end where the masked body decides them.

    `feed` hands out what may be sent now (only after `headers` are known); `finish` the rest. Either may answer
    Withheld, and so does every later call; what was handed out before must then not end as if it were whole.
    """

    headers: Headers | None = None
    length: int | None = None

    @property
    def held(self) -> int:
        """How many bytes are kept now."""
        return 0

    @property
    def appetite(self) -> int:
        """How many bytes may be fed before the next scan takes its milliseconds."""
        return 0

    def feed(self, chunk: bytes) -> bytes | Withheld:
        """Take the next bytes of the body; returns bytes to send at once."""
        raise NotImplementedError

    def finish(self) -> End | Withheld:
        """The body is complete: the final headers, the remaining bytes and the report."""
        raise NotImplementedError


def withheld_by(error: ScannerFailed) -> Withheld:
    """What a scan that failed leaves to say."""
    if isinstance(error, NamesUnread):
        return Withheld(reason=Reason.NAMES, detail=str(error))
    return Withheld(reason=Reason.SCANNER, detail="the scan did not complete")


def report_of(tally: Tally, *, scanned: int = 0, unscanned: int = 0) -> MaskReport:
    """The report of a body whose masked values this tally counted."""
    return MaskReport(
        masked_by_type=dict(tally.by_type),
        masked_by_rule=dict(tally.by_rule),
        bytes_scanned=scanned,
        bytes_unscanned=unscanned,
        values=tuple(tally.values),
        rules=rules_version(),
        bytes_unread=tally.bytes_unread,
    )
