"""Starts the local broker where none answers, and decides whose broker may be believed.

The listening socket is made here, before the broker lives: whoever asks first need not wait for it to come up, only
for its answer, and of two who ask at once one starts it.
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.client import link, places
from gateway.client.errors import BrokerFailed
from gateway.client.state import Place, check_folder, make_folder, read_profile

# Waiting callers while a broker comes up: as many as tool calls an agent may run at once, and far more.
_BACKLOG = 128
_ROOT = str(Path(__file__).resolve().parent.parent.parent)
# -I: nothing of the agent's folder or environment gets into a process that signs.
_PROGRAM = f"import sys; sys.path.append({_ROOT!r}); from gateway.client.app import main; sys.exit(main(sys.argv[1:]))"
_KEPT_VARIABLES = ("HOME", "PATH", "LANG", "LC_ALL", "TZ")


def start_and_connect(home: str, profile: str) -> socket.socket:
    """A connection to the profile's broker, newly started if nobody else was faster; raises BrokerFailed."""
    place = Place(home=home, profile=profile)
    enrolled = read_profile(place)
    if enrolled.broker_uid >= 0:
        raise BrokerFailed(f"The broker of account {enrolled.broker_uid} does not run: ask who set up this machine.")
    try:
        with _alone(place):
            connection = link.try_connect(place.socket)
            if connection is None:
                _start(place)
                connection = link.try_connect(place.socket)
    except OSError as error:
        raise BrokerFailed(f"The local broker cannot be started ({error.strerror}).") from None
    if connection is None:
        raise BrokerFailed("The local broker ended as soon as it was started.")
    return connection


@contextmanager
def _alone(place: Place) -> Iterator[None]:
    folder = os.path.dirname(place.socket)
    parent = os.path.dirname(folder)
    # Below /tmp the folder between is ours too, or someone waited for us there.
    make_folder(parent)
    make_folder(folder)
    handle = os.open(f"{folder}/lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def last_word(place: Place) -> Iterator[None]:
    """Nobody starts a broker meanwhile: for the one that ends."""
    check_folder(os.path.dirname(place.socket))
    with _alone(place):
        yield


def _start(place: Place) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with listener:
        _bind(listener, place.socket)
        listener.listen(_BACKLOG)
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        subprocess.Popen(
            [
                sys.executable, "-I", "-c", _PROGRAM, "broker",
                "--profile", place.profile, "--listen-fd", str(listener.fileno()),
            ],
            pass_fds=(listener.fileno(),),
            env={**environment, "HOOPWEB_HOME": place.home},
            # An agent ends its shell's session and waits for its output: the broker is in neither.
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )  # fmt: skip


def _bind(listener: socket.socket, path: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)  # a broker that was killed left it
    before = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(before)


def check_other_account(home: str, profile: str, peer_uid: int) -> None:
    """Raises BrokerFailed unless the enrolment itself names that account as its broker's."""
    if read_profile(Place(home=home, profile=profile)).broker_uid != peer_uid:
        raise BrokerFailed(
            f"What listens on {places.socket_path(home, profile)} belongs to another account (uid {peer_uid}) and is "
            "not believed: remove the socket."
        )
