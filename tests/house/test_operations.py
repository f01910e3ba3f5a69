"""What docs/operations.md names is there: commands, tests, events, problems, variables."""

from __future__ import annotations

import re

import pytest
from django.core.management import get_commands

from audit.kinds import EventKind
from tests.house.test_structure import CHECKOUT

TEXT = (CHECKOUT / "docs" / "operations.md").read_text()


def test_every_command_is_one_of_ours_or_djangos() -> None:
    named = set(re.findall(r"manage\.py ([a-z_]+)", TEXT))
    assert {
        "migrate",
        "create_tenant",
        "edge_token",
        "rewrap_keys",
        "revoke_edge",
        "resume_tenant",
        "refusals",
    } <= named
    assert named <= set(get_commands())


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[a-z_/]+\.py)`", TEXT))))
def test_every_test_it_leans_on_is_there(path: str) -> None:
    assert (CHECKOUT / path).is_file()


def test_every_event_and_problem_is_known() -> None:
    prefixes = ("request", "edge", "person", "tenant", "member", "api_key")
    events = set(re.findall(rf"`((?:{'|'.join(prefixes)})\.[a-z_]+)`", TEXT)) - {"edge.id", "edge.key"}
    assert events
    assert events <= {kind.value for kind in EventKind}
    problems = (CHECKOUT / "docs" / "problems.md").read_text()
    for code in ("requests.reference_changed", "sealing.broken"):
        assert code in TEXT
        assert f"`{code}`" in problems


def test_every_variable_is_read_somewhere() -> None:
    named = set(re.findall(r"\bHOOPWEB_[A-Z_]+", TEXT)) - {"HOOPWEB_ADMIN_API_KEY"}
    code = "".join(
        path.read_text() for room in ("gateway", "hoopweb") for path in sorted((CHECKOUT / room).rglob("*.py"))
    )
    # Two are put together from their parts (gateway/connections/sts.py).
    made = {"HOOPWEB_AWS_ACCESS_KEY_ID", "HOOPWEB_AWS_SECRET_ACCESS_KEY"}
    assert {name for name in named - made if f'"{name}"' not in code} == set()
