"""The far ends of the notices' channels: a web server that keeps what it was posted, and a mail server likewise."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope, Session

from hoopweb.stack.ports import free_port


@dataclass(slots=True)
class Receiver:
    """Answers each POST with the next of `statuses`, then with 204; one whose body holds `unbearable`, with 400."""

    url: str
    statuses: list[int] = field(default_factory=list)
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    unbearable: bytes = b""

    def answer_to(self, body: bytes) -> int:
        if self.unbearable and self.unbearable in body:
            return 400
        return self.statuses.pop(0) if self.statuses else 204


@contextmanager
def receiver() -> Iterator[Receiver]:
    told = Receiver(url="")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.posts.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(told.answer_to(body))
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing: the test looks at what came."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}/hooks/a-token-of-the-receivers?team=red"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# Without slots: aiosmtpd asks its handler for every attribute it has, which fails on slots before Python 3.11.4.
@dataclass
class MailServer:
    """A mail server of this machine. While `refuses`, it takes nothing."""

    port: int
    refuses: bool = False
    mails: list[tuple[list[str], Message]] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        if self.refuses:
            return "451 try later"
        assert isinstance(envelope.content, bytes)
        self.mails.append((list(envelope.rcpt_tos), message_from_bytes(envelope.content)))
        return "250 taken"


@contextmanager
def mail_server() -> Iterator[MailServer]:
    told = MailServer(port=free_port())
    controller = Controller(told, hostname="127.0.0.1", port=told.port)
    controller.start()
    try:
        yield told
    finally:
        controller.stop()
