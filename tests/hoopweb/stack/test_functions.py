"""The stand-in's Lambda: logs, failures and streams, read back by an ordinary boto3."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterable
from typing import Any

from botocore.eventstream import EventStreamBuffer

from hoopweb.stack.functions import STREAM_PIECE_BYTES, Functions

INVOKE = "/2015-03-31/functions/quote/invocations"
STREAM = "/2021-11-15/functions/quote/response-streaming-invocations"
ANSWER = b'{"quote": "EUR 42.00", "validMinutes": 30}'


def moto(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answers every invocation alike, and says what came."""
    assert environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])) is not None
    is_there = "quote" in environ["PATH_INFO"]
    event = environ.get("HTTP_X_AMZ_INVOCATION_TYPE") == "Event"
    start_response(
        ("202 Accepted" if event else "200 OK") if is_there else "404 Not Found", [("Content-Type", "application/json")]
    )
    return [ANSWER]


class Answer:
    def __init__(self, path: str, payload: bytes = b"{}", method: str = "POST", **headers: str) -> None:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "CONTENT_LENGTH": str(len(payload)),
            "wsgi.input": io.BytesIO(payload),
            **{f"HTTP_X_AMZ_{name.upper()}": value for name, value in headers.items()},
        }
        self.body = b"".join(Functions(moto)(environ, self._start))

    def _start(self, status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        self.status, self.headers = status, {name.lower(): value for name, value in headers}

    @property
    def events(self) -> list[tuple[str, bytes]]:
        buffer = EventStreamBuffer()
        buffer.add_data(self.body)
        return [(one.headers[":event-type"], one.payload) for one in buffer]


def test_a_plain_invocation_is_motos_own() -> None:
    answer = Answer(INVOKE)
    assert (answer.status, answer.body) == ("200 OK", ANSWER)
    assert "x-amz-function-error" not in answer.headers
    assert "x-amz-log-result" not in answer.headers


def test_the_log_is_there_for_who_asks() -> None:
    answer = Answer(INVOKE, log_type="Tail")
    assert b"EUR 42.00" in base64.b64decode(answer.headers["x-amz-log-result"])


def test_a_function_fails_as_its_payload_says() -> None:
    answer = Answer(INVOKE, b'{"raise": "no such customer"}')
    assert answer.headers["x-amz-function-error"] == "Unhandled"
    assert json.loads(answer.body)["errorMessage"] == "no such customer"
    assert answer.headers["content-length"] == str(len(answer.body))


def test_what_is_only_queued_neither_fails_nor_logs() -> None:
    answer = Answer(INVOKE, b'{"raise": "later"}', invocation_type="Event", log_type="Tail")
    assert (answer.status, answer.body) == ("202 Accepted", ANSWER)


def test_a_stream_brings_the_same_answer_in_small_pieces_with_good_checksums() -> None:
    events = Answer(STREAM, log_type="Tail").events
    pieces = [payload for kind, payload in events if kind == "PayloadChunk"]
    assert b"".join(pieces) == ANSWER
    assert max(map(len, pieces)) == STREAM_PIECE_BYTES
    assert "LogResult" in json.loads(events[-1][1])


def test_a_stream_that_fails_says_so_at_its_end() -> None:
    ((kind, payload),) = Answer(STREAM, b'{"raise": "half way"}').events
    assert kind == "InvokeComplete"
    assert json.loads(payload) == {"ErrorCode": "ValueError", "ErrorDetails": "half way"}


def test_an_unknown_function_and_other_calls_pass_untouched() -> None:
    assert Answer(INVOKE.replace("quote", "other")).status == "404 Not Found"
    assert Answer("/2015-03-31/functions/quote", b'{"raise": "x"}').body == ANSWER
    assert Answer(INVOKE, b'{"raise": "x"}', method="GET").body == ANSWER
