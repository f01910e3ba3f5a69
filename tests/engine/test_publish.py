"""What never compiles: text that is broken, mistyped, misspelt, empty, deceptive or too much for the parser."""

from __future__ import annotations

import pickle

import pytest

from gateway.engine import (
    CompiledRevision,
    Fault,
    FaultCode,
    PolicyRejected,
    combine,
    compile_revision,
    decide,
    rules_of,
)
from gateway.terms import Effect
from tests.engine.questions import ANYTHING, compiled, question


def faults(text: str) -> tuple[Fault, ...]:
    with pytest.raises(PolicyRejected) as refused:
        compile_revision(text, revision="r1")
    return refused.value.faults


def when(condition: str) -> str:
    return f'@id("a") permit (principal, action, resource) when {{ {condition} }};'


@pytest.mark.parametrize(
    "text",
    [
        "permit",
        '@id("a") permit (principal, action, resource)',
        '@id("a") permit (principal, action, resource) when { context.hour == };',
        '@id("a") allow (principal, action, resource);',
        '@id("a permit (principal, action, resource);',
        f"{ANYTHING} ;",
        f"{ANYTHING} )",
        f'{ANYTHING} @id("b")',
        f"{ANYTHING} /* no such comment */",
        "\x00",
    ],
)
def test_broken_text_never_compiles(text: str) -> None:
    assert faults(text)


@pytest.mark.parametrize("text", ["", "  \n", "// nothing yet\n"])
def test_a_text_without_a_rule_never_compiles(text: str) -> None:
    assert faults(text)[0].code is FaultCode.EMPTY


def test_one_broken_rule_refuses_the_whole_text_and_says_where() -> None:
    (fault,) = faults(f'{ANYTHING}\n\n// reads\n@id("b")\npermit (principal, action, resource)\nwhen {{ 1 + }};')
    assert (fault.line, fault.code) == (4, FaultCode.SYNTAX)


@pytest.mark.parametrize(
    "condition",
    [
        'context.hour == "noon"',
        "context.houre > 3",
        'context.agent.label == "x"',  # optional: has to be asked for with `has` first
        "context.source_ip.isLoopback()",
        'context.input.getTag("Bucket") == "a"',
        "resource.colour == 1",
        "principal is Hoopweb::Person && principal.age > 3",
        "context",
        'principal in Hoopweb::Team::"a"',
        "context.parameters.contains(3)",
    ],
)
def test_what_is_not_well_typed_is_refused(condition: str) -> None:
    (fault,) = faults(when(condition))
    assert (fault.code, fault.rule_id, fault.line) == (FaultCode.SCHEMA, "a", 1)


def test_a_slip_is_reported_once_and_in_the_authors_words() -> None:
    (fault,) = faults(when("context.houre > 3"))
    assert str(fault) == "policy:1: a: attribute `houre` in context not found"


@pytest.mark.parametrize(
    "condition",
    [
        'context has agent && context.agent.label == "claude-code"',
        'context has source_ip && context.source_ip.isInRange(ip("192.0.2.0/24"))',
        'context.input.hasTag("Bucket") && context.input.getTag("Bucket") like "prod-*"',
        'context.parameters.containsAny(["A=1", "B=2"])',
        'principal in Hoopweb::Group::"developers" && principal.label like "*@acme.example"',
        'context.access == "Write" && context.link.rank >= 3 && context.turn == "human"',
        'context.groups.contains("a") && context.person.label == "b" && context.connection.label == "production"',
        "context.session.calls < 100 && context.session.distinct_resources < 50 && context.session.deletes < 5",
        'context.session.taint.contains("web") && context.session.bytes_out > 1 && context.session.secrets_masked > 1',
        'context.delegated && !context.modelled && context.effective.contains("iam:PassRole") && context.hour < 8',
        'context.operation == "s3:GetObject" && context.service == "s3" && context.unknown_members.isEmpty()',
        'resource.arn like "arn:*" && resource.service == "s3" && resource.account == "1" && resource.region == "a"',
    ],
)
def test_the_whole_context_can_be_used(condition: str) -> None:
    assert compiled(when(condition)).rules


def test_a_misspelt_action_is_refused_with_the_likely_one() -> None:
    (fault,) = faults('@id("a") forbid (principal, action == Action::"s3:DeleteBuckets", resource);')
    assert fault.code is FaultCode.ACTION
    assert "did you mean 's3:DeleteBucket'" in fault.message


