"""Every line of every shipped pack is compiled and fired: a rule that never matches protects nobody.

The lines come from the packs themselves; only what a rule's condition waits for is written down here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import gateway.policy
from gateway.engine import CompiledRevision, catalogue, combine, compile_revision, decide, rules_of
from gateway.engine.annotations import RuleKind
from gateway.engine.rules import Rule
from gateway.terms import AccessClass, Action, Effect, LinkLevel, Question, SessionCounters
from tests.engine.questions import ANYTHING, PIPELINE, bucket, candidate, question

FOLDER = Path(gateway.policy.__file__).parent / "packs"
TEXTS = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.cedar"))}
PACKS = sorted(TEXTS.keys() - {"starter"})

BLOCKED = "PublicAccessBlockConfiguration"
# rule id -> ways its condition comes true; each has to fire, for each action its head names.
CONDITIONS: dict[str, list[dict[str, Any]]] = {
    "destroys.in-bulk": [{"session": SessionCounters(deletes=100)}],
    "protection.s3-removed": [
        {"operation": operation}
        for operation in (
            "s3:DeletePublicAccessBlock",
            "s3control:DeletePublicAccessBlock",
            "s3:DeleteBucketEncryption",
            "s3:DeleteBucketLifecycle",
            "s3:DeleteBucketReplication",
            "s3:DeleteBucketOwnershipControls",
        )
    ],
    "protection.s3-public-access-opened": [
        {"parameters": {}},
        {"parameters": {BLOCKED: {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True}}},
    ],
    "protection.s3-versioning-suspended": [
        {"parameters": {"VersioningConfiguration": {"Status": "Suspended"}}},
        {"parameters": {"VersioningConfiguration": {"Status": "Enabled", "MFADelete": "Disabled"}}},
    ],
    "protection.database-catches": [
        {"parameters": {"DeletionProtection": False}},
        {"parameters": {"BackupRetentionPeriod": 0}},
        {"parameters": {"DeletionProtectionEnabled": False}},
    ],
    "protection.dynamodb-recovery-off": [
        {"parameters": {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": False}}}
    ],
    "protection.instance-catches": [
        {"parameters": {"DisableApiTermination": {"Value": False}}},
        {"parameters": {"DisableApiStop": {"Value": False}}},
    ],
    "protection.stack-catches": [{"parameters": {"EnableTerminationProtection": False}}],
    "secrets.sweep": [{"session": SessionCounters(secrets_masked=500)}],
    "secrets.unaccounted": [{"principal": PIPELINE, "link": LinkLevel.PERSON}],
}
# One call of each group a head names, where it does not name actions.
SAMPLES = {
    "class:Credential": ("sts:AssumeRole", AccessClass.CREDENTIAL),
    "class:List": ("s3:ListAllMyBuckets", AccessClass.LIST),
    "class:Read": ("dynamodb:GetItem", AccessClass.READ),
    "class:Write": ("s3:PutObject", AccessClass.WRITE),
    "class:Tagging": ("s3:PutObjectTagging", AccessClass.TAGGING),
    "class:Permissions management": ("iam:PutRolePolicy", AccessClass.PERMISSIONS),
}


@cache
def alone(pack: str) -> CompiledRevision:
    return compile_revision(combine({pack: TEXTS[pack], "all": ANYTHING}), revision="r1")


@cache
def demo() -> CompiledRevision:
    """What the demo tenant runs: the starter policy with every pack."""
    return compile_revision(combine(TEXTS), revision="r1")


def lines() -> Iterator[Any]:
    for pack, text in TEXTS.items():
        for rule in rules_of(text):
            for action in rule.scope or ():
                for number, condition in enumerate(CONDITIONS.get(rule.id, [{}])):
                    yield pytest.param(pack, rule, action, condition, id=f"{rule.id}-{action}-{number}")


def asked(action: str, condition: dict[str, Any]) -> Question:
    name, access = SAMPLES.get(action, (action, AccessClass.WRITE))
    of_call = {key: value for key, value in condition.items() if key in ("operation", "parameters")}
    of_asker = {key: value for key, value in condition.items() if key not in of_call}
    return question(candidate(name, access, **of_call), **of_asker)


@pytest.mark.parametrize(("pack", "rule", "action", "condition"), list(lines()))
def test_each_line_fires(pack: str, rule: Rule, action: str, condition: dict[str, Any]) -> None:
    decision = decide(alone(pack), asked(action, condition))
    expected = {RuleKind.PERMIT: Effect.ALLOW, RuleKind.ASK: Effect.ASK, RuleKind.FORBID: Effect.DENY}
    assert decision.effect is expected[rule.kind]
    assert rule.id in decision.rule_ids
    assert decision.errors == ()


@pytest.mark.parametrize("rule_id", CONDITIONS)
def test_a_conditional_line_lets_the_everyday_call_pass(rule_id: str) -> None:
    """Otherwise the condition would be decoration."""
    pack, rule = next((pack, rule) for pack, text in TEXTS.items() for rule in rules_of(text) if rule.id == rule_id)
    action = (rule.scope or ())[0]
    everyday = {BLOCKED: dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy"), True)}
    everyday[BLOCKED]["RestrictPublicBuckets"] = True
    assert rule.id not in decide(alone(pack), asked(action, {"parameters": everyday})).rule_ids


def test_every_string_a_condition_waits_for_is_tried() -> None:
    """A new value in a pack's condition fails here until a way to fire it stands in the table above."""
    tried = str(CONDITIONS)
    for text in TEXTS.values():
        for body in re.findall(r"\bwhen\s*\{(.*?)\};", text, re.DOTALL):
            for literal in re.findall(r'"([^"]+)"', body):
                last = literal.partition("=")[0].rpartition(".")[2]
                assert literal in tried or f"'{last}'" in tried or literal.partition("=")[0].split(".")[-2:][0] in tried


