"""`manage.py reference_pages`: write docs/events.md and docs/problems.md from the code, so that they cannot drift."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

import approvals
import audit
import gateway
import hoopweb.api
import hoopweb.principal
import hoopweb.ui
from audit.kinds import RULES, EventKind
from gateway.problems import Problem

ROOMS = (approvals, audit, gateway, hoopweb.api, hoopweb.ui)
# Build-time and entry modules: importing them needs more than the running product has, or starts something.
_NOT_IMPORTED = ("migrations", "tables_compiler", "__main__")
_PROBLEMS_HEAD = """# Problems

Every problem has one stable code: the same in logs, events, answers and here. An AWS client sees the AWS code (JSON
protocols by the name their services use, as `AccessDeniedException`), the REST API sees `code` in problem+json.

| code | status | AWS code | what happened | what to do |
| --- | --- | --- | --- | --- |
"""
_EVENTS_HEAD = """# Events

The closed list of event kinds. Each event is canonical JSON (RFC 8785) with `v`, `tenant`, `seq`, `kind`, `at`,
`subject`, `session` and `data`. `data` holds no other facts than those listed; a * marks what an export may withhold.

| kind | facts |
| --- | --- |
"""


class Command(BaseCommand):
    help = "Write docs/events.md and docs/problems.md; with --check, fail when they are not up to date."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *_args: Any, **options: Any) -> None:
        for name, text in (("events.md", events_page()), ("problems.md", problems_page())):
            path = settings.BASE_DIR / "docs" / name
            if not options["check"]:
                path.write_text(text)
            elif not path.exists() or path.read_text() != text:
                raise CommandError(f"docs/{name} is not up to date; run `manage.py reference_pages`.")


def events_page() -> str:
    """The table of event kinds."""
    return _EVENTS_HEAD + "".join(f"| `{kind.value}` | {_facts(kind)} |\n" for kind in EventKind)


def _facts(kind: EventKind) -> str:
    rule = RULES[kind]
    return ", ".join(f"{fact}*" if fact in rule.redactable else fact for fact in sorted(rule.facts))


def problems_page() -> str:
    """The table of problems, by code; two rooms may tell one code in the words of their own place."""
    for root in ROOMS:
        _import_all(root)
    # Only what was imported just now for certain: the page must not depend on what else this process has loaded.
    rooms = (*(f"{root.__name__}." for root in ROOMS), hoopweb.principal.__name__)
    rows = {_row(problem) for problem in _below(Problem) if problem.__module__.startswith(rooms)}
    return _PROBLEMS_HEAD + "".join(sorted(rows))


def _import_all(package: Any) -> None:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not any(part in module.name.split(".") for part in _NOT_IMPORTED):
            importlib.import_module(module.name)


def _below(kind: type[Problem]) -> Iterator[type[Problem]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


def _row(problem: type[Problem]) -> str:
    cells = (f"`{problem.code}`", str(problem.status), f"`{problem.aws_code}`", problem.title, problem.remedy)
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n"
