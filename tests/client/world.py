"""A gateway of a few endpoints on a real socket, as docs/api-for-agents.md tells them, and a home for the command.

The device's signatures are checked here by the contract's words, not by our own module: both would share its mistakes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.client import broker, device_key
from gateway.client.state import KeyStorage, Place, Profile, write_profile
from hoopweb.stack.plan import CHECKOUT

DEVICE = "6a2f6f3c-0000-4000-8000-000000000001"
Reply = tuple[int, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request that arrived with the device's own good signature (or, at /oauth/, without one)."""

    method: str
    path: str
    body: dict[str, Any]


@dataclass
class StandIn:
    """What the gateway answers, and what it saw. `replies` are asked first, by method and path."""

    public_key: bytes = b""
    seen: list[Seen] = field(default_factory=list)
    replies: dict[tuple[str, str], Callable[[dict[str, Any]], Reply]] = field(default_factory=dict)
    nonces: set[str] = field(default_factory=set)
    # Seconds the gateway's clock is ahead of this machine's.
    ahead: float = 0.0
    url: str = ""

    def of(self, path: str) -> list[dict[str, Any]]:
        return [one.body for one in self.seen if one.path == path]

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if path.startswith("/oauth/"):
            fields = dict(parse_qsl(body.decode()))
        else:
            refusal = self.refusal(method, path, headers, body)
            if refusal:
                return 401, {"code": "device.refused", "title": refusal, "remedy": "Log in again"}
            fields = json.loads(body) if body else {}
        self.seen.append(Seen(method=method, path=path, body=fields))
        given = self.replies.get((method, path))
        return given(fields) if given is not None else self.usual(method, path)

    def usual(self, method: str, path: str) -> Reply:
        match method, path:
            case "POST", "/api/v1/agent-credentials/":
                number = len(self.of(path))
                ends = datetime.now(UTC) + timedelta(seconds=180 + self.ahead)
                return 201, {
                    "access_key_id": f"HWIA{number:04}",
                    "secret_access_key": "secret/of+three=minutes",
                    "session_token": "token",
                    "expires_at": ends.isoformat(),
                }
            case "POST", "/api/v1/prompts/" | "/api/v1/tool-uses/":
                return 201, {"id": "11111111-0000-4000-8000-000000000000"}
            case _:
                return 404, {"code": "api.not_found", "title": "There is nothing here by that name"}

    def refusal(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> str:
        """Why the signature is not good; empty where it is."""
        given = dict(part.partition("=")[::2] for part in headers.get("Hoopweb-Signature", "").split(","))
        text = "\n".join(
            (
                "hoopweb-device-v1",
                method,
                path,
                given.get("t", ""),
                given.get("n", ""),
                hashlib.sha256(body).hexdigest(),
            )
        )
        signature = base64.urlsafe_b64decode(given.get("s", "") + "==")
        Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text.encode())
        if headers.get("Hoopweb-Device") != DEVICE or given["n"] in self.nonces:
            return "This device is not known"
        self.nonces.add(given["n"])
        return ""


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """The gateway, listening on a free port of this machine."""
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # A body in a packet of its own would wait 40 ms for the acknowledgement of its head.
        disable_nagle_algorithm = True

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, told = stand_in.answer(self.command, self.path, dict(self.headers), body)
            content = json.dumps(told).encode() if status != 204 else b""
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = do  # noqa: N815  # named by http.server

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(int(time.time() + stand_in.ahead))

        def log_message(self, *_: Any) -> None:
            """Silent: what was seen is in `seen`."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield stand_in
        server.shutdown()


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A developer's machine: a home of its own, and the command run there as a process."""

    home: Path
    gateway: StandIn
    # What Python is given to become the command.
    launch: tuple[str, ...] = ("-m", "gateway.client")

    def place(self, profile: str = "default") -> Place:
        return Place(home=str(self.home / "hoopweb"), profile=profile)

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "HOOPWEB_HOME": str(self.home / "hoopweb"),
            **more,
        }

    def run(self, *arguments: str, given: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """The real command in a process of its own."""
        return subprocess.run(
            [sys.executable, *self.launch, *arguments],
            cwd=CHECKOUT,
            env=self.environment(**more),
            input=given,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def enrol(self, profile: str = "default") -> Profile:
        """What a login leaves behind."""
        key = device_key.generate()
        key.save(self.place(profile))
        self.gateway.public_key = key.public_bytes
        enrolled = Profile(
            name=profile,
            gateway=self.gateway.url,
            organisation="acme",
            device_id=DEVICE,
            device_name="laptop",
            key_storage=KeyStorage.FILE,
        )
        write_profile(self.place(profile), enrolled)
        return enrolled

    def end(self) -> None:
        """End every broker that was started here."""
        for folder in (self.home / "hoopweb" / "profiles").glob("*"):
            broker.stop(self.place(folder.name))
