"""The broker under an account of its own: the device's key lies where the person's processes cannot read it.

A service manager runs it for one person. What it answers is `answering`'s, about processes the kernel names; here is
how a key is made, enrolled and forgotten there, and what is refused because nobody's word is taken.
"""

from __future__ import annotations

import base64
import json
import os
import pwd
import signal
import socket
import stat
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gateway.client import api, device_key, link, processes
from gateway.client.ancestry import facts
from gateway.client.answering import Answering
from gateway.client.broker import Broker
from gateway.client.errors import BrokerFailed, ClientError, NotLoggedIn, Usage
from gateway.client.hook_waiting import kept_here
from gateway.client.own_files import make_folder, write_own
from gateway.client.state import KeyStorage, Place, Profile, forget, read_profile, write_profile
from gateway.client.transport import checked_url

WELL_KNOWN = "/run/hoopweb-keys"
_BACKLOG = 128


def well_known(name: str) -> str:
    """Where an administrator's service listens for this person."""
    return f"{WELL_KNOWN}/{name}/broker.sock"


def serve(place: Place, for_user: str, path: str) -> None:
    """Hold the key of this person's device until the service manager ends us; raises ClientError."""
    served = uid_of(for_user)
    if served in {0, os.getuid()}:
        raise Usage("The key broker runs under another account than the person's, and root's files nobody can keep.")
    make_folder(place.folder)
    path = path or well_known(for_user)
    with _listening(path) as listener:
        running = KeyBroker(place, listener, KeyAnswering(place), served_uid=served, idle_seconds=None)
        signal.signal(signal.SIGTERM, lambda *_: running.end())
        running.run()
    os.unlink(path)


def uid_of(name: str) -> int:
    """The account of a name, or of a number; raises Usage."""
    try:
        return int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid
    except KeyError:
        raise Usage(f"There is no account {name!r} on this machine.") from None


def open_broker(path: str) -> tuple[socket.socket, int]:
    """A connection to the key broker at `path`, and its account; raises BrokerFailed where it proves nothing."""
    check_folder_of(path)
    connection = link.try_connect(path)
    if connection is None:
        raise BrokerFailed(f"No key broker listens on {path}: ask who set up this machine.")
    uid = link.peer_of(connection)[1]
    if uid == os.getuid() or os.getuid() == 0 or os.lstat(path).st_uid != uid:
        connection.close()
        raise BrokerFailed(
            f"What listens on {path} keeps no key from your account: it must run under another account than yours, "
            "and you must not be root."
        )
    return connection, uid


def check_folder_of(path: str) -> None:
    """Raises BrokerFailed where an account other than root or the socket's owner could put its own socket there."""
    try:
        socket_owner, folder = os.lstat(path).st_uid, os.stat(os.path.dirname(path))
    except OSError as error:
        raise BrokerFailed(f"{path} cannot be used ({error.strerror}): ask who set up this machine.") from None
    if folder.st_uid not in {0, socket_owner} or folder.st_mode & 0o022:
        raise BrokerFailed(f"Others than root and the broker may write beside {path}: it is not believed.")


def _listening(path: str) -> socket.socket:
    """Everybody may connect: whom the kernel does not name as the one served hears no more than that."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o111)
    try:
        if os.path.lexists(path) and stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)  # one that was killed left it
        listener.bind(path)
        check_folder_of(path)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise BrokerFailed(f"{path} cannot be listened on ({error.strerror}).") from None
    finally:
        os.umask(before)
    return listener


class KeyBroker(Broker):
    """Outlives enrolments and callers of other versions; only the service manager ends it."""

    def _reply(self, fields: dict[str, str], pid: int) -> list[str]:
        if fields.get("protocol") != link.PROTOCOL:
            return [link.FAILED, "The key broker is of another version than this command: update both."]
        if fields.get("op") == "stop":
            return [link.FAILED, "The key broker is ended by whoever administers this machine."]
        return self._answered(fields, pid)

    def _leave(self) -> None:
        """Its name is the service's, and goes with it."""


