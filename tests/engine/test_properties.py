"""What holds for every policy and every question, not only for the examples."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.engine import CompiledRevision, decide
from gateway.terms import AccessClass, Action, Candidate, Effect, LinkLevel, Question, SessionCounters
from tests.engine.questions import ALICE, HOOPWEB, PIPELINE, bucket, candidate, compiled, question

STRICTNESS = [Effect.ALLOW, Effect.ASK, Effect.DENY]
ACTIONS = {
    "s3:GetObject": AccessClass.READ,
    "s3:PutObject": AccessClass.WRITE,
    "s3:DeleteBucket": AccessClass.WRITE,
    "sqs:SendMessage": AccessClass.WRITE,
    "sts:AssumeRole": AccessClass.CREDENTIAL,
}
HEADS = [
    "action",
    'action == Action::"s3:GetObject"',
    'action in Action::"class:Write"',
    'action in [Action::"service:s3", Action::"sts:AssumeRole"]',
    'action in [Action::"s3:PutObject", Action::"s3:DeleteBucket"]',
    'action in Action::"class:Unmodelled"',
]
CONDITIONS = [
    "",
    'when { resource.arn like "*a" }',
    "unless { context.link.rank >= 3 }",
    'when { context.parameters.contains("Force=true") }',
    'when { context.input.hasTag("Force") && context.input.getTag("Force") == "true" }',
    "when { context has agent }",
    "when { principal is Hoopweb::Person && context.hour > 12 }",
    "when { context.session.calls * 9223372036854775807 > 1 }",  # errs from two calls on
    'when { action == Action::"s3:DeleteBucket" }',
    "when { context.delegated }",
]
KINDS = ["permit", "permit", "forbid", "ask"]


@st.composite
def rule_texts(draw: st.DrawFn, kinds: list[str]) -> str:
    """A rule without its @id."""
    kind = draw(st.sampled_from(kinds))
    notes = {"ask": '@effect("ask") @approvers("platform")', "permit": draw(st.sampled_from(["", '@mask("email")']))}
    effect = "permit" if kind == "permit" else "forbid"
    head, condition = draw(st.sampled_from(HEADS)), draw(st.sampled_from(CONDITIONS))
    return f"{notes.get(kind, '')} {effect} (principal, {head}, resource) {condition};"


@st.composite
def candidates(draw: st.DrawFn) -> Candidate:
    names = draw(st.lists(st.sampled_from(sorted(ACTIONS)), min_size=1, max_size=3))
    carried = draw(st.lists(st.sampled_from(sorted(ACTIONS)), max_size=1))
    return replace(
        candidate(is_modelled=draw(st.booleans())),
        actions=tuple(Action(name=name, access=ACTIONS[name]) for name in names),
        effective=tuple(Action(name=name, access=ACTIONS[name]) for name in carried),
        resources=tuple(bucket(name) for name in draw(st.lists(st.sampled_from("abc"), max_size=3))),
        parameters=draw(st.sampled_from([{}, {"Force": True}, {"Force": "no"}])),
        is_delegated=draw(st.booleans()),
    )


@st.composite
def questions(draw: st.DrawFn) -> Question:
    return question(
        *draw(st.lists(candidates(), min_size=1, max_size=3)),
        principal=draw(st.sampled_from([ALICE, PIPELINE, HOOPWEB])),
        link=draw(st.sampled_from(list(LinkLevel))),
        hour_utc=draw(st.sampled_from([9, 14])),
        session=SessionCounters(calls=draw(st.sampled_from([0, 0, 5]))),
    )


def revision(texts: list[str]) -> CompiledRevision:
    return compiled(*(f'@id("r{number}") {text}' for number, text in enumerate(texts)))


policies = st.lists(rule_texts(KINDS), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(policies, rule_texts(["forbid"]), questions())
def test_adding_a_forbid_never_loosens_an_answer(policy: list[str], forbid: str, asked: Question) -> None:
    before = decide(revision(policy), asked).effect
    after = decide(revision([*policy, forbid]), asked).effect
    assert STRICTNESS.index(after) >= STRICTNESS.index(before)


@settings(max_examples=40, deadline=None)
@given(policies, rule_texts(["ask"]), questions())
def test_adding_an_ask_never_loosens_an_answer(policy: list[str], ask: str, asked: Question) -> None:
    before = decide(revision(policy), asked).effect
    after = decide(revision([*policy, ask]), asked).effect
    assert STRICTNESS.index(after) >= STRICTNESS.index(before)


@settings(max_examples=40, deadline=None)
@given(policies, questions())
def test_no_order_of_readings_actions_or_resources_changes_the_answer(policy: list[str], asked: Question) -> None:
    compiled_policy = revision(policy)
    expected = decide(compiled_policy, asked)
    for readings in permutations(asked.candidates):
        turned = tuple(replace(each, actions=each.actions[::-1], resources=each.resources[::-1]) for each in readings)
        assert decide(compiled_policy, replace(asked, candidates=turned)) == expected


@settings(max_examples=40, deadline=None)
@given(policies, questions(), candidates())
def test_a_further_reading_never_loosens_an_answer(policy: list[str], asked: Question, further: Candidate) -> None:
    compiled_policy = revision(policy)
    before = decide(compiled_policy, asked).effect
    after = decide(compiled_policy, replace(asked, candidates=(*asked.candidates, further))).effect
    assert STRICTNESS.index(after) >= STRICTNESS.index(before)


@settings(max_examples=100, deadline=None)
@given(policies, questions())
def test_leaving_out_what_cannot_matter_answers_as_the_whole_set_does(policy: list[str], asked: Question) -> None:
    """Rules whose head names other actions, and context no rule reads, are not handed to Cedar."""
    asked = replace(
        asked,
        candidates=tuple(
            replace(each, operation=replace(each.operation, is_modelled=True)) for each in asked.candidates
        ),
    )
    narrowed = revision(policy)
    # With heads and reads unknown every rule and the whole context go in; the rules' Cedar stays the same.
    whole = replace(narrowed, rules=tuple(replace(rule, scope=None, reads=None) for rule in narrowed.rules))
    assert decide(narrowed, asked) == decide(whole, asked)


@settings(max_examples=40, deadline=None)
@given(policies, questions())
def test_asks_stand_exactly_with_the_effect_ask(policy: list[str], asked: Question) -> None:
    decision = decide(revision(policy), asked)
    assert bool(decision.asks) is (decision.effect is Effect.ASK)
    assert {ask.rule_id for ask in decision.asks} <= set(decision.rule_ids)


@settings(max_examples=40, deadline=None)
@given(policies, questions())
def test_nothing_is_ever_both_masked_and_cleared_nor_errs_and_passes(policy: list[str], asked: Question) -> None:
    decision = decide(revision(policy), asked)
    assert not set(decision.masks) & set(decision.clear)
    assert not decision.errors or decision.effect is Effect.DENY
