"""What one start of the stack is: its state, its ports, its addresses, how many of each process.

All of it is read from the environment once; the processes themselves are `hoopweb.stack.processes`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hoopweb.stack import certificates
from hoopweb.stack.certificates import Certificates
from hoopweb.stack.ports import Port, choose
from hoopweb.stack.problems import StackProblem
from hoopweb.stack.services import Services, services
from hoopweb.stack.state import State

CHECKOUT = Path(__file__).resolve().parent.parent.parent
WEB = Port(variable="HOOPWEB_WEB_PORT", what="the pages and the REST API", default=8080)
WEB_EDGE = Port(variable="HOOPWEB_WEB_EDGE_PORT", what="the edge's API", default=8081)
EDGE = Port(variable="HOOPWEB_EDGE_PORT", what="AWS clients (the edge)", default=8443)
EDGE_HEALTH = Port(variable="HOOPWEB_EDGE_HEALTH_PORT", what="the edge's health answers", default=0)
STANDIN = Port(variable="HOOPWEB_AWS_STANDIN_PORT", what="the stand-in AWS", default=8444)
VALKEY = Port(variable="HOOPWEB_VALKEY_PORT", what="Valkey", default=0)
PORTS = (WEB, WEB_EDGE, EDGE, EDGE_HEALTH, STANDIN, VALKEY)
# Every address a private stack takes, chosen free: what tests start from.
FREE_PORTS = {port.variable: "0" for port in PORTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePlace:
    """One edge: its name, where clients and health checks find it."""

    name: str
    port: int
    health_port: int

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything decided before the first process starts."""

    state: State
    services: Services
    certificates: Certificates
    web_port: int
    web_edge_port: int
    web_edge_processes: int
    standin_port: int
    edges: tuple[EdgePlace, ...]
    inherited: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def control_url(self) -> str:
        return f"http://127.0.0.1:{self.web_edge_port}"

    @property
    def upstream_url(self) -> str:
        return f"http://127.0.0.1:{self.standin_port}"

    @property
    def access_log(self) -> Path:
        """The stand-in's own record of every request that reached it."""
        return self.state.folder("log") / "standin-access.jsonl"

    @property
    def demo_env(self) -> Path:
        return self.state.root / "demo.env"


def state_of(environment: Mapping[str, str]) -> State:
    return State(root=Path(environment.get("HOOPWEB_STATE") or CHECKOUT / "var").absolute())


def make(environment: Mapping[str, str], *, now: datetime) -> Plan:
    """Read the environment, choose ports, make secrets and certificates; raises StackProblem. Starts nothing."""
    state = state_of(environment)
    account = environment.get("HOOPWEB_SERVICE_ACCOUNT", "nobody")
    valkey_port = choose(VALKEY, environment)
    return Plan(
        state=state,
        services=services(state, valkey_port=valkey_port, account_name=account),
        certificates=certificates.ensure(state.folder("tls", mode=0o755), now=now),
        web_port=choose(WEB, environment),
        web_edge_port=choose(WEB_EDGE, environment),
        web_edge_processes=_count(environment, "HOOPWEB_WEB_EDGE_PROCESSES", 2),
        standin_port=choose(STANDIN, environment),
        edges=_edges(environment),
        inherited=_inherited(environment),
    )


def _edges(environment: Mapping[str, str]) -> tuple[EdgePlace, ...]:
    count = _count(environment, "HOOPWEB_EDGES", 1)
    return tuple(
        EdgePlace(
            name=f"edge-{index + 1}",
            port=choose(EDGE, environment, offset=index),
            health_port=choose(EDGE_HEALTH, environment, offset=index),
        )
        for index in range(count)
    )


def _count(environment: Mapping[str, str], variable: str, default: int) -> int:
    text = environment.get(variable, "").strip() or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= 32:
        raise StackProblem(f"{variable}={text!r} is no count.", remedy="Give a number from 1 to 32.")
    return int(text)


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """What processes get of the caller's environment: its own AWS credentials and proxies are none of ours."""
    kept = {name: value for name, value in environment.items() if name.startswith("HOOPWEB_")}
    return {"PATH": environment.get("PATH", os.defpath), "HOME": environment.get("HOME", "/"), **kept}
