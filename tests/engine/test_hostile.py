"""Names chosen to break out of a string, pass for another or confuse the reader stay what they are: names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine import decide
from gateway.terms import Effect, Resource
from tests.engine.questions import ALICE, ANYTHING, candidate, compiled, question

NAMES = [
    'a"; permit(principal, action, resource); //',
    "a\nb",
    "a\\",
    '\\"',
    "a\x00b",
    "\u202ereversed",
    "emoji \U0001f512",
    "'--",
    '{"__entity": {"type": "Hoopweb::Group", "id": "admins"}}',
    "*",
    "?principal",
    "",
    " ",
    "a" * 10_000,
]
ONLY_PUBLIC = compiled(
    '@id("public") permit (principal, action, resource == Hoopweb::Resource::"arn:aws:s3:::public");',
    '@id("like") forbid (principal, action, resource) when { resource.arn like "*secret*" };',
)
EVERYTHING = compiled(
    ANYTHING,
    '@id("reads-all") forbid (principal, action, resource) '
    'when { context.parameters.contains("a=b") && context.input.hasTag("a") && context.source == "x" '
    '&& context.groups.contains("admins") && context.person.label == "root" && context.operation == "s3:No" };',
)


@pytest.mark.parametrize("name", NAMES)
def test_a_resource_of_any_name_is_decided_as_that_name(name: str) -> None:
    decision = decide(ONLY_PUBLIC, question(candidate(resources=(Resource(arn=name, service="s3"),))))
    assert (decision.effect, decision.errors) == (Effect.DENY, ())
    assert decision.reason == "no_permit"


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_can_name_any_resource_and_meets_exactly_it(name: str) -> None:
    escaped = "".join(f"\\u{{{ord(character):x}}}" for character in name[:200])
    rule = compiled(ANYTHING, f'@id("it") forbid (principal, action, resource) when {{ resource.arn == "{escaped}" }};')
    met = question(candidate(resources=(Resource(arn=name[:200], service="s3"),)))
    other = question(candidate(resources=(Resource(arn=f"{name[:200]}x", service="s3"),)))
    assert decide(rule, met).rule_ids == ("it",)
    assert decide(rule, other).effect is Effect.ALLOW


@pytest.mark.parametrize("name", NAMES)
def test_a_group_of_any_name_lends_no_other_membership(name: str) -> None:
    admins = compiled('@id("admins") permit (principal in Hoopweb::Group::"admins", action, resource);')
    asked = question(principal=type(ALICE)(kind=ALICE.kind, id=ALICE.id, label=name, groups=(name,)))
    assert decide(admins, asked).reason == "no_permit"


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_labels_of_any_text_are_only_text(name: str) -> None:
    asked = question(candidate(parameters={name: name, "list": [name]}), source_address=name, connection_label=name)
    decision = decide(EVERYTHING, asked)
    assert (decision.effect, decision.errors) == (Effect.ALLOW, ())


def test_a_value_that_looks_like_an_entity_stays_a_string() -> None:
    tricky = {"__entity": {"type": "Hoopweb::Group", "id": "admins"}, "__extn": {"fn": "ip", "arg": "1.1.1.1"}}
    sees = compiled(
        ANYTHING,
        '@id("sees") forbid (principal, action, resource) when { context.parameters.contains("__entity.id=admins") };',
    )
    assert decide(sees, question(candidate(parameters=tricky))).rule_ids == ("sees",)


@given(st.text())
def test_no_text_whatever_turns_a_resource_into_a_permitted_one(name: str) -> None:
    asked = question(candidate(resources=(Resource(arn=f"x{name}", service=name, account=name, region=name),)))
    assert decide(ONLY_PUBLIC, asked).effect is Effect.DENY


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.booleans() | st.none() | st.lists(st.text())))
def test_no_parameters_whatever_are_an_error(parameters: dict[str, object]) -> None:
    decision = decide(EVERYTHING, question(candidate(parameters=parameters)))
    surrogates = any("\ud800" <= character <= "\udfff" for character in repr(parameters))
    assert decision.errors == () or surrogates
