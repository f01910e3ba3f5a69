"""Starts the local broker where none answers, and decides whose broker may be believed.

The listening socket is made here, before the broker lives: whoever asks first need not wait for it to come up, only
for its answer, and of two who ask at once one starts it. Imports nothing slow, `socket` neither (`link` says why): an
agent's first call waits for it.
"""

from __future__ import annotations

import _socket
import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.client import link, places
from gateway.client.errors import BrokerFailed
from gateway.client.own_files import check_folder, make_folder

# Waiting callers while a broker comes up: as many as tool calls an agent may run at once, and far more.
_BACKLOG = 128
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# -I: nothing of the agent's folder or environment gets into a process that signs.
_PROGRAM = f"import sys; sys.path.append({_ROOT!r}); from gateway.client.app import main; sys.exit(main(sys.argv[1:]))"
_KEPT_VARIABLES = ("HOME", "PATH", "LANG", "LC_ALL", "TZ")


def start_and_connect(home: str, profile: str) -> _socket.socket:
    """A connection to the profile's broker, newly started if nobody else was faster; raises ClientError."""
    path = places.socket_path(home, profile)
    if not os.path.exists(f"{places.folder(home, profile)}/device.key"):
        elsewhere = _of_another_account(home, profile)
        if elsewhere is not None:
            return elsewhere
    try:
        with _alone(path):
            connection = link.connect(path)
            if connection is None:
                _start(home, profile, path)
                connection = link.connect(path)
    except OSError as error:
        raise BrokerFailed(f"The local broker cannot be started ({error.strerror}).") from None
    if connection is None:
        raise BrokerFailed("The local broker ended as soon as it was started.")
    return connection


def _of_another_account(home: str, profile: str) -> _socket.socket | None:
    """A connection to whoever holds the key of an enrolment that has none of ours; raises what is wrong with it."""
    from gateway.client.state import Place, read_profile

    enrolled = read_profile(Place(home=home, profile=profile))
    if enrolled.broker_uid < 0:
        return None
    connection = link.connect(enrolled.broker_socket)
    if connection is None:
        raise BrokerFailed(f"The broker of account {enrolled.broker_uid} does not run: ask who set up this machine.")
    return connection


@contextmanager
def _alone(path: str) -> Iterator[None]:
    folder = os.path.dirname(path)
    # Below /tmp the folder between is ours too, or someone waited for us there.
    make_folder(os.path.dirname(folder))
    make_folder(folder)
    handle = os.open(f"{folder}/lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def last_word(path: str) -> Iterator[None]:
    """Nobody starts a broker on this socket meanwhile: for the one that ends."""
    check_folder(os.path.dirname(path))
    with _alone(path):
        yield


def _start(home: str, profile: str, path: str) -> None:
    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        _bind(listener, path)
        listener.listen(_BACKLOG)
        os.set_inheritable(listener.fileno(), True)
        _spawn(["broker", "--profile", profile, "--listen-fd", str(listener.fileno())], home)
    finally:
        listener.close()


def _spawn(arguments: list[str], home: str) -> None:
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-c", _PROGRAM, *arguments],
        {**kept, "HOOPWEB_HOME": home},
        # An agent ends its shell's session and waits for its output: the broker is in neither.
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ],
    )


def _bind(listener: _socket.socket, path: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)  # a broker that was killed left it
    before = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(before)


def check_other_account(home: str, profile: str, peer_uid: int) -> None:
    """Raises BrokerFailed unless the enrolment itself names that account as its broker's."""
    from gateway.client.state import Place, read_profile

    if read_profile(Place(home=home, profile=profile)).broker_uid != peer_uid:
        raise BrokerFailed(
            f"What listens on {places.socket_path(home, profile)} belongs to another account (uid {peer_uid}) and is "
            "not believed: remove the socket."
        )
