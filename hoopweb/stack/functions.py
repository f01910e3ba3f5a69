"""What moto's Lambda without Docker leaves out: logs, errors of functions, and answers that stream.

A seeded function answers what moto was told; a payload with `raise` makes it fail. Nothing is ever run.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
import struct
from collections.abc import Callable, Iterable
from typing import Any

from hoopweb.stack.accesslog import Application, Environ

_INVOKED = re.compile(r"/2015-03-31/functions/[^/]+/invocations\Z")
_STREAMED = re.compile(r"/2021-11-15/functions/([^/]+)/response-streaming-invocations\Z")
# Small, so that words and secrets of an answer lie across the edges of its events.
STREAM_PIECE_BYTES = 16
Headers = list[tuple[str, str]]


class Functions:
    """WSGI middleware around moto for the two ways a function is invoked; everything else passes."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", ""))
        streamed = _STREAMED.match(path)
        if environ.get("REQUEST_METHOD") != "POST" or not (streamed or _INVOKED.match(path)):
            return self._application(environ, start_response)
        event = _body(environ)
        if streamed:
            # moto routes by the first of them, and falls back to werkzeug's own.
            for name in ("PATH_INFO", "RAW_URI", "REQUEST_URI"):
                environ[name] = f"/2015-03-31/functions/{streamed[1]}/invocations"
        status, headers, answer = self._invoked(environ)
        is_asked = environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse") == "RequestResponse"
        error = _error_of(event) if status.startswith("200") and is_asked else None
        if error is not None:
            answer = json.dumps(error).encode()
        if not status.startswith("200"):
            start_response(status, headers)
        elif streamed:
            start_response(status, [("Content-Type", "application/vnd.amazon.eventstream"), *_VERSION])
            return [_stream(answer, error, log=_wants_log(environ))]
        else:
            start_response(status, _sync_headers(environ, headers, answer, error))
        return [answer]

    def _invoked(self, environ: Environ) -> tuple[str, Headers, bytes]:
        heard: list[tuple[str, Headers]] = []

        def listen(status: str, headers: Headers, *_: Any) -> None:
            heard.append((status, headers))

        answer = b"".join(self._application(environ, listen))
        return (*heard[0], answer)


_VERSION = [("X-Amz-Executed-Version", "$LATEST")]


def _body(environ: Environ) -> bytes:
    """The whole payload, put back for moto."""
    is_terminated = environ.get("wsgi.input_terminated", False)
    body: bytes = environ["wsgi.input"].read() if is_terminated else environ["wsgi.input"].read(_length(environ))
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    return body


def _length(environ: Environ) -> int:
    return int(environ.get("CONTENT_LENGTH") or 0)


def _error_of(event: bytes) -> dict[str, Any] | None:
    try:
        asked = json.loads(event or b"null")
    except ValueError:
        return {"errorType": "Runtime.UnmarshalError", "errorMessage": "Unable to unmarshal input"}
    if not isinstance(asked, dict) or "raise" not in asked:
        return None
    return {"errorType": "ValueError", "errorMessage": str(asked["raise"]), "stackTrace": []}


def _wants_log(environ: Environ) -> bool:
    return environ.get("HTTP_X_AMZ_LOG_TYPE") == "Tail"


def _log(answer: bytes) -> str:
    """Functions log what they answer, as careless ones do."""
    lines = ("START RequestId: 1 Version: $LATEST", f"[INFO] returning {answer.decode()}", "END RequestId: 1", "")
    return base64.b64encode("\n".join(lines).encode()).decode()


def _sync_headers(environ: Environ, headers: Headers, answer: bytes, error: dict[str, Any] | None) -> Headers:
    kept = [pair for pair in headers if pair[0].lower() != "content-length"]
    made = [*kept, *_VERSION, ("Content-Length", str(len(answer)))]
    if error is not None:
        made.append(("X-Amz-Function-Error", "Unhandled"))
    if _wants_log(environ):
        made.append(("X-Amz-Log-Result", _log(answer)))
    return made


def _stream(answer: bytes, error: dict[str, Any] | None, *, log: bool) -> bytes:
    pieces = [answer[at : at + STREAM_PIECE_BYTES] for at in range(0, len(answer), STREAM_PIECE_BYTES)]
    sent = [] if error is not None else [_event("PayloadChunk", "application/octet-stream", one) for one in pieces]
    end: dict[str, str] = {"LogResult": _log(answer)} if log else {}
    if error is not None:
        end |= {"ErrorCode": str(error["errorType"]), "ErrorDetails": str(error["errorMessage"])}
    return b"".join([*sent, _event("InvokeComplete", "application/json", json.dumps(end).encode())])


def _event(kind: str, content_type: str, payload: bytes) -> bytes:
    """One message of application/vnd.amazon.eventstream."""
    named = {":message-type": "event", ":event-type": kind, ":content-type": content_type}
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in named.items()
    )
    lengths = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    whole = lengths + struct.pack(">I", binascii.crc32(lengths)) + headers + payload
    return whole + struct.pack(">I", binascii.crc32(whole))
