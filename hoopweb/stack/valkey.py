"""The embedded Valkey: broker and cache on loopback, with a password and nothing on disk.

Losing it loses nothing, so it keeps nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


@dataclass(frozen=True, slots=True, kw_only=True)
class Valkey:
    program: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        """The configuration comes on standard input: a password in the arguments is for every user to read."""
        return [str(self.program), "-"]

    def configuration(self) -> str:
        lines: Mapping[str, str] = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "protected-mode": "yes",
            "requirepass": self.password,
            "save": '""',
            "appendonly": "no",
            "maxmemory": "128mb",
            # A full broker refuses new messages (the outbox keeps them) rather than dropping queued ones.
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return "".join(f"{name} {value}\n" for name, value in lines.items())

    def environment(self) -> dict[str, str]:
        return {"LC_ALL": "C.UTF-8", "PATH": os.defpath}

    def is_ready(self) -> bool:
        """Ping with the password, so that another program's server on this port is not taken for ours."""
        try:
            # No retries: the library's own, with its pauses, would outlast the start itself.
            once = Retry(NoBackoff(), 0)
            with redis.Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=2, retry=once) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError):
            return False
