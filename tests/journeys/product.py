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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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

    def aws(self, service: str, *, edge: int = 0, keys: Mapping[str, str] | None = None, **config: Any) -> Any:
        """An ordinary boto3 client to one of the edges."""
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
            endpoint_url=plan.edges[edge].url,
            verify=str(plan.certificates.authority),
            config=Config(**options),
        )

    def keys_for(self, conversation: str, *, generation: str = "") -> dict[str, str]:
        """AWS keys alice's agent gets for one conversation."""
        agent = self.items("agents/", key="HOOPWEB_DEVELOPER_API_KEY")[0]["id"]
        connection = self.items("connections/", key="HOOPWEB_DEVELOPER_API_KEY")[0]["id"]
        reply = self.rest(
            "POST",
            "keys/",
            key="HOOPWEB_DEVELOPER_API_KEY",
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
        agent = self.items("agents/", key="HOOPWEB_DEVELOPER_API_KEY")[0]["id"]
        body = {"text": text, "conversation": conversation, "generation": generation, "agent": agent}
        reply = self.rest("POST", "prompts/", key="HOOPWEB_DEVELOPER_API_KEY", body=body)
        assert reply.status == 201, reply
        return str(reply.body["id"])

    def publish(self, extra: str) -> None:
        """Publish the tenant's policy as it stands with a few rules of a test's own behind it."""
        policy = self.items("policies/", key="HOOPWEB_ADMIN_API_KEY")[0]
        path = f"policies/{policy['id']}/revisions/"
        first = self.items(path, key="HOOPWEB_ADMIN_API_KEY")[-1]
        body = {"packs": first["packs"], "text": first["text"] + extra}
        reply = self.rest("POST", path, key="HOOPWEB_ADMIN_API_KEY", body=body)
        assert reply.status == 201, reply


class Product:
    """A started stack with the tenants `demo` and `globex`."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
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
        return session.client(service, endpoint_url=self.stack.plan.upstream_url)

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

    def kill(self, name: str) -> None:
        """kill -9 every process of one line of the table, but not its guardian; the supervisor brings it back."""
        for pid in _below(self.stack.supervisor.keeper(name).guardian_pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

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
