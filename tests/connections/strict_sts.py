"""A small STS over HTTP that enforces what real AWS enforces and moto does not: the ExternalId of a role.

An edge of the world, faked; it answers AssumeRole and GetCallerIdentity in the query protocol.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs

_ERROR = '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>'
_ANSWER = '<{operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{operation}Result>{body}</{operation}Result><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{operation}Response>'


class StrictSts:
    """`external_id` is what the role demands (None: it lets anybody in). `asked` holds each call's parameters."""

    def __init__(self) -> None:
        self.external_id: str | None = None
        self.account = "123456789012"
        self.lifetime = timedelta(hours=1)
        self.failing_code = ""
        self.refusing: set[str] = set()
        self.watch: Callable[[], None] = lambda: None
        self.asked: list[dict[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, parameters: dict[str, str]) -> tuple[int, str]:
        self.watch()
        self.asked.append(parameters)
        operation = parameters["Action"]
        if self.failing_code:
            return 400, _ERROR.format(code=self.failing_code, message="as told")
        if operation == "GetCallerIdentity":
            body = f"<Arn>arn:aws:sts::{self.account}:assumed-role/r/s</Arn><UserId>u</UserId><Account>{self.account}</Account>"
            return 200, _ANSWER.format(operation=operation, body=body)
        if parameters.get("RoleArn") in self.refusing:
            return 403, _ERROR.format(code="AccessDenied", message="is not authorized to perform: sts:AssumeRole")
        if self.external_id is not None and parameters.get("ExternalId") != self.external_id:
            return 403, _ERROR.format(code="AccessDenied", message="is not authorized to perform: sts:AssumeRole")
        return 200, _ANSWER.format(operation=operation, body=self._credentials())

    def _credentials(self) -> str:
        ends = (datetime.now(UTC) + self.lifetime).strftime("%Y-%m-%dT%H:%M:%SZ")
        return (
            f"<Credentials><AccessKeyId>ASIASESSION{len(self.asked):09d}</AccessKeyId>"
            f"<SecretAccessKey>session-secret</SecretAccessKey><SessionToken>session-token</SessionToken>"
            f"<Expiration>{ends}</Expiration></Credentials>"
        )


def _handler_for(sts: StrictSts) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, text = sts.answer({name: values[0] for name, values in parse_qs(body).items()})
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Quiet: what was asked is in `asked`."""

    return Handler
