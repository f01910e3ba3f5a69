"""The local broker: holds the device's key, the short keys and which process tree belongs to which prompt.

One per profile, started by `starting`, asked through `link`, ended when nobody asks any more. It believes the kernel
about who asks (SO_PEERCRED) and /proc about what stands above; what callers say about themselves is only repeated.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from typing import Protocol

from gateway.client import link, starting
from gateway.client.answering import Answering
from gateway.client.api import open_gateway
from gateway.client.errors import ClientError, GatewayUnreachable, Refused, Usage
from gateway.client.options import Options, place_named
from gateway.client.state import Place

# Long enough for a person who thinks between two prompts; what is remembered ends with it.
IDLE_SECONDS = 45 * 60.0
# An agent runs a few tools at once; more callers wait in the socket's own queue.
_MOST_AT_ONCE = 48
# A caller sends its whole question at once.
_QUESTION_SECONDS = 5.0
# Whoever was waiting when the broker could not begin hears why.
_LAST_WORDS_SECONDS = 0.2


def broker(arguments: list[str]) -> int:
    """Serve a socket that `starting` made, or (`--stop`) end the broker there is."""
    options = Options("broker", "The local broker starts by itself; --stop ends it.")
    options.add_argument("--listen-fd", type=int)
    options.add_argument("--stop", action="store_true")
    options.add_argument("--serve-keys", action="store_true", help="hold a person's device key under this account")
    options.add_argument("--for-user", default="", help="with --serve-keys: whose")
    options.add_argument("--socket", default="", help="with --serve-keys: where to listen")
    given = options.parse_args(arguments)
    place = place_named(given.profile)
    if given.serve_keys:
        from gateway.client import key_broker

        key_broker.serve(place, given.for_user, given.socket)
        return 0
    if given.stop:
        stop(place)
        return 0
    if given.listen_fd is None:
        raise Usage("The broker starts by itself as soon as it is needed; `hoopweb broker --stop` ends it.")
    _let_go_of_caller(given.listen_fd)
    with socket.socket(fileno=given.listen_fd) as listener:
        _serve(place, listener)
    return 0


def _let_go_of_caller(kept: int) -> None:
    """Whoever asked first may stand in a folder that is to go away, or have left us pipes somebody waits on."""
    os.chdir("/")
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))


def stop(place: Place) -> None:
    """End the profile's broker if one runs, with all it holds."""
    connection = link.try_connect(place.socket)
    if connection is None:
        return
    with connection, contextlib.suppress(OSError, ValueError):
        connection.settimeout(_QUESTION_SECONDS)
        link.write_frame(connection, [f"protocol={link.PROTOCOL}", "op=stop"])
        link.read_frame(connection)


def _serve(place: Place, listener: socket.socket) -> None:
    try:
        answering = Answering(place, open_gateway(place), monotonic=time.monotonic)
    except ClientError as error:
        _say_and_end(place, listener, str(error))
        raise
    Broker(place, listener, answering, served_uid=os.getuid(), idle_seconds=IDLE_SECONDS).run()


def _say_and_end(place: Place, listener: socket.socket, told: str) -> None:
    # Once it is mended, the next one who asks starts another.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(place.socket)
    listener.settimeout(_LAST_WORDS_SECONDS)
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError, ValueError):
                connection.settimeout(_QUESTION_SECONDS)
                link.read_frame(connection)
                link.write_frame(connection, [link.FAILED, told])


class Answers(Protocol):
    """What a broker's questions are put to."""

    def answer(self, fields: dict[str, str], pid: int) -> str:
        """The answer to the process `pid`; raises ClientError."""


class Broker:
    """Takes questions from one account's processes, a thread each, and ends itself when idle or told to."""

    def __init__(
        self, place: Place, listener: socket.socket, answering: Answers, *, served_uid: int, idle_seconds: float | None
    ) -> None:
        self._place, self._listener, self._answering = place, listener, answering
        self._served_uid, self._idle_seconds = served_uid, idle_seconds
        self._room = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._is_over = threading.Event()
        self._woken, self._wake = os.pipe()
        self._enrolment = _stamp(place.profile_file)
        self._own_socket = _stamp(place.socket)

    def run(self) -> None:
        """Serve until idle, told to stop, or the enrolment changed; returns when the last caller was answered."""
        self._listener.setblocking(False)
        while not self._is_over.is_set():
            ready, _, _ = select.select([self._listener.fileno(), self._woken], [], [], self._idle_seconds)
            if not ready:
                break
            self._accept()
        self._finish()

    def end(self) -> None:
        """Let `run` return once all who wait are answered."""
        self._is_over.set()
        os.write(self._wake, b".")

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        self._room.acquire()
        threading.Thread(target=self._take, args=(connection,), daemon=False).start()

    def _leave(self) -> None:
        """Give up the name: who comes from now on starts another broker; who was waiting is still answered."""
        with contextlib.suppress(OSError, ClientError), starting.last_word(self._place.socket):
            if _stamp(self._place.socket) == self._own_socket:
                os.unlink(self._place.socket)

    def _finish(self) -> None:
        self._leave()
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._room.acquire()
                self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError, ValueError):
                connection.settimeout(_QUESTION_SECONDS)
                self._answer(connection)
        finally:
            self._room.release()

    def _answer(self, connection: socket.socket) -> None:
        pid, uid = link.peer_of(connection)
        if uid != self._served_uid:
            link.write_frame(connection, [link.FAILED, "This broker serves another account."])
            return
        fields = dict(piece.partition("=")[::2] for piece in link.read_frame(connection))
        link.write_frame(connection, self._reply(fields, pid))

    def _reply(self, fields: dict[str, str], pid: int) -> list[str]:
        """The answer, or the error in words; never both, and never a traceback's."""
        if fields.get("op") == "stop" or self._is_outdated(fields):
            self._leave()
            self.end()
            return [link.GOOD if fields.get("op") == "stop" else link.OTHER_VERSION]
        return self._answered(fields, pid)

    def _answered(self, fields: dict[str, str], pid: int) -> list[str]:
        try:
            return [link.GOOD, self._answering.answer(fields, pid)]
        except Refused as refused:
            return [link.REFUSED, str(refused), str(refused.http_status), refused.code]
        except GatewayUnreachable as error:
            return [link.UNREACHABLE, str(error)]
        except ClientError as error:
            return [link.FAILED, str(error)]

    def _is_outdated(self, fields: dict[str, str]) -> bool:
        """Whether the caller speaks another version, or the enrolment is no longer the one read at the start."""
        return fields.get("protocol") != link.PROTOCOL or _stamp(self._place.profile_file) != self._enrolment


def _stamp(path: str) -> tuple[int, int]:
    """Tells a file from another of the same name; zeros where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns
