"""The product as it is measured: one edge, its own state, and AWS played by moto's server or by a few canned answers."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from hoopweb.stack.plan import FREE_PORTS, Plan
from hoopweb.stack.processes import Process, table
from hoopweb.stack.running import Stack, running, say
from hoopweb.stack.services import remove
from hoopweb.story.world import read_env

CLEAR = """
@id("bench.clear")
@clear("body")
permit (principal, action == Action::"s3:GetObject", resource);
"""


def with_canned_answers(plan: Plan) -> Sequence[Process]:
    """The table of processes with `bench.upstream` in the stand-in's place."""
    argv = (sys.executable, "-m", "bench.upstream", "--port", str(plan.standin_port))

    def canned(process: Process) -> Process:
        return replace(process, program=lambda: replace(process.program(), argv=argv))

    return [canned(process) if process.name == "standin" else process for process in table(plan)]


@contextlib.contextmanager
def measured(*, is_canned: bool) -> Iterator[Stack]:
    """A started product of its own; nothing of it stays."""
    state = Path(tempfile.mkdtemp(prefix="hoopweb-bench-"))
    own = {"PATH": os.environ["PATH"], "HOME": str(state), **FREE_PORTS, "HOOPWEB_STATE": str(state)}
    with running(own, say=say, processes=with_canned_answers if is_canned else table) as stack:
        stack.wait_until_up()
        yield stack
    remove(stack.plan.services)


def let_bodies_through(stack: Stack) -> None:
    """Publish the demo's policy with a rule that lets whole objects pass: what is measured is streaming."""
    environment = read_env(stack.plan.demo_env)

    def ask(path: str, body: object = None) -> dict[str, object]:
        request = urllib.request.Request(
            f"{stack.plan.url}/api/v1/{path}",
            data=json.dumps(body).encode() if body else None,
            headers={
                "Authorization": f"Bearer {environment['HOOPWEB_ADMIN_API_KEY']}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: dict[str, object] = json.load(answer)
        return found

    policies = ask("policies/")["items"]
    assert isinstance(policies, list)
    path = f"policies/{policies[0]['id']}/revisions/"
    revisions = ask(path)["items"]
    assert isinstance(revisions, list)
    ask(path, {"packs": revisions[-1]["packs"], "text": revisions[-1]["text"] + CLEAR})
