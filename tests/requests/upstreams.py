"""Upstreams that answer as no AWS should: a small socket server that does as it is told and counts who came."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

Act = Callable[[socket.socket], None]


class Upstream:
    """Accepts connections, reads each request's head, and lets `act` do the rest."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.heads: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing alone would leave the thread in `accept` one more peer to take.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            with peer:
                head = b""
                while b"\r\n\r\n" not in head and (chunk := peer.recv(65536)):
                    head += chunk
                self.heads.append(head)
                self._act(peer)


def saying(answer: bytes) -> Act:
    """Answer with these bytes and close."""
    return lambda peer: peer.sendall(answer)


def endless(head: bytes, piece: bytes) -> Act:
    """An answer that does not stop by itself."""

    def act(peer: socket.socket) -> None:
        try:
            peer.sendall(head)
            while True:
                peer.sendall(piece)
        except OSError:
            return

    return act
