"""The laws of the language, over any policy and question: deny wins, ask opens nothing, errors deny, order is nothing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.engine import CompiledRevision, decide
from gateway.engine.annotations import RuleKind
from gateway.terms import Effect, Question
from tests.engine.questions import compiled
from tests.engine.test_properties import KINDS, STRICTNESS, policies, questions, revision, rule_texts

NEVER = '@id("zz.never") forbid (principal, action, resource);'
ERRS = '@id("zz.errs") {} (principal, action, resource) when {{ 9223372036854775807 + context.hour > 1 }};'


def named(texts: list[str], numbers: list[int]) -> CompiledRevision:
    """The rules under ids that stay with them, in another order of the text."""
    return compiled(*(f'@id("r{number}") {texts[number]}' for number in numbers))


@settings(max_examples=60, deadline=None)
@given(policies, questions())
def test_a_matching_forbid_denies_whatever_else_is_written(policy: list[str], asked: Question) -> None:
    rules = [f'@id("r{number}") {text}' for number, text in enumerate(policy)]
    decision = decide(compiled(*rules, NEVER), asked)
    assert decision.effect is Effect.DENY
    assert decision.asks == ()
    if decision.reason == "forbidden":
        assert "zz.never" in decision.rule_ids


@settings(max_examples=60, deadline=None)
@given(st.lists(rule_texts(["ask"]), min_size=1, max_size=4), policies, questions())
def test_asks_open_nothing_that_is_denied_without_them(asks: list[str], policy: list[str], asked: Question) -> None:
    without = decide(revision(policy), asked)
    with_asks = decide(revision([*policy, *asks]), asked)
    if without.effect is Effect.DENY:
        assert with_asks.effect is Effect.DENY
    assert decide(revision(asks), asked).effect is Effect.DENY, "asks alone permit nothing"


@settings(max_examples=60, deadline=None)
@given(policies, st.sampled_from(["permit", "forbid", '@effect("ask") @approvers("platform") forbid']), questions())
def test_a_rule_that_errs_denies_whatever_its_kind(policy: list[str], kind: str, asked: Question) -> None:
    """Cedar alone skips a rule that errs: a forbid that cannot be evaluated would be open."""
    rules = [f'@id("r{number}") {text}' for number, text in enumerate(policy)]
    notes, _, effect = kind.rpartition(" ")
    erring = f"{notes} {ERRS.format(effect)}".strip()
    decision = decide(compiled(*rules, erring), replace(asked, hour_utc=14))
    assert decision.effect is Effect.DENY


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_order_of_rules_changes_no_answer(data: st.DataObject) -> None:
    texts = data.draw(st.lists(rule_texts(KINDS), min_size=2, max_size=6))
    turned = data.draw(st.permutations(range(len(texts))))
    asked = data.draw(questions())
    one, other = decide(named(texts, list(range(len(texts)))), asked), decide(named(texts, turned), asked)
    assert (one.effect, one.reason, one.errors, one.masks, one.clear) == (
        other.effect,
        other.reason,
        other.errors,
        other.masks,
        other.clear,
    )
    assert set(one.rule_ids) == set(other.rule_ids)
    assert {ask.rule_id for ask in one.asks} == {ask.rule_id for ask in other.asks}


@settings(max_examples=60, deadline=None)
@given(policies, questions())
def test_what_decided_is_of_the_kind_that_can(policy: list[str], asked: Question) -> None:
    made = revision(policy)
    decision = decide(made, asked)
    kinds = {made.by_id[name].kind for name in decision.rule_ids}
    match decision.effect:
        case Effect.ALLOW:
            assert kinds == {RuleKind.PERMIT}
        case Effect.ASK:
            assert kinds == {RuleKind.ASK}
        case Effect.DENY:
            assert RuleKind.ASK not in kinds or decision.errors


@settings(max_examples=60, deadline=None)
@given(policies, questions())
def test_taking_a_permit_away_never_opens_anything(policy: list[str], asked: Question) -> None:
    kept = [text for text in policy if " permit (" not in text]
    if kept:
        before, after = decide(revision(policy), asked).effect, decide(revision(kept), asked).effect
        assert STRICTNESS.index(after) >= STRICTNESS.index(before)
        assert after is Effect.DENY


@settings(max_examples=40, deadline=None)
@given(policies, questions())
def test_observing_forwards_and_keeps_the_answer(policy: list[str], asked: Question) -> None:
    made = revision(policy)
    decided, observed = decide(made, asked), decide(made, asked, observe=True)
    assert (observed.effect, observed.would_be) == (Effect.ALLOW, decided.effect)
    assert (observed.rule_ids, observed.reason, observed.errors) == (
        decided.rule_ids,
        decided.reason,
        decided.errors,
    )
