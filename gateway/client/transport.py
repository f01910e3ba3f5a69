"""HTTP to the gateway: one answer for one request, on connections kept open, in bounded time and memory.

What is sent and who signs it is `api`'s and `login`'s.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from gateway.client.errors import GatewayUnreachable, Usage

# The gateway answers in JSON of a few kilobytes; whatever is longer is not the gateway.
LARGEST_ANSWER = 2 * 1024 * 1024
# As many as the broker works for at once; more idle ones are closed.
_MOST_IDLE = 16
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer; `sent_at` is the gateway's own clock, None where it did not tell."""

    status: int
    body: bytes
    sent_at: datetime | None = None

    def fields(self) -> dict[str, Any]:
        """The body as a JSON object; raises GatewayUnreachable for anything else."""
        try:
            found = json.loads(self.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise GatewayUnreachable("What answered is not a hoopweb gateway: check the gateway's address.")
        return found


def checked_url(url: str) -> str:
    """A gateway's address without its last slash; raises Usage unless it is https (or this very machine)."""
    parts = urlsplit(url)
    is_plain = not parts.path.strip("/") and not parts.query and not parts.fragment and parts.username is None
    if parts.scheme not in {"https", "http"} or not parts.hostname or not is_plain:
        raise Usage("The gateway's address looks like https://gateway.example.com.")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise Usage("The gateway's address must begin with https://: keys do not travel in the clear.")
    return f"{parts.scheme}://{parts.netloc}"


class Transport:
    """Connections to one gateway. Safe to use from several threads at once."""

    def __init__(self, url: str, *, ca_file: str = "") -> None:
        self.url = url
        self._parts = urlsplit(url)
        self._ca_file = ca_file
        self._context: Any = None
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def send(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes, seconds: float, is_repeatable: bool
    ) -> Answer:
        """One request, one answer; raises GatewayUnreachable. A repeatable one is sent again where a kept connection
        had died unseen."""
        kept = self._kept()
        if kept is not None and is_repeatable:
            try:
                return self._on(kept, method, path, headers, body, seconds)
            except GatewayUnreachable:
                kept = None
        return self._on(kept or self._new(), method, path, headers, body, seconds)

    def _on(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        seconds: float,
    ) -> Answer:
        connection.timeout = seconds
        try:
            if connection.sock is not None:
                connection.sock.settimeout(seconds)
            connection.request(method, path, body=body or None, headers=dict(headers))
            response = connection.getresponse()
            content = response.read(LARGEST_ANSWER + 1)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise GatewayUnreachable(f"The gateway at {self.url} cannot be reached ({_cause(error)}).") from None
        if len(content) > LARGEST_ANSWER:
            connection.close()
            raise GatewayUnreachable("What answered is not a hoopweb gateway: its answer is too long.")
        self._keep(connection, is_open=not response.will_close)
        return Answer(status=response.status, body=content, sent_at=_date(response.headers.get("Date")))

    def _kept(self) -> http.client.HTTPConnection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _keep(self, connection: http.client.HTTPConnection, *, is_open: bool) -> None:
        with self._lock:
            if is_open and len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def _new(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, port)
        return http.client.HTTPSConnection(host, port, context=self._trust())

    def _trust(self) -> Any:
        import ssl  # plain loopback needs none

        if self._context is None:
            try:
                self._context = ssl.create_default_context(cafile=self._ca_file or None)
            except (OSError, ssl.SSLError):
                raise Usage(f"The file of authorities {self._ca_file} cannot be read.") from None
        return self._context


def _date(text: str | None) -> datetime | None:
    try:
        return datetime.strptime(text or "", "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    except ValueError:
        return None


def _cause(error: Exception) -> str:
    """Words for people; an OSError's own text may hold nothing but a number."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    if type(error).__name__ == "SSLCertVerificationError":
        return "its certificate is not trusted; give its authority with --ca-file"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "the connection was cut"
