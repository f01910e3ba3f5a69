"""A developer's machine beside the running product: enrolled by `hoopweb login`, with agents that work on it."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from gateway.client import broker
from gateway.client.state import Place
from hoopweb.stack.plan import CHECKOUT
from tests.client import payloads
from tests.journeys.product import Tenant

HOOPWEB = f"{sys.executable} -m gateway.client"
# Below what a test waits for anything.
# The long run has forty jobs at once on two cores.
_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    status: int
    out: str
    err: str


class Browser:
    """A person at the pages: cookies, forms, and nothing else."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def open(self, path: str, fields: dict[str, str] | None = None) -> str:
        url = path if path.startswith("http") else self.url + path
        body = urlencode(fields).encode() if fields is not None else None
        request = urllib.request.Request(url, data=body, headers={"Referer": url})
        with self._opener.open(request, timeout=20) as answer:
            return str(answer.read().decode())

    def submit(self, path: str, **fields: str) -> str:
        """Fill in the form of a page and send it."""
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.open(path))
        assert found is not None, f"{path} has no form"
        return self.open(path, {"csrfmiddlewaretoken": found.group(1), **fields})

    def sign_in(self, username: str, password: str) -> None:
        page = self.submit("/sign-in/", username=username, password=password)
        assert 'name="password"' not in page, "the sign-in was refused"


@dataclass(kw_only=True)
class Developer:
    """One home, one account; `hoopweb` runs in it as a process."""

    home: Path
    tenant: Tenant
    agents: list[Agent] = field(default_factory=list)

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "HOOPWEB_HOME": str(self.home / "hoopweb"),
            "AWS_CONFIG_FILE": str(self.home / "aws-config"),
            "AWS_EC2_METADATA_DISABLED": "true",
            **more,
        }

    @property
    def place(self) -> Place:
        return Place(home=str(self.home / "hoopweb"), profile="default")

    def run(self, *arguments: str, given: str = "", **more: str) -> Ran:
        ran = subprocess.run(
            [sys.executable, "-m", "gateway.client", *arguments],
            cwd=CHECKOUT, env=self.environment(**more), input=given, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return Ran(status=ran.returncode, out=ran.stdout, err=ran.stderr)

    def login(self) -> Ran:
        """`hoopweb login`, answered with yes on the page it opens, by a person who signed in there."""
        opened = self.home / "opened"
        program = self.home / "browser"
        program.write_text(f'#!/bin/sh\necho "$1" > {opened}.new && mv {opened}.new {opened}\n')
        program.chmod(0o755)
        login = subprocess.Popen(
            [sys.executable, "-m", "gateway.client", "login", "--gateway", self.tenant.product.url,
             "--organisation", self.tenant.demo["HOOPWEB_TENANT"], "--name", "laptop"],
            cwd=CHECKOUT, env=self.environment(BROWSER=f"{program} %s"), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        page = self.tenant.product.wait(
            lambda: opened.exists() and opened.read_text().strip(), seconds=20, told="no page"
        )
        opened.unlink()
        person = Browser(self.tenant.product.url)
        person.sign_in(self.tenant.demo["HOOPWEB_ADMIN_USER"], self.tenant.demo["HOOPWEB_ADMIN_PASSWORD"])
        code = page.rpartition("=")[2]
        assert "is let in" in person.submit(page, user_code=code, answer="allow")
        out, err = login.communicate(timeout=40)
        return Ran(status=login.returncode, out=out, err=err)

    def credentials(self, connection: str, **more: str) -> Ran:
        return self.run("credentials", "--connection", connection, **more)

    def agent(self) -> Agent:
        made = Agent(self)
        self.agents.append(made)
        return made

    def end(self) -> None:
        for agent in self.agents:
            agent.end()
        broker.stop(self.place)


class Agent:
    """An agent's main process on the developer's machine. Safe to use from several threads."""

    def __init__(self, developer: Developer) -> None:
        self._developer = developer
        self._numbers = itertools.count()
        self._ended: dict[int, Ran] = {}
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, str(CHECKOUT / "tests" / "journeys" / "agent_process.py")],
            env=developer.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._process.wait()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            with self._changed:
                self._ended[told["id"]] = Ran(status=told["status"], out=told["out"], err=told["err"])
                self._changed.notify_all()

    def start(self, argv: list[str], *, given: str = "", **variables: str) -> int:
        """Start a child of the agent; returns what `wait` takes."""
        number = next(self._numbers)
        order = {"id": number, "argv": argv, "given": given, "cwd": str(CHECKOUT)}
        line = json.dumps({**order, "env": self._developer.environment(**variables)})
        with self._changed:
            assert self._process.stdin is not None
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        return number

    def wait(self, number: int) -> Ran:
        until = time.monotonic() + _SECONDS
        with self._changed:
            while number not in self._ended:
                assert self._changed.wait(until - time.monotonic()), "the agent's child did not end"
            return self._ended.pop(number)

    def hook(self, agent: str, payload: dict[str, Any]) -> Ran:
        """One hook, as the agent runs its hooks: a shell with one command, the event on its stdin."""
        return self.wait(self.start(["/bin/sh", "-c", f"{HOOPWEB} hook {agent}"], given=json.dumps(payload)))

    def shell(self, command: str, **variables: str) -> int:
        """One tool call: a shell with one command."""
        return self.start(["/bin/bash", "-c", command], **variables)

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._listener.join(timeout=20)
        assert self._process.stdout is not None
        self._process.stdout.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One conversation of one agent: its hooks' payloads and its shells' variables."""

    agent: Agent
    kind: str
    name: str

    @property
    def variables(self) -> dict[str, str]:
        """What this agent's shells have, and only they."""
        return {
            "cursor": {"CURSOR_AGENT": "1", "CURSOR_CONVERSATION_ID": self.name},
            "claude": {"CLAUDECODE": "1", "CLAUDE_CODE_SESSION_ID": self.name},
            "codex": {"CODEX_THREAD_ID": self.name},
        }[self.kind]

    def _ids(self, turn: str) -> dict[str, str]:
        return {
            "cursor": {"conversation_id": self.name, "session_id": self.name, "generation_id": turn},
            "claude": {"session_id": self.name, "prompt_id": turn},
            "codex": {"session_id": self.name, "turn_id": turn},
        }[self.kind]

    def prompt(self, turn: str, text: str) -> Ran:
        shapes = {
            "cursor": payloads.CURSOR_PROMPT,
            "claude": payloads.CLAUDE_PROMPT,
            "codex": payloads.CODEX_PROMPT,
        }
        return self.agent.hook(self.kind, {**shapes[self.kind], **self._ids(turn), "prompt": text})

    def before(self, turn: str, tool_use: str) -> Ran:
        shapes = {"cursor": payloads.CURSOR_BEFORE, "claude": payloads.CLAUDE_BEFORE, "codex": payloads.CODEX_BEFORE}
        return self.agent.hook(self.kind, {**shapes[self.kind], **self._ids(turn), "tool_use_id": tool_use})

    def after(self, turn: str, tool_use: str) -> Ran:
        shapes = {"cursor": payloads.CURSOR_AFTER, "claude": payloads.CLAUDE_AFTER, "codex": payloads.CODEX_AFTER}
        return self.agent.hook(self.kind, {**shapes[self.kind], **self._ids(turn), "tool_use_id": tool_use})

    def run(self, command: str, **more: str) -> int:
        """Start a command in a shell of this conversation."""
        return self.agent.shell(command, **self.variables, **more)
