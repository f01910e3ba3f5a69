"""The running product as its users reach it: two tenants, two edges, two web-edge processes, a stand-in AWS."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psycopg
from botocore.config import Config

from hoopweb.stack import guardian, postgres
from hoopweb.stack.plan import CHECKOUT
from hoopweb.stack.running import Stack
from hoopweb.story.world import read_env

FINAL = ("refused", "completed", "failed", "not_sent", "ambiguous")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of the REST API."""

    status: int
    body: Any


class Tenant:
    """One tenant, by what its users hold."""

    def __init__(self, product: Product, demo: Mapping[str, str]) -> None:
        self.product, self.demo = product, demo

    def rest(self, method: str, path: str, *, key: str = "HOOPWEB_API_KEY", body: Any = None) -> Reply:
        """Call the REST API with one of the tenant's keys, named as in demo.env."""
        request = urllib.request.Request(
            f"{self.product.url}/api/v1/{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {self.demo[key]}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                text = answer.read()
                return Reply(status=answer.status, body=json.loads(text) if text else None)
        except urllib.error.HTTPError as error:
            return Reply(status=error.code, body=json.loads(error.read()))

    def items(self, path: str, *, key: str = "HOOPWEB_API_KEY") -> list[dict[str, Any]]:
        reply = self.rest("GET", path, key=key)
        assert reply.status == 200, reply
        return list(reply.body["items"])

    def aws(
        self, service: str, *, edge: int = 0, keys: Mapping[str, str] | None = None, name: str = "", **config: Any
    ) -> Any:
        """An ordinary boto3 client to one of the edges, called by another of its names if one is given."""
        held = keys or self.demo
        session = boto3.Session(
            held["AWS_ACCESS_KEY_ID"],
            held["AWS_SECRET_ACCESS_KEY"],
            held["AWS_SESSION_TOKEN"],
            region_name=self.demo["AWS_REGION"],
        )
        options = {"retries": {"total_max_attempts": 1}, "read_timeout": 60, **config}
        plan = self.product.stack.plan
        return session.client(
            service,
            endpoint_url=plan.edges[edge].url.replace("localhost", name or "localhost"),
            verify=str(plan.certificates.authority),
            config=Config(**options),
        )

    def keys_for(
        self,
        conversation: str,
        *,
        generation: str = "",
        agent: str | None = None,
        connection: str | None = None,
        key: str = "HOOPWEB_DEVELOPER_API_KEY",
    ) -> dict[str, str]:
        """AWS keys for one conversation: alice's, her agent's and the first connection's unless others are named."""
        agent = agent or self.items("agents/", key="HOOPWEB_DEVELOPER_API_KEY")[-1]["id"]
        connection = connection or self.items("connections/", key="HOOPWEB_DEVELOPER_API_KEY")[-1]["id"]
        reply = self.rest(
            "POST",
            "keys/",
            key=key,
            body={
                "connection": connection,
                "agent": agent,
                "conversation": conversation,
                "generation": generation,
            },
        )
        assert reply.status == 201, reply
        return {
            "AWS_ACCESS_KEY_ID": reply.body["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": reply.body["SecretAccessKey"],
            "AWS_SESSION_TOKEN": reply.body["SessionToken"],
            "id": reply.body["id"],
        }

    def prompt(self, conversation: str, text: str, *, generation: str = "turn-1") -> str:
        agent = self.items("agents/", key="HOOPWEB_DEVELOPER_API_KEY")[-1]["id"]
        body = {"text": text, "conversation": conversation, "generation": generation, "agent": agent}
        reply = self.rest("POST", "prompts/", key="HOOPWEB_DEVELOPER_API_KEY", body=body)
        assert reply.status == 201, reply
        return str(reply.body["id"])

    def publish(self, extra: str, *packs: str) -> Reply:
        """Publish the demo's policy as it was at first, with a few rules or packs of a test's own behind it."""
        policy = self.items("policies/", key="HOOPWEB_ADMIN_API_KEY")[0]
        path = f"policies/{policy['id']}/revisions/"
        first = self.items(path, key="HOOPWEB_ADMIN_API_KEY")[-1]
        body = {"packs": [*first["packs"], *packs], "text": first["text"] + extra}
        return self.rest("POST", path, key="HOOPWEB_ADMIN_API_KEY", body=body)

    @contextlib.contextmanager
    def policy(self, extra: str, *packs: str) -> Iterator[None]:
        """Rules and packs that stand for one test, and are taken back after it."""
        published = self.publish(extra, *packs)
        assert published.status == 201, published
        try:
            yield
        finally:
            assert self.publish("").status == 201


class Product:
    """A started stack with the tenants `demo` and `globex`."""

    def __init__(self, stack: Stack, said: list[str]) -> None:
        # What the launcher told people so far.
        self.stack, self.said = stack, said
        self.url = stack.plan.url
        self.demo = Tenant(self, read_env(stack.plan.demo_env))
        self.globex = Tenant(self, self._second_tenant())

    def _second_tenant(self) -> dict[str, str]:
        env_file = self.stack.plan.state.root / "globex.env"
        self.manage("bootstrap_demo", "--tenant", "globex", "--env-file", str(env_file), role=postgres.OWNER)
        self.manage("edge_scope", "--tenant", "globex")
        # An edge's scope is looked up once a second.
        time.sleep(1.5)
        return read_env(env_file)

    def manage(self, *arguments: str, role: str = postgres.APP) -> str:
        plan = self.stack.plan
        settings = {
            **os.environ,
            **plan.services.environment(role=role),
            "HOOPWEB_URL": plan.url,
            "HOOPWEB_UPSTREAM_AWS_URL": plan.upstream_url,
            "HOOPWEB_EDGE_URL": plan.edges[0].url,
            "HOOPWEB_CA_FILE": str(plan.certificates.authority),
            "HOOPWEB_EDGE_NAMES": "unused",
            "HOOPWEB_ACCESS_LOG": str(plan.access_log),
            "DJANGO_SETTINGS_MODULE": "hoopweb.settings",
        }
        ran = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=CHECKOUT,
            env=settings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def truth(self, service: str) -> Any:
        """A client straight to the stand-in."""
        session = boto3.Session("truth", "truth", region_name="us-east-1")
        # Named, so that the access log tells the tests' own look from what hoopweb sent.
        config = Config(user_agent_appid="truth", s3={"addressing_style": "path"})
        return session.client(service, endpoint_url=self.stack.plan.upstream_url, config=config)

    def upstream(self) -> list[dict[str, Any]]:
        """Every request that reached the stand-in, by its own access log."""
        return [json.loads(line) for line in self.stack.plan.access_log.read_bytes().splitlines() if line.strip()]

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the product's database as its superuser: what is really stored, for every tenant."""
        services = self.stack.plan.services
        with services.postgres.connect(
            postgres.SUPERUSER, services.passwords.superuser, postgres.DATABASE
        ) as connection:
            cursor: psycopg.Cursor[Any] = connection.execute(sql, values)
            return list(cursor.fetchall())

    def execute(self, sql: str) -> None:
        """Change something behind the product's back, as its database's superuser: only to break it."""
        services = self.stack.plan.services
        with services.postgres.connect(
            postgres.SUPERUSER, services.passwords.superuser, postgres.DATABASE
        ) as connection:
            connection.execute(sql.encode())

    def kill(self, name: str) -> None:
        """kill -9 every process of one line of the table; returns when the supervisor has seen it and begins anew."""
        keeper = self.stack.supervisor.keeper(name)
        before = keeper.restarts
        self.send_signal(name, signal.SIGKILL)
        self.wait(lambda: keeper.restarts > before, seconds=30, told=f"{name} was killed and nobody noticed")

    def wait_back(self, *names: str, seconds: float = 40.0) -> None:
        """Wait until these processes say again that they are ready."""
        for name in names:
            keeper = self.stack.supervisor.keeper(name)
            self.wait(keeper.is_ready.is_set, seconds=seconds, told=f"{name} did not come back")

    def pids(self, name: str) -> list[int]:
        """Every process of one line of the table as of now, without its guardian."""
        return _below(self.stack.supervisor.keeper(name).guardian_pid)

    def send_signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to every process of one line of the table, but not to its guardian."""
        for pid in self.pids(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    @contextlib.contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """Let every process of one line hang, as on a machine that is out of reach; afterwards it goes on."""
        self.send_signal(name, signal.SIGSTOP)
        try:
            yield
        finally:
            self.send_signal(name, signal.SIGCONT)

    def memory(self, name: str) -> int:
        """Bytes of memory the processes of one line hold now."""
        return self._status(name, "VmRSS")

    def peak_memory(self, name: str) -> int:
        """The most they have held since `forget_peaks`."""
        return self._status(name, "VmHWM")

    def forget_peaks(self, name: str) -> None:
        for pid in self.pids(name):
            # The kernel's word for "begin anew with the peak" (proc(5), clear_refs).
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def _status(self, name: str, field: str) -> int:
        pids = self.pids(name)
        texts = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
        return sum(int(text.partition(f"{field}:")[2].split()[0]) * 1024 for text in texts)

    def wait(self, what: Callable[[], Any], *, seconds: float, told: str) -> Any:
        """Wait until `what` answers something true; fails with `told`."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = what()
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(told)


def _below(root: int | None) -> list[int]:
    """Every process below one, however deep."""
    parents, found = guardian.parents(), []
    waiting = [root]
    while waiting:
        parent = waiting.pop()
        children = [pid for pid, its in parents.items() if its == parent]
        found += children
        waiting += children
    return found
