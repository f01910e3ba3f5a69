"""The manual's examples are real: each compiles, alone and all together."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gateway.policy
from gateway.engine import Reason, compile_revision, decide
from gateway.engine.annotations import TABLE
from gateway.engine.entities import CONTEXT_ATTRIBUTES
from gateway.policy.packs import STARTING, packs
from gateway.terms import AccessClass, Effect, LinkLevel
from tests.engine.questions import candidate, question

MANUAL = Path(gateway.policy.__file__).parents[2] / "docs" / "policy.md"
TEXT = MANUAL.read_text("utf-8")
EXAMPLES = re.findall(r"```cedar\n(.*?)```", TEXT, re.DOTALL)
WHOLE = compile_revision("\n".join(EXAMPLES), revision="manual")


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_compiles(example: str) -> None:
    assert compile_revision(example, revision="manual").rules


def test_the_manual_lists_every_reason_annotation_and_context_attribute() -> None:
    for name in (*Reason, *(f"@{key}" for key in TABLE)):
        assert f"`{name}`" in TEXT
    for name in CONTEXT_ATTRIBUTES:
        assert re.search(rf"`{name}[`.]", TEXT), name


def test_the_manual_lists_every_pack() -> None:
    packs = (Path(gateway.policy.__file__).parent / "packs").glob("*.cedar")
    assert all(f"| `{path.stem}` |" in TEXT for path in packs)


def test_every_pack_has_a_section_that_says_what_it_does_not_stop() -> None:
    sections = dict(re.findall(r"^### (\S+)\n(.*?)(?=^##)", TEXT, re.DOTALL | re.MULTILINE))
    for each in packs():
        assert sections[each.name], each.name
        assert each.name == "starter" or "*Does not stop*" in sections[each.name], each.name


def test_the_manual_says_which_packs_a_tenant_starts_with() -> None:
    said = dict(re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| (yes)? ?\|$", TEXT, re.MULTILINE))
    assert {name for name, is_on in said.items() if is_on} == set(STARTING)
    assert said.keys() == {each.name for each in packs()}


def test_the_examples_answer_as_the_manual_says() -> None:
    terminate = candidate("ec2:TerminateInstances", AccessClass.WRITE)
    office = {"hour_utc": 10, "link": LinkLevel.BOUND}
    assert decide(WHOLE, question(candidate())).effect is Effect.ALLOW
    assert decide(WHOLE, question(terminate, **office)).reason == "no_permit"
    assert decide(WHOLE, question(candidate("dynamodb:GetItem"))).effect is Effect.ALLOW
