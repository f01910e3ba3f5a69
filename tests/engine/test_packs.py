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
from gateway.terms import (
    AccessClass,
    Action,
    Effect,
    LinkLevel,
    Question,
    Resource,
    SessionCounters,
    SqlStatement,
    StatementKind,
)
from tests.engine.questions import ANYTHING, PIPELINE, candidate, question

FOLDER = Path(gateway.policy.__file__).parent / "packs"
TEXTS = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.cedar"))}
PACKS = sorted(TEXTS.keys() - {"starter"})

BLOCKED = "PublicAccessBlockConfiguration"
FOREIGN_GRANT = '{"Statement": {"Effect": "Allow", "Principal": {"AWS": "999988887777"}, "Action": "*"}}'
FOREIGN_QUEUE = Resource(arn="arn:aws:sqs:eu-west-1:999988887777:out", service="sqs", account="999988887777")
# What makes an everyday call of each of these pass its rule, where nothing said is not enough.
EVERYDAY: dict[str, dict[str, Any]] = {
    "exposure.websites": {"operation": "s3:DeleteBucketWebsite"},
    "foreign.subscribers": {"parameters": {"Protocol": "sqs"}},
    "evasion.bucket-logs-off": {"parameters": {"BucketLoggingStatus": {"LoggingEnabled": {"TargetBucket": "logs"}}}},
    "link.secrets-need-a": {"link": LinkLevel.BOUND},
    "secrets.start-scripts": {"parameters": {"Attribute": "instanceType"}},
}
# rule id -> ways its condition comes true; each has to fire, for each action its head names.
CONDITIONS: dict[str, list[dict[str, Any]]] = {
    "destroys.by-sql": [{"statements": (SqlStatement(kind=StatementKind.DDL, destroys=True),)}],
    "destroys.by-unreadable-sql": [{"statements": (SqlStatement(kind=StatementKind.UNKNOWN),)}],
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
    "exposure.access": [{"parameters": {"ACL": "public-read"}}],
    "exposure.network": [{"parameters": {"PubliclyAccessible": True}}],
    "exposure.websites": [{"operation": "s3:PutBucketWebsite"}],
    "exposure.object-ownership": [
        {"parameters": {"OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}}},
        {"parameters": {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}}},
        {"parameters": {"ObjectOwnership": "ObjectWriter"}},
        {"parameters": {"ObjectOwnership": "BucketOwnerPreferred"}},
    ],
    "foreign.access": [{"parameters": {"Policy": FOREIGN_GRANT}}],
    "foreign.resources": [{"resources": (FOREIGN_QUEUE,)}],
    "foreign.subscribers": [{"parameters": {"Protocol": protocol}} for protocol in ("https", "email", "sms")],
    "foreign.streams": [
        {"parameters": {"HttpEndpointDestinationConfiguration": {"EndpointConfiguration": {"Url": "https://x"}}}},
        {"parameters": {"HttpEndpointDestinationUpdate": {"EndpointConfiguration": {"Url": "https://x"}}}},
        {"parameters": {"SplunkDestinationConfiguration": {"HECEndpoint": "https://x"}}},
        {"parameters": {"SplunkDestinationUpdate": {"HECEndpoint": "https://x"}}},
    ],
    "escalation.user-data": [
        {"parameters": {"UserData": {"Value": "#!/bin/sh"}}},
        {"parameters": {"Attribute": "userData"}},
    ],
    "delegated.unread": [{"is_delegated": True}],
    "delegated.unknown-members": [{"unknown_members": ("Extra",)}],
    "bulk.bytes": [{"session": SessionCounters(bytes_out=256 * 1024 * 1024)}],
    "bulk.calls": [{"session": SessionCounters(calls=10_000)}],
    "bulk.resources": [{"session": SessionCounters(distinct_resources=2_000)}],
    "link.writes-need-b": [{"link": level} for level in (LinkLevel.DECLARED, LinkLevel.PERSON)],
    "link.secrets-need-a": [{"link": LinkLevel.CONVERSATION}],
    "taint.leak": [
        {"session": SessionCounters(taint=("untrusted", "secret"))},
        {"session": SessionCounters(taint=("untrusted",), secrets_masked=1)},
    ],
    "taint.secret-then-out": [
        {"session": SessionCounters(taint=("secret",))},
        {"session": SessionCounters(secrets_masked=1)},
    ],
    "taint.untrusted-then-strong": [{"session": SessionCounters(taint=("untrusted",))}],
    "taint.share": [
        {"session": SessionCounters(taint=("untrusted",)), "parameters": {"ACL": "public-read"}},
        {"session": SessionCounters(taint=("secret",)), "parameters": {"Policy": FOREIGN_GRANT}},
        {"session": SessionCounters(secrets_masked=1), "parameters": {"Policy": FOREIGN_GRANT}},
    ],
    "evasion.bucket-logs-off": [{"parameters": {"BucketLoggingStatus": {}}}],
    "evasion.cluster-logs-off": [{"parameters": {"logging": {"clusterLogging": [{"enabled": False}]}}}],
    "evasion.balancer-logs-off": [
        {"parameters": {"Attributes": [{"Key": "access_logs.s3.enabled", "Value": "false"}]}},
        {"parameters": {"LoadBalancerAttributes": {"AccessLog": {"Enabled": False}}}},
    ],
    "evasion.alarms-muted": [{"parameters": {"ActionsEnabled": False}}],
    "evasion.instance-metadata": [{"parameters": {"HttpTokens": "optional"}}],
    "shells.doors": [{"parameters": {"enableExecuteCommand": True}}, {"parameters": {"debugSessionEnabled": True}}],
    "secrets.start-scripts": [{"parameters": {"Attribute": "userData"}}],
    "secrets.sweep": [{"session": SessionCounters(secrets_masked=500)}],
    "secrets.unaccounted": [{"principal": PIPELINE, "link": LinkLevel.PERSON}],
}
OF_CALL = frozenset({"operation", "parameters", "resources", "is_delegated", "statements", "unknown_members"})
# One call of each group a head names, where it does not name actions.
SAMPLES = {
    "class:Credential": ("sts:GetFederationToken", AccessClass.CREDENTIAL),
    "class:List": ("s3:ListAllMyBuckets", AccessClass.LIST),
    "class:Read": ("dynamodb:GetItem", AccessClass.READ),
    "class:Write": ("s3:PutObject", AccessClass.WRITE),
    "class:Tagging": ("s3:PutObjectTagging", AccessClass.TAGGING),
    "class:Permissions management": ("iam:PutRolePolicy", AccessClass.PERMISSIONS),
}


@cache
def alone(pack: str) -> CompiledRevision:
    return compile_revision(combine({pack: TEXTS[pack], "all": ANYTHING}), revision="r1")


def lines() -> Iterator[Any]:
    for pack, text in TEXTS.items():
        for rule in rules_of(text):
            for action in rule.scope or ():
                for number, condition in enumerate(CONDITIONS.get(rule.id, [{}])):
                    yield pytest.param(pack, rule, action, condition, id=f"{rule.id}-{action}-{number}")


def asked(action: str, condition: dict[str, Any]) -> Question:
    name, access = SAMPLES.get(action, (action, AccessClass.WRITE))
    of_call = {key: value for key, value in condition.items() if key in OF_CALL}
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
    call = EVERYDAY.get(rule_id, {"parameters": everyday})
    assert rule.id not in decide(alone(pack), asked(action, call)).rule_ids


def test_every_string_a_condition_waits_for_is_tried() -> None:
    """A new value in a pack's condition fails here until a way to fire it stands in the table above."""
    tried = str(CONDITIONS)
    for text in TEXTS.values():
        for body in re.findall(r"\bwhen\s*\{(.*?)\}\s*(?:;|unless)", text, re.DOTALL):
            for literal in filter(None, re.findall(r'"([^"]*)"', body)):
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


def test_all_packs_stand_together() -> None:
    assert len(compile_revision(combine(TEXTS), revision="r1").rules) == sum(
        len(rules_of(text)) for text in TEXTS.values()
    )


def test_no_action_stands_twice_in_one_rule() -> None:
    for text in TEXTS.values():
        for rule in rules_of(text):
            assert len(set(rule.scope or ())) == len(rule.scope or ()), rule.id


def test_packs_know_the_classes_by_the_names_the_engine_gives_them() -> None:
    groups = {name for text in TEXTS.values() for rule in rules_of(text) for name in rule.scope or () if ":" in name}
    assert {name for name in groups if catalogue.is_group(name)} <= SAMPLES.keys()


def test_a_foreign_layer_may_be_used_and_a_foreign_queue_may_not_be_written_to() -> None:
    layer = Resource(
        arn="arn:aws:lambda:eu-west-1:017000801446:layer:Tools:7", service="lambda", account="017000801446"
    )
    uses = candidate("lambda:UpdateFunctionConfiguration", AccessClass.WRITE, resources=(layer,))
    assert decide(alone("copies-to-foreign-accounts"), question(uses)).effect is Effect.ALLOW
    sends = candidate("sqs:SendMessage", AccessClass.WRITE, resources=(FOREIGN_QUEUE,))
    assert decide(alone("copies-to-foreign-accounts"), question(sends)).rule_ids == ("foreign.resources",)


# The known ways up, as (what is called, what it carries): each is refused or goes before people.
WAYS_UP = [
    "iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:AttachUserPolicy", "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy", "iam:PutUserPolicy", "iam:PutGroupPolicy", "iam:PutRolePolicy", "iam:AddUserToGroup",
    "iam:UpdateAssumeRolePolicy", "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile",
    "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration", "glue:UpdateDevEndpoint",
    "sso:CreateAccountAssignment", "cognito-identity:SetIdentityPoolRoles",
]  # fmt: skip
PASSING = [
    "ec2:RunInstances", "lambda:CreateFunction", "glue:CreateDevEndpoint", "cloudformation:CreateStack",
    "datapipeline:CreatePipeline", "sagemaker:CreateNotebookInstance", "codebuild:CreateProject", "ecs:RunTask",
    "states:CreateStateMachine", "scheduler:CreateSchedule", "emr-serverless:StartJobRun", "apprunner:CreateService",
]  # fmt: skip


@pytest.mark.parametrize("name", WAYS_UP)
def test_no_known_way_up_is_open(name: str) -> None:
    decision = decide(alone("iam-escalation"), question(candidate(name, AccessClass.WRITE)))
    assert decision.effect in (Effect.DENY, Effect.ASK)
    assert decision.advice


@pytest.mark.parametrize("name", PASSING)
def test_passing_a_role_to_a_service_goes_before_people_whatever_the_service(name: str) -> None:
    role = Resource(arn="arn:aws:iam::111122223333:role/admin", service="iam", account="111122223333")
    passing = replace(
        candidate(name, AccessClass.WRITE, resources=(role,)),
        effective=(Action(name="iam:PassRole", access=AccessClass.WRITE),),
    )
    decision = decide(alone("iam-escalation"), question(passing))
    assert decision.effect is Effect.ASK
    assert "escalation.passed-roles" in {ask.rule_id for ask in decision.asks}


@pytest.mark.parametrize(
    ("level", "write", "secret"),
    [
        (LinkLevel.BOUND, Effect.ALLOW, Effect.ALLOW),
        (LinkLevel.CONVERSATION, Effect.ALLOW, Effect.DENY),
        (LinkLevel.DECLARED, Effect.DENY, Effect.DENY),
        (LinkLevel.PERSON, Effect.DENY, Effect.DENY),
    ],
)
def test_writes_need_b_and_secrets_need_a(level: LinkLevel, write: Effect, secret: Effect) -> None:
    policy = alone("link-levels")
    assert decide(policy, question(candidate("s3:PutObject", AccessClass.WRITE), link=level)).effect is write
    assert decide(policy, question(candidate("secretsmanager:GetSecretValue"), link=level)).effect is secret
    assert decide(policy, question(candidate("s3:GetObject"), link=level)).effect is Effect.ALLOW
    # A role taken through hoopweb is as a write: its keys are hoopweb's own.
    assert decide(policy, question(candidate("sts:AssumeRole", AccessClass.CREDENTIAL), link=level)).effect is write


@pytest.mark.parametrize(
    ("taint", "masked", "effect"),
    [
        ((), 0, Effect.ALLOW),
        (("secret",), 0, Effect.ASK),
        ((), 3, Effect.ASK),
        (("untrusted",), 0, Effect.ASK),
        (("secret", "untrusted"), 0, Effect.DENY),
        (("untrusted",), 3, Effect.DENY),
    ],
)
def test_untrusted_secret_and_a_way_out_together_are_refused(
    taint: tuple[str, ...], masked: int, effect: Effect
) -> None:
    mail = candidate("ses:SendEmail", AccessClass.WRITE)
    session = SessionCounters(taint=taint, secrets_masked=masked)
    assert decide(alone("tainted-sessions"), question(mail, session=session)).effect is effect