class KeyAnswering:
    """One device's key, from its making to its end. A key belongs to the gateway it was made for, and to no other."""

    def __init__(self, place: Place) -> None:
        self._place, self._lock = place, threading.Lock()
        self._made: tuple[device_key.DeviceKey, Mapping[str, str]] | None = None
        self._enrolled: Answering | None = None
        if os.path.lexists(place.profile_file):
            self._enrolled = self._opened()

    def answer(self, fields: dict[str, str], pid: int) -> str:
        """The answer to the process `pid`; raises ClientError. No answer holds the private key."""
        match fields.get("op"):
            case "enrol":
                return self._make(fields)
            case "enrolled":
                return self._enrol(fields)
            case "forget":
                return self._forget()
            case "waiting":
                return json.dumps(asdict(kept_here(self._place)))
            case _:
                return self._ask(fields, pid)

    def _ask(self, fields: dict[str, str], pid: int) -> str:
        enrolled = self._enrolled
        if enrolled is None:
            raise NotLoggedIn("The key broker holds no device: run `hoopweb logout --forget`, then `hoopweb login`.")
        chain = processes.chain(pid)
        if not chain or not processes.are_seen(tuple(its.pid for its in chain)):
            raise ClientError(
                "The key broker cannot see what stands above this process, so it signs nothing for it: it needs the "
                "capabilities of its unit (docs/agents.md)."
            )
        if fields.get("op") == "call" and fields.get("method") == "POST":
            _check_claim(fields.get("body", ""), facts(chain))
        return enrolled.answer(fields, pid)

    def _make(self, fields: Mapping[str, str]) -> str:
        """A new key for one gateway; returns its public half in base64. It signs nothing before it is enrolled."""
        checked_url(fields.get("gateway", ""))
        with self._lock:
            if self._enrolled is not None:
                raise Usage("The key broker holds a device already: `hoopweb logout` first.")
            self._made = (device_key.generate(), dict(fields))
            return _public(self._made[0])

    def _enrol(self, fields: Mapping[str, str]) -> str:
        with self._lock:
            made, self._made = self._made, None
            if made is None or self._enrolled is not None or _public(made[0]) != fields.get("public_key"):
                raise ClientError(
                    "Another login came between: revoke this device on the gateway's page, and try again."
                )
            key, told = made
            ca_file = f"{self._place.folder}/enrolled-ca.pem" if told.get("ca_pem") else ""
            if ca_file:
                write_own(ca_file, told["ca_pem"].encode())
            key.save(self._place)
            write_profile(self._place, _profile(self._place, told, fields.get("device_id", ""), ca_file))
            self._enrolled = self._opened()
        return ""

    def _forget(self) -> str:
        with self._lock:
            self._made = self._enrolled = None
            forget(self._place)
        return ""

    def _opened(self) -> Answering:
        read_profile(self._place)
        return Answering(self._place, api.open_gateway(self._place), monotonic=time.monotonic)


def _profile(place: Place, told: Mapping[str, str], device_id: str, ca_file: str) -> Profile:
    return Profile(
        name=place.profile,
        gateway=told["gateway"],
        organisation=told.get("organisation", ""),
        device_id=device_id,
        device_name=told.get("device_name", ""),
        key_storage=KeyStorage.SEPARATE_ACCOUNT,
        ca_file=ca_file,
    )


def _public(key: device_key.DeviceKey) -> str:
    return base64.b64encode(key.public_bytes).decode()


def _check_claim(body: str, seen: Mapping[str, Any]) -> None:
    """Raises ClientError for what is no record, or tells of other processes than the kernel does.

    What waited in the spool tells of the process it came from; it is marked late, and late is level B at most.
    """
    try:
        fields = json.loads(body)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise ClientError("The key broker signs records, and this is none.")
    if "process" in fields and not fields.get("is_late") and fields["process"] != seen:
        raise ClientError("The key broker saw other processes above this one than it was told of, and signs nothing.")
