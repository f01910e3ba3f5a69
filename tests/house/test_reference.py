"""The reference pages say what the code says."""

from __future__ import annotations

from pathlib import Path

from gateway.tenants.rights import RIGHTS_OF, Right, Role
from hoopweb.management.commands.reference_pages import events_page, problems_page

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


def test_every_event_kind_and_its_facts_are_documented() -> None:
    assert (DOCS / "events.md").read_text() == events_page(), "run `manage.py reference_pages`"


def test_every_problem_a_user_can_meet_is_documented() -> None:
    assert (DOCS / "problems.md").read_text() == problems_page(), "run `manage.py reference_pages`"


def test_the_table_of_roles_is_the_one_in_force() -> None:
    lines = [line.split("|") for line in (DOCS / "security.md").read_text().splitlines() if line.startswith("| ")]
    told = {cells[1].split()[0]: [cell.strip() == "yes" for cell in cells[2:7]] for cells in lines if ":" in cells[1]}
    assert told == {right.value: [right in RIGHTS_OF[role] for role in Role] for right in Right}