@pytest.mark.parametrize(
    "action", ["DeleteBucket", "s4:DeleteBucket", "class:Writing", "service:s4", "s3:", ":", "", "../s3:DeleteBucket"]
)
def test_an_action_aws_does_not_have_is_refused(action: str) -> None:
    assert faults(f'@id("a") forbid (principal, action in [Action::"{action}"], resource);')[0].code is FaultCode.ACTION


def test_a_misspelt_action_inside_a_condition_is_refused_too() -> None:
    assert faults(when('action == Action::"s3:GetObjekt"'))[0].code is FaultCode.ACTION


def test_a_group_of_actions_is_matched_by_in_never_by_equals() -> None:
    (fault,) = faults('@id("a") forbid (principal, action == Action::"class:Write", resource);')
    assert "is a group: write `action in`" in fault.message


def test_templates_are_refused() -> None:
    (fault,) = faults('@id("a") permit (principal == ?principal, action, resource);')
    assert fault.code is FaultCode.TEMPLATE


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\u2066", "\ufeff", "\x1b", "\u2028", "\u00ad"])
def test_text_that_reads_otherwise_than_it_runs_is_refused(hidden: str) -> None:
    (fault,) = faults(f"{ANYTHING}\n// harmless{hidden}\n")
    assert (fault.code, fault.line) == (FaultCode.INVISIBLE, 2)


@pytest.mark.parametrize(
    "condition",
    [
        "(" * 5_000 + "true" + ")" * 5_000,
        "[" * 5_000 + "1" + "]" * 5_000 + " == 1",
        " && ".join(["true"] * 5_000),
        "context" + ".a" * 5_000 + " == 1",
        "if true then true else " * 1_000 + "true",
        "context" + '["a"]' * 3_000 + " == 1",
        "1" + " + 1" * 5_000 + " == 2",
        '"' + "x" * 40_000 + '" == "y"',
    ],
)
def test_text_that_would_overrun_the_parser_is_refused_before_it(condition: str) -> None:
    """Cedar's parser recurses: each of these, unbounded, ends the process instead of raising."""
    assert faults(when(condition))[0].code is FaultCode.LIMIT


def test_a_chain_too_deep_to_load_is_refused_by_name() -> None:
    (fault,) = faults(ANYTHING + when(" || ".join(["true"] * 130)))
    assert (fault.code, fault.rule_id) == (FaultCode.LIMIT, "a")


def test_more_rules_than_the_limit_are_refused() -> None:
    many = "\n".join(f'@id("r{n}") permit (principal, action, resource);' for n in range(2_001))
    assert faults(many)[0].code is FaultCode.LIMIT


def test_a_long_list_is_no_deep_nesting() -> None:
    names = ", ".join(f'"bucket-{n}"' for n in range(1_000))
    assert compiled(when(f"[{names}].contains(resource.arn)")).rules


def test_a_revision_travels_through_a_cache_and_decides_the_same() -> None:
    whole = compiled(ANYTHING, '@id("late") forbid (principal, action, resource) when { context.hour > 20 };')
    late = question(hour_utc=21)
    for again in (CompiledRevision.loads(whole.dumps()), pickle.loads(pickle.dumps(whole))):
        assert again == whole
        assert decide(again, late) == decide(whole, late)
        assert decide(again, late).effect is Effect.DENY


def test_the_same_text_compiles_to_the_same_revision() -> None:
    assert compiled(ANYTHING) == compiled(ANYTHING)


def test_packs_and_own_text_are_joined_and_faults_keep_their_source_and_line() -> None:
    joined = combine({"own": f"// ours\n{ANYTHING}", "pack": '@id("late")\nforbid (principal, action, resource);'})
    assert [(rule.id, rule.source, rule.line) for rule in rules_of(joined)] == [
        ("anything", "own", 2),
        ("late", "pack", 1),
    ]


def test_an_id_taken_by_a_pack_is_refused() -> None:
    with pytest.raises(PolicyRejected) as refused:
        combine({"pack": ANYTHING, "own": f"\n{ANYTHING}"})
    assert str(refused.value.faults[0]) == "own:2: anything: @id is taken by the rule at pack:1"


def test_a_broken_source_cannot_swallow_its_neighbour() -> None:
    """Joined carelessly, the open string would end inside the pack and take its forbid with it."""
    with pytest.raises(PolicyRejected) as refused:
        combine({"own": '@id("a") @advice("open', "pack": ANYTHING})
    assert {fault.source for fault in refused.value.faults} == {"own"}


@pytest.mark.parametrize("name", ["", "Own", "a b", "größe", "own\npermit(principal,action,resource);", "../own"])
def test_a_source_name_is_plain(name: str) -> None:
    with pytest.raises(ValueError, match="lower-case"):
        combine({name: ANYTHING})
