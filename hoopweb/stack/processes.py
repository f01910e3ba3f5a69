"""The table of processes: what runs, as what, after what, and how one knows it is ready.

Starting, restarting and stopping them is `hoopweb.stack.supervisor`'s; another machine's table is in `deploy/`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hoopweb.stack import checks, postgres
from hoopweb.stack.certificates import OPEN_NAME, PLAIN_NAME
from hoopweb.stack.child import Program
from hoopweb.stack.plan import CHECKOUT, EdgePlace, Plan

NODE = "hoopweb"  # the host part of worker names, which needs no resolving


def _nothing() -> None:
    """Most processes need nothing done before or after their start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One line of the table. `program` is asked for at each start, so it may read what an earlier process wrote."""

    name: str
    program: Callable[[], Program]
    is_ready: Callable[[], bool] | None  # None: it runs once, and is ready when it ended well
    after: tuple[str, ...] = ()
    prepare: Callable[[], None] = _nothing
    finish: Callable[[], None] = _nothing

    @property
    def runs_once(self) -> bool:
        return self.is_ready is None


def table(plan: Plan) -> tuple[Process, ...]:
    """Return every process of the stack, each after those it needs."""
    return (
        *_services(plan),
        _standin(plan),
        _rules(plan),
        _manage(plan, "migrate", "migrate", "--no-input", role=postgres.OWNER, after=("postgres",)),
        _manage(plan, "bootstrap", "bootstrap_demo", role=postgres.OWNER, after=("migrate", "valkey", "standin")),
        _web(plan),
        _web_edge(plan),
        _worker(plan, "worker-approved", queue="approved"),
        _worker(plan, "worker-jobs", queue="jobs"),
        _beat(plan),
        *(_edge(plan, edge) for edge in plan.edges),
    )


def _services(plan: Plan) -> tuple[Process, ...]:
    database, broker = plan.services.postgres, plan.services.valkey
    return (
        Process(
            name="postgres",
            program=plan.services.postgres_program,
            is_ready=database.is_ready,
            prepare=lambda: database.initialise(plan.services.passwords),
            finish=lambda: database.ensure_roles(plan.services.passwords),
        ),
        Process(name="valkey", program=plan.services.valkey_program, is_ready=broker.is_ready),
    )


def _standin(plan: Plan) -> Process:
    arguments = ("--port", str(plan.standin_port), "--access-log", str(plan.access_log), "--seed")
    program = _python(plan, "standin", "-m", "hoopweb.stack.standin", *arguments)
    return Process(
        name="standin",
        program=lambda: program,
        is_ready=checks.http_answers(plan.standin_port, "/hoopweb-standin/ready"),
    )


def _rules(plan: Plan) -> Process:
    """Compiles the rules while the database comes up: edges that start together would each do it, for seconds."""
    program = _python(plan, "rules", "-m", "gateway.masking", "compile")
    return Process(name="rules", program=lambda: program, is_ready=None)


def _manage(plan: Plan, name: str, *command: str, after: tuple[str, ...], role: str) -> Process:
    program = _python(plan, name, "manage.py", *command, more=_django(plan, "command", role))
    return Process(name=name, program=lambda: program, is_ready=None, after=after)


def _web(plan: Plan) -> Process:
    program = _granian(plan, "web", port=plan.web_port, processes=1)
    return Process(
        name="web",
        program=lambda: program,
        is_ready=checks.http_answers(plan.web_port, "/healthz"),
        after=("migrate",),
    )


def _web_edge(plan: Plan) -> Process:
    program = _granian(plan, "web-edge", port=plan.web_edge_port, processes=plan.web_edge_processes)
    return Process(
        name="web-edge",
        program=lambda: program,
        is_ready=checks.http_answers(plan.web_edge_port, "/healthz"),
        after=("migrate",),
    )


def _granian(plan: Plan, name: str, *, port: int, processes: int) -> Program:
    options = {
        "--interface": "wsgi",
        "--host": "127.0.0.1",
        "--port": port,
        "--workers": processes,
        "--blocking-threads": 8,
        "--workers-kill-timeout": 5,
    }
    given = [str(part) for pair in options.items() for part in pair]
    arguments = ("-m", "granian", *given, "--respawn-failed-workers", "--no-ws", "hoopweb.wsgi:application")
    return _python(plan, name, *arguments, more=_django(plan, name, postgres.APP))


def _worker(plan: Plan, name: str, *, queue: str) -> Process:
    node = f"{name}@{NODE}"
    arguments = ("worker", "-Q", queue, "-n", node, "-c", "2", "--without-gossip", "--without-mingle", "-l", "INFO")
    program = _celery(plan, name, *arguments)
    return Process(
        name=name,
        program=lambda: program,
        is_ready=checks.worker_answers(plan.services.valkey.url, node),
        after=("migrate", "valkey"),
    )


def _beat(plan: Plan) -> Process:
    # The schedule is only when each task ran last; a file cut short by a kill would keep beat from starting.
    schedule = plan.state.folder("run") / "beat-schedule"
    program = _celery(plan, "beat", "beat", "-s", str(schedule), "-l", "INFO")
    return Process(
        name="beat",
        program=lambda: program,
        is_ready=checks.file_appears(schedule),
        after=("migrate", "valkey"),
        prepare=lambda: _remove(schedule),
    )


def _remove(pattern: Path) -> None:
    for path in pattern.parent.glob(f"{pattern.name}*"):
        path.unlink()


def _celery(plan: Plan, name: str, *arguments: str) -> Program:
    return _python(
        plan, name, "-m", "celery", "-A", "hoopweb.celery", *arguments, more=_django(plan, name, postgres.APP)
    )


def _edge(plan: Plan, edge: EdgePlace) -> Process:
    base = _python(plan, edge.name, "-m", "gateway.edge", more=_edge_environment(plan, edge))
    return Process(
        name=edge.name,
        program=lambda: replace(base, environment={**base.environment, **_enrolment(plan, edge)}),
        is_ready=checks.http_answers(edge.health_port, "/-/ready"),
        # The bootstrap leaves the token an edge enrols with.
        after=("rules", "web-edge", "bootstrap"),
    )


def _edge_environment(plan: Plan, edge: EdgePlace) -> dict[str, str]:
    return {
        "HOOPWEB_EDGE_NAME": edge.name,
        "HOOPWEB_EDGE_LISTEN": f"127.0.0.1:{edge.port}",
        "HOOPWEB_EDGE_HEALTH": f"127.0.0.1:{edge.health_port}",
        "HOOPWEB_EDGE_TLS_CERT": str(plan.certificates.certificate),
        "HOOPWEB_EDGE_TLS_KEY": str(plan.certificates.key),
        "HOOPWEB_EDGE_STATE": str(plan.state.folder(edge.name)),
        "HOOPWEB_CONTROL_URL": plan.control_url,
    }


def enrolment_file(plan: Plan, edge: EdgePlace) -> Path:
    """Where `bootstrap_demo` leaves the one-time token of an edge that is not enrolled yet."""
    return plan.state.folder("secrets") / f"{edge.name}-enrol-token"


def _enrolment(plan: Plan, edge: EdgePlace) -> dict[str, str]:
    path = enrolment_file(plan, edge)
    return {"HOOPWEB_EDGE_ENROL_TOKEN": path.read_text().strip()} if path.exists() else {}


def _django(plan: Plan, role: str, database_role: str) -> dict[str, str]:
    """What `hoopweb.settings` reads, for one process and one database role."""
    return {
        **plan.services.environment(role=database_role),
        "HOOPWEB_ROLE": role,
        "HOOPWEB_URL": plan.url,
        "HOOPWEB_CONTROL_URL": plan.control_url,
        "HOOPWEB_UPSTREAM_AWS_URL": plan.upstream_url,
        "HOOPWEB_ALLOWED_HOSTS": "127.0.0.1,localhost",
        "HOOPWEB_EDGE_NAMES": ",".join(edge.name for edge in plan.edges),
        "HOOPWEB_EDGE_URL": plan.edges[0].url,
        "HOOPWEB_CA_FILE": str(plan.certificates.authority),
        "DJANGO_SETTINGS_MODULE": "hoopweb.settings",
    }


def _python(plan: Plan, name: str, *arguments: str, more: Mapping[str, str] | None = None) -> Program:
    return Program(
        argv=(sys.executable, *arguments),
        environment={**environment(plan), **(more or {})},
        directory=CHECKOUT,
        log=plan.state.folder("log") / f"{name}.log",
    )


def environment(plan: Plan) -> dict[str, str]:
    """What every process of ours gets. No AWS configuration of this machine or its user reaches one."""
    return {
        **plan.inherited,
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONUNBUFFERED": "1",
        # Compiled once for all processes that mask; without it each start of an edge compiles for seconds.
        # Buckets and operations' host prefixes may stand before either; edges and control plane must agree on them.
        "HOOPWEB_GATEWAY_NAMES": f"{PLAIN_NAME},{OPEN_NAME}",
        "HOOPWEB_RULE_CACHE": str(plan.state.folder("rules")),
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
