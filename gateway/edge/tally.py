"""What is counted about one forwarded call while it runs, and the outcome it adds up to.

Where the numbers come from is `forwarding` and `relaying`; where the outcome goes, `journal` and `control`.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from uuid import UUID

from gateway.edge import http1
from gateway.edge.upstream import AnswerHead
from gateway.masking.decoy_watch import MOST_FOUND, Found
from gateway.terms import OutcomeKind
from gateway.wire.contract import LARGEST_RECORDED_HEAD, Outcome

_REQUEST_IDS = ("x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id")
LARGEST_NOTED_TEXT = 256


class CallTally:
    """One call's counts. COMPLETED: AWS's answer was read. FAILED: sent, and it ended badly for a known reason."""

    def __init__(self, *, id: UUID, salt: bytes) -> None:  # noqa: A002  # the contract's word
        self.id = id
        self.salt = salt
        self.is_ended = False
        self.bytes_scanned = 0
        self.bytes_unscanned = 0
        self.bytes_unread = 0
        # Met in the payload on its way up.
        self.decoys: tuple[Found, ...] = ()
        self._masked_by_type: Mapping[str, int] = {}
        self._masked_by_rule: Mapping[str, int] = {}
        self._masked_values: tuple[str, ...] = ()
        self._mask_rules = ""
        self._kind = OutcomeKind.NOT_SENT
        self._error = ""
        self._started_at: float | None = None
        self._answer: AnswerHead | None = None
        self._bytes_up = 0
        self._bytes_down = 0
        self._head = bytearray()
        self._shown = 0
        self._request = hmac.new(salt, digestmod="sha256") if salt else None
        self._response = hmac.new(salt, digestmod="sha256") if salt else None

    @property
    def was_sent(self) -> bool:
        return self._started_at is not None

    @property
    def has_answer(self) -> bool:
        return self._answer is not None

    def left(self, at: float) -> None:
        """The first byte is about to leave."""
        self._started_at = at

    def sent_up(self, data: bytes) -> None:
        """Clear bytes of the request's body."""
        self._bytes_up += len(data)
        if self._request is not None:
            self._request.update(data)

    def answered(self, head: AnswerHead) -> None:
        self._answer = head

    def came_down(self, data: bytes) -> None:
        """Clear bytes of the answer's body."""
        self._bytes_down += len(data)
        if self._response is not None:
            self._response.update(data)

    def showed(self, data: bytes) -> None:
        """Masked bytes on their way to the client."""
        self._shown += len(data)
        if len(self._head) < LARGEST_RECORDED_HEAD:
            self._head += data[: LARGEST_RECORDED_HEAD - len(self._head)]

    def masked(
        self, *, by_type: Mapping[str, int], by_rule: Mapping[str, int], values: tuple[str, ...], rules: str
    ) -> None:
        """What the masker reports: counts, commitments to values, the version of its rules."""
        self._masked_by_type, self._masked_by_rule = by_type, by_rule
        self._masked_values, self._mask_rules = values, rules

    def end(self, kind: OutcomeKind, *, error: str = "") -> None:
        """Say how the call ended; the first word stands."""
        if not self.is_ended:
            self.is_ended, self._kind, self._error = True, kind, error

    def outcome(self, now: float) -> Outcome:
        headers = self._answer.headers if self._answer is not None else ()
        request_id = next((found for name in _REQUEST_IDS if (found := http1.header(headers, name))), "")
        return Outcome(
            id=self.id,
            kind=self._kind,
            ended_at=now,
            started_at=self._started_at,
            status=self._answer.status if self._answer is not None else None,
            aws_request_id=request_id[:LARGEST_NOTED_TEXT],
            error=self._error,
            bytes_up=self._bytes_up if self.was_sent else 0,
            bytes_down=self._bytes_down,
            bytes_scanned=self.bytes_scanned,
            bytes_unscanned=self.bytes_unscanned,
            bytes_unread=self.bytes_unread,
            masked_by_type=dict(self._masked_by_type),
            masked_by_rule=dict(self._masked_by_rule),
            masked_values=self._masked_values,
            mask_rules=self._mask_rules,
            request_commitment=self._request.hexdigest() if self._request is not None and self.was_sent else "",
            response_commitment=self._response.hexdigest() if self._response is not None and self.has_answer else "",
            content_type=http1.header(headers, "content-type")[:LARGEST_NOTED_TEXT],
            head=bytes(self._head),
            head_is_whole=self._shown <= LARGEST_RECORDED_HEAD,
            decoys=tuple(map(str, self.decoys[:MOST_FOUND])),
        )
