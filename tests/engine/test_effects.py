"""How permits, forbids and asks combine into one decision."""

from __future__ import annotations

from dataclasses import replace

from gateway.terms import AccessClass, Action, Effect, RunWhen
from tests.engine.questions import ANYTHING, answer, bucket, candidate, question

READS = '@id("reads") permit (principal, action in Action::"class:Read", resource);'
NO_PAYROLL = """@id("no-payroll") @advice("Payroll is not for agents.")
forbid (principal, action, resource) when { resource.arn like "arn:aws:s3:::payroll*" };"""
ASK_PLATFORM = """@id("ask-platform") @effect("ask") @approvers("platform")
forbid (principal, action, resource);"""
ASK_SECURITY = """@id("ask-security") @effect("ask") @approvers("security") @quorum("2") @expires("24h") @run("approval")
forbid (principal, action, resource);"""


def test_what_no_rule_permits_is_denied() -> None:
    decision = answer(READS, to=question(candidate("s3:PutObject", AccessClass.WRITE)))
    assert (decision.effect, decision.reason, decision.rule_ids) == (Effect.DENY, "no_permit", ())


def test_what_a_rule_permits_is_allowed_and_the_rule_is_cited() -> None:
    decision = answer(READS)
    assert (decision.effect, decision.reason, decision.rule_ids) == (Effect.ALLOW, "permitted", ("reads",))
    assert decision.revision == "r1"


def test_a_forbid_outweighs_every_permit_and_gives_its_advice() -> None:
    decision = answer(ANYTHING, READS, NO_PAYROLL, to=question(candidate(resources=(bucket("payroll-2026"),))))
    assert (decision.effect, decision.reason, decision.rule_ids) == (Effect.DENY, "forbidden", ("no-payroll",))
    assert decision.advice == "Payroll is not for agents."


def test_an_ask_holds_what_is_permitted() -> None:
    decision = answer(READS, ASK_PLATFORM)
    assert (decision.effect, decision.reason, decision.rule_ids) == (Effect.ASK, "approval_required", ("ask-platform",))


def test_an_ask_says_who_how_many_how_long_and_when_to_run() -> None:
    (ask,) = answer(READS, ASK_SECURITY).asks
    assert (ask.approvers, ask.quorum, ask.expires_seconds, ask.run) == ("security", 2, 86_400, RunWhen.APPROVAL)


def test_an_ask_left_plain_wants_one_person_within_an_hour_and_runs_on_return() -> None:
    (ask,) = answer(READS, ASK_PLATFORM).asks
    assert (ask.quorum, ask.expires_seconds, ask.run) == (1, 3_600, RunWhen.RETURN)


def test_two_matching_asks_are_both_returned() -> None:
    decision = answer(READS, ASK_SECURITY, ASK_PLATFORM)
    assert [ask.rule_id for ask in decision.asks] == ["ask-security", "ask-platform"]


def test_an_ask_opens_nothing_that_no_permit_opens() -> None:
    decision = answer(READS, ASK_PLATFORM, to=question(candidate("s3:PutObject", AccessClass.WRITE)))
    assert (decision.effect, decision.asks) == (Effect.DENY, ())


def test_an_ask_opens_nothing_that_a_forbid_closes() -> None:
    decision = answer(ANYTHING, NO_PAYROLL, ASK_PLATFORM, to=question(candidate(resources=(bucket("payroll"),))))
    assert (decision.effect, decision.rule_ids) == (Effect.DENY, ("no-payroll",))


def test_asks_are_empty_unless_the_effect_is_ask() -> None:
    assert answer(READS).asks == ()


def test_one_denied_resource_denies_the_call() -> None:
    decision = answer(ANYTHING, NO_PAYROLL, to=question(candidate(resources=(bucket("reports"), bucket("payroll")))))
    assert decision.effect is Effect.DENY


def test_one_unpermitted_action_denies_the_call() -> None:
    both = (
        Action(name="s3:GetObject", access=AccessClass.READ),
        Action(name="s3:PutObject", access=AccessClass.WRITE),
    )
    assert answer(READS, to=question(candidate(actions=both))).reason == "no_permit"


def test_an_action_carried_inside_the_parameters_is_asked_about_like_any_other() -> None:
    carried = candidate(effective=(Action(name="s3:DeleteBucket", access=AccessClass.WRITE),))
    assert answer(READS, to=question(carried)).effect is Effect.DENY


def test_the_strictest_reading_of_an_ambiguous_request_decides() -> None:
    write = candidate("s3:PutObject", AccessClass.WRITE)
    assert answer(READS, to=question(candidate(), write)).effect is Effect.DENY
    assert answer(READS, to=question(candidate())).effect is Effect.ALLOW


def test_one_action_under_two_classes_has_to_be_permitted_under_both() -> None:
    """An operation nobody has mapped comes as Write and as Permissions management."""
    unmapped = candidate(
        actions=(
            Action(name="s3:Novelty", access=AccessClass.WRITE),
            Action(name="s3:Novelty", access=AccessClass.PERMISSIONS),
        )
    )
    writes = '@id("writes") permit (principal, action in Action::"class:Write", resource);'
    permissions = '@id("perms") permit (principal, action in Action::"class:Permissions management", resource);'
    assert answer(writes, to=question(unmapped)).effect is Effect.DENY
    assert answer(writes, permissions, to=question(unmapped)).effect is Effect.ALLOW


def test_a_forbid_on_either_class_of_such_an_action_denies() -> None:
    unmapped = candidate(
        actions=(
            Action(name="s3:Novelty", access=AccessClass.WRITE),
            Action(name="s3:Novelty", access=AccessClass.PERMISSIONS),
        )
    )
    no_permissions = '@id("no-perms") forbid (principal, action in Action::"class:Permissions management", resource);'
    assert answer(ANYTHING, no_permissions, to=question(unmapped)).rule_ids == ("no-perms",)


def test_a_call_without_a_named_resource_is_asked_about_as_a_whole() -> None:
    everywhere = candidate("s3:ListAllMyBuckets", AccessClass.LIST, resources=())
    here = '@id("here") permit (principal, action, resource == Hoopweb::Resource::"*");'
    assert answer(here, to=question(everywhere)).effect is Effect.ALLOW
    assert answer(here).effect is Effect.DENY


def test_a_call_that_was_read_as_nothing_is_denied() -> None:
    assert answer(ANYTHING, to=replace(question(), candidates=())).reason == "nothing_to_decide"
    assert answer(ANYTHING, to=question(candidate(actions=()))).reason == "nothing_to_decide"


def test_the_same_resource_twice_counts_as_one() -> None:
    assert answer(READS, to=question(candidate(resources=(bucket("a"), bucket("a"))))).effect is Effect.ALLOW


def test_two_resources_under_one_arn_have_to_be_permitted_both() -> None:
    other = replace(bucket("a"), account="444455556666")
    ours = '@id("ours") permit (principal, action, resource) when { resource.account == "" };'
    assert answer(ours, to=question(candidate(resources=(bucket("a"), other)))).effect is Effect.DENY


def test_advice_of_every_deciding_rule_is_given_once() -> None:
    second = NO_PAYROLL.replace("no-payroll", "no-payroll-either")
    decision = answer(ANYTHING, NO_PAYROLL, second, to=question(candidate(resources=(bucket("payroll"),))))
    assert decision.advice == "Payroll is not for agents."
    assert decision.rule_ids == ("no-payroll", "no-payroll-either")


def test_what_is_allowed_gives_no_advice() -> None:
    assert answer(ANYTHING, NO_PAYROLL).advice == ""