@pytest.mark.parametrize("pack", PACKS)
def test_every_refusal_of_a_pack_advises(pack: str) -> None:
    assert all(rule.advice for rule in rules_of(TEXTS[pack]) if rule.kind is not RuleKind.PERMIT)


@pytest.mark.parametrize("pack", TEXTS)
def test_every_rule_of_a_pack_names_what_it_is_about(pack: str) -> None:
    assert all(rule.scope for rule in rules_of(TEXTS[pack]))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_advice_never_shows_the_rule(text: str) -> None:
    assert not any(rule.id in rule.advice or "Action::" in rule.advice for rule in rules_of(text))


def test_no_action_stands_twice_in_one_rule() -> None:
    for text in TEXTS.values():
        for rule in rules_of(text):
            assert len(set(rule.scope or ())) == len(rule.scope or ()), rule.id


@pytest.mark.parametrize(
    ("name", "access"),
    [
        ("s3:ListAllMyBuckets", AccessClass.LIST),
        ("s3:GetObject", AccessClass.READ),
        ("s3:PutObject", AccessClass.WRITE),
        ("s3:DeleteObject", AccessClass.WRITE),
        ("dynamodb:GetItem", AccessClass.READ),
        ("dynamodb:Query", AccessClass.READ),
        ("lambda:InvokeFunction", AccessClass.WRITE),
        ("sqs:SendMessage", AccessClass.WRITE),
        ("s3:PutObjectTagging", AccessClass.TAGGING),
    ],
)
def test_the_demo_tenant_works_as_usual(name: str, access: AccessClass) -> None:
    assert decide(demo(), question(candidate(name, access), link=LinkLevel.PERSON)).effect is Effect.ALLOW


def test_in_the_demo_a_secret_is_read_and_masked() -> None:
    decision = decide(demo(), question(candidate("secretsmanager:GetSecretValue"), link=LinkLevel.PERSON))
    assert (decision.effect, decision.masks, decision.clear) == (Effect.ALLOW, ("secret",), ())


def test_in_the_demo_removing_a_bucket_is_refused_with_advice() -> None:
    decision = decide(demo(), question(candidate("s3:DeleteBucket", AccessClass.WRITE)))
    assert (decision.effect, decision.rule_ids) == (Effect.DENY, ("destroys.s3-bucket",))
    assert decision.advice.startswith("Deleting buckets is not open to agents")


def test_in_the_demo_assuming_a_role_is_refused_with_advice() -> None:
    decision = decide(demo(), question(candidate("sts:AssumeRole", AccessClass.CREDENTIAL)))
    assert decision.effect is Effect.DENY
    assert decision.advice == "hoopweb already gives you credentials for this account; call the service directly."


def test_in_the_demo_terminating_instances_waits_for_the_platform_team() -> None:
    decision = decide(demo(), question(candidate("ec2:TerminateInstances", AccessClass.WRITE)))
    assert decision.effect is Effect.ASK
    assert [(ask.rule_id, ask.approvers, ask.quorum, ask.expires_seconds) for ask in decision.asks] == [
        ("starter.terminate", "platform", 1, 3_600)
    ]


def test_in_the_demo_an_operation_nobody_mapped_is_refused() -> None:
    unmapped = candidate(
        actions=(
            Action(name="s3:Novelty", access=AccessClass.WRITE),
            Action(name="s3:Novelty", access=AccessClass.PERMISSIONS),
        ),
        resources=(bucket("reports"),),
    )
    assert decide(demo(), question(unmapped)).effect is Effect.DENY


def test_in_the_demo_a_destructive_call_carried_by_a_schedule_is_refused() -> None:
    schedule = candidate("scheduler:CreateSchedule", AccessClass.WRITE)
    carried = replace(schedule, effective=(Action(name="rds:DeleteDBInstance", access=AccessClass.WRITE),))
    assert decide(demo(), question(schedule)).effect is Effect.ALLOW
    assert decide(demo(), question(carried)).rule_ids == ("destroys.databases",)


def test_packs_know_the_classes_by_the_names_the_engine_gives_them() -> None:
    groups = {name for text in TEXTS.values() for rule in rules_of(text) for name in rule.scope or () if ":" in name}
    assert {name for name in groups if catalogue.is_group(name)} <= SAMPLES.keys()
