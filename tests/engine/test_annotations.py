"""The closed table of annotations: what a rule may carry, where, and with which values."""

from __future__ import annotations

import pytest

from gateway.engine import FaultCode, PolicyRejected, compile_revision
from gateway.engine.annotations import TABLE, RuleKind
from gateway.terms import Effect
from tests.engine.questions import ANYTHING, answer, compiled

FORBID = "forbid (principal, action, resource);"
PERMIT = "permit (principal, action, resource);"
ASK = '@effect("ask") @approvers("platform")'


def complaint(*rules: str) -> str:
    """The single fault of a text that must be refused, as its author reads it."""
    with pytest.raises(PolicyRejected) as refused:
        compile_revision("\n".join(rules), revision="r1")
    (fault,) = refused.value.faults
    return str(fault)


def test_every_rule_has_an_id() -> None:
    assert "every rule has an @id" in complaint(PERMIT)


def test_an_id_is_given_once() -> None:
    again = complaint(ANYTHING, "", f'@id("anything") {FORBID}')
    assert again == "policy:3: anything: @id is taken by the rule at policy:1"


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", 'quote\\"', "a" * 121])
def test_an_id_is_a_plain_word(name: str) -> None:
    assert "@id is 1 to 120" in complaint(f'@id("{name}") {PERMIT}')


def test_an_unknown_annotation_is_refused() -> None:
    assert "@maks is not an annotation" in complaint(f'@id("a") @maks("email") {PERMIT}')


def test_an_annotation_without_a_value_is_refused() -> None:
    assert '@effect has one value: "ask"' in complaint(f'@id("a") @effect @approvers("platform") {FORBID}')


@pytest.mark.parametrize("value", ["warn", "Ask", "deny", ""])
def test_the_only_effect_is_ask(value: str) -> None:
    assert '@effect has one value: "ask"' in complaint(f'@id("a") @effect("{value}") @approvers("p") {FORBID}')


def test_a_permit_cannot_ask() -> None:
    assert "stands only on a forbid" in complaint(f'@id("a") @effect("ask") {PERMIT}')


def test_an_ask_names_its_approvers() -> None:
    assert "an ask rule names its @approvers" in complaint(f'@id("a") @effect("ask") {FORBID}')


@pytest.mark.parametrize("key", ["approvers", "quorum", "expires", "run"])
def test_how_to_ask_stands_only_on_an_ask(key: str) -> None:
    value = {"approvers": "platform", "quorum": "1", "expires": "60m", "run": "return"}[key]
    assert f"@{key} stands only on" in complaint(f'@id("a") @{key}("{value}") {FORBID}')
    assert f"@{key} stands only on" in complaint(f'@id("a") @{key}("{value}") {PERMIT}')


@pytest.mark.parametrize("key", ["mask", "clear"])
def test_masking_stands_only_on_a_permit(key: str) -> None:
    assert f"@{key} stands only on a permit" in complaint(f'@id("a") @{key}("email") {FORBID}')
    assert f"@{key} stands only on a permit" in complaint(f'@id("a") {ASK} @{key}("email") {FORBID}')


def test_advice_stands_only_where_something_is_refused() -> None:
    assert "@advice stands only on a forbid" in complaint(f'@id("a") @advice("try that") {PERMIT}')


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "two", "", "21", "0x1", "\u0661"])
def test_a_quorum_is_a_whole_number_from_one_to_twenty(value: str) -> None:
    assert "@quorum is a whole number" in complaint(f'@id("a") {ASK} @quorum("{value}") {FORBID}')


@pytest.mark.parametrize(("value", "seconds"), [("30s", 30), ("60m", 3_600), ("24h", 86_400), ("7d", 604_800)])
def test_an_expiry_is_a_number_and_a_unit(value: str, seconds: int) -> None:
    (rule,) = compiled(f'@id("a") {ASK} @expires("{value}") {FORBID}').rules
    assert rule.ask is not None
    assert rule.ask.expires_seconds == seconds


@pytest.mark.parametrize("value", ["60", "1w", "0m", "29s", "8d", "1h30m", "-5m", " 5m", ""])
def test_any_other_expiry_is_refused(value: str) -> None:
    assert "@expires is a time" in complaint(f'@id("a") {ASK} @expires("{value}") {FORBID}')


@pytest.mark.parametrize("value", ["now", "Return", ""])
def test_an_approved_call_runs_on_return_or_on_approval(value: str) -> None:
    assert '@run is "return" or "approval"' in complaint(f'@id("a") {ASK} @run("{value}") {FORBID}')


@pytest.mark.parametrize("value", ["", " platform", "a\\nb", "x" * 201])
def test_approvers_name_one_group(value: str) -> None:
    assert "@approvers names one group" in complaint(f'@id("a") @effect("ask") @approvers("{value}") {FORBID}')


@pytest.mark.parametrize("value", ["", "Email", "email,", "email iban", "email, email"])
def test_mask_types_are_listed_once_each(value: str) -> None:
    assert "list mask types" in complaint(f'@id("a") @mask("{value}") {PERMIT}')


def test_one_rule_cannot_both_mask_and_clear_a_type() -> None:
    text = f'@id("a") @mask("email, iban") @clear("iban") {PERMIT}'
    assert "cannot both mask and clear iban" in complaint(text)


def test_where_the_mask_types_are_known_others_are_refused() -> None:
    text = f'@id("a") @mask("email, emial") {PERMIT}'
    with pytest.raises(PolicyRejected) as refused:
        compile_revision(text, revision="r1", mask_types=("email",))
    assert "there is no mask type 'emial'" in refused.value.detail


@pytest.mark.parametrize("value", ["", "two\\nlines", "x" * 501])
def test_advice_is_one_line(value: str) -> None:
    assert "@advice is one line" in complaint(f'@id("a") @advice("{value}") {FORBID}')


def test_the_same_annotation_twice_is_refused() -> None:
    assert "duplicate annotation" in complaint(f'@id("a") @id("b") {PERMIT}')


def test_every_annotation_of_the_table_can_be_used() -> None:
    """A table line nobody can write would be a promise of nothing."""
    values = {"id": "a", "effect": "ask", "approvers": "p", "quorum": "2", "expires": "5m", "run": "approval"}
    values |= {"mask": "email", "clear": "iban", "advice": "Ask."}
    assert values.keys() == TABLE.keys()
    for kind, head in ((RuleKind.PERMIT, PERMIT), (RuleKind.ASK, FORBID)):
        notes = " ".join(f'@{key}("{values[key]}")' for key, (places, _) in TABLE.items() if kind in places)
        assert compiled(f"{notes} {head}").rules[0].kind is kind


def test_an_annotation_inside_a_comment_or_a_string_is_none() -> None:
    rule = """// @effect("ask") @approvers("platform")
    @id("plain") @advice("do not write @effect here; ask") forbid (principal, action, resource);"""
    assert answer(ANYTHING, rule).effect is Effect.DENY


def test_all_faults_of_a_text_are_listed_at_once() -> None:
    with pytest.raises(PolicyRejected) as refused:
        compile_revision(f'{PERMIT}\n@id("b") @quorum("1") {FORBID}\n@id("c") permit (principal);', revision="r1")
    assert [(fault.line, fault.code) for fault in refused.value.faults] == [
        (1, FaultCode.ANNOTATION),
        (2, FaultCode.ANNOTATION),
        (3, FaultCode.SYNTAX),
    ]
