"""What the pages say is there: files, links, targets, paths of the API, variables, commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hoopweb.api.router import urlpatterns
from hoopweb.management import commands
from tests.house.test_promises import TARGETS
from tests.house.test_structure import CHECKOUT, tracked

PAGES = sorted(name for name in tracked() if name.endswith(".md") and name != "CHANGELOG.md")
ROOMS = ("approvals/", "audit/", "bench/", "deploy/", "docs/", "gateway/", "hoopweb/", "tests/")
CODE = [
    name for name in tracked() if name.endswith((".py", ".sh", ".service", ".html", "Makefile")) and "docs/" not in name
]


def text_of(page: str) -> str:
    return (CHECKOUT / page).read_text()


def _quoted(page: str) -> Iterator[str]:
    """What stands between back-quotes on one line, and every word of a code block."""
    text = text_of(page)
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for block in re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL):
        yield from block.split()


@pytest.mark.parametrize("page", PAGES)
def test_every_file_a_page_names_is_there(page: str) -> None:
    named = {word.rstrip(":,.") for word in _quoted(page) if word.startswith(ROOMS)}
    paths = {name for name in named if re.fullmatch(r"[\w./-]+", name) and "..." not in name}
    assert [name for name in sorted(paths) if not (CHECKOUT / name.partition("::")[0]).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    folder = Path(page).parent
    linked = re.findall(r"\]\((?!https?:|mailto:)([^)#\s]+)", text_of(page))
    assert [name for name in linked if not (CHECKOUT / folder / name).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_within_a_page_has_its_heading(page: str) -> None:
    text = text_of(page)
    slugs = {
        re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= slugs


@pytest.mark.parametrize("page", PAGES)
def test_every_target_a_page_names_can_be_made(page: str) -> None:
    named = {target for word in _quoted(page) for target in re.findall(r"^make ([a-z-]+)$", word)}
    assert named <= set(TARGETS)


@pytest.mark.parametrize("page", PAGES)
def test_every_path_of_the_api_a_page_names_is_routed(page: str) -> None:
    # Up to the first part that stands for a value.
    named = re.findall(r"/api/(v1(?:/[a-z-]+)+)/", text_of(page))
    routed = [str(route.pattern) for route in urlpatterns]
    assert {path for path in named if not any(route.startswith(f"{path}/") for route in routed)} == set()


def test_every_variable_a_page_names_is_one_the_code_knows() -> None:
    code = "".join(text_of(name) for name in CODE if (CHECKOUT / name).is_file())
    named = {name for page in PAGES for name in re.findall(r"\bHOOPWEB_[A-Z0-9_]+[A-Z0-9]\b", text_of(page))}
    assert named
    assert {name for name in named if name not in code} == set()


def test_every_management_command_a_page_names_is_there() -> None:
    here = {path.stem for path in (Path(commands.__file__).parent).glob("*.py")}
    named = {name for page in PAGES for name in re.findall(r"manage\.py ([a-z_]+)", text_of(page))}
    builtin = {"migrate", "createsuperuser", "check", "collectstatic", "shell"}
    assert named - builtin <= here


def test_every_decision_is_listed_under_its_own_title() -> None:
    listed = dict(
        re.findall(r"^\| \[(\d{4})\]\([^)]+\) \| (.+) \|$", text_of("docs/decisions/README.md"), re.MULTILINE)
    )
    pages = [name for name in PAGES if re.match(r"docs/decisions/\d{4}", name)]
    titled = {Path(name).name[:4]: re.sub(r"^# \d{4}:? ", "", text_of(name).splitlines()[0]) for name in pages}
    assert listed == titled


def test_every_word_the_glossary_explains_stands_in_order_and_once() -> None:
    words = re.findall(r"^\| ([^|]+?) \| ", text_of("docs/glossary.md"), re.MULTILINE)[2:]
    assert len(words) > 40
    assert words == sorted(set(words), key=str.casefold)
