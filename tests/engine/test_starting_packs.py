"""What the demo tenant runs, together: the everyday passes, the rest is refused, asked about or advised."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import gateway.policy
from gateway.engine import CompiledRevision, combine, compile_revision, decide
from gateway.policy.packs import STARTING
from gateway.terms import AccessClass, Action, Effect, LinkLevel, SqlStatement, StatementKind
from tests.engine.questions import bucket, candidate, question

FOLDER = Path(gateway.policy.__file__).parent / "packs"
FOREIGN_GRANT = '{"Statement": {"Effect": "Allow", "Principal": {"AWS": "999988887777"}, "Action": "*"}}'


@cache
def demo() -> CompiledRevision:
    """What the demo tenant runs: the packs a new tenant starts with."""
    return compile_revision(
        combine({name: (FOLDER / f"{name}.cedar").read_text("utf-8") for name in STARTING}), revision="r1"
    )


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


@pytest.mark.parametrize("action", ["sts:AssumeRole", "sts:GetSessionToken", "s3express:CreateSession"])
def test_in_the_demo_no_rule_stands_against_roles_and_none_permits_one(action: str) -> None:
    decision = decide(demo(), question(candidate(action, AccessClass.CREDENTIAL)))
    assert (decision.effect, decision.rule_ids) == (Effect.DENY, ())


def test_in_the_demo_credentials_made_elsewhere_are_refused_with_advice() -> None:
    decision = decide(demo(), question(candidate("sts:GetFederationToken", AccessClass.CREDENTIAL)))
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


@pytest.mark.parametrize(
    ("name", "parameters", "rule_id"),
    [
        ("s3:PutObject", {"Bucket": "reports", "Key": "a", "ACL": "public-read"}, "exposure.access"),
        ("sqs:SetQueueAttributes", {"Attributes": {"Policy": FOREIGN_GRANT}}, "foreign.access"),
        ("ec2:AuthorizeSecurityGroupIngress", {"CidrIp": "0.0.0.0/0"}, "exposure.network"),
        ("logs:PutRetentionPolicy", {"retentionInDays": 1}, "evasion.logs"),
        ("rds:ModifyDBSnapshotAttribute", {"ValuesToAdd": ["all"]}, "exposure.access"),
    ],
)
def test_in_the_demo_a_quiet_opening_is_refused(name: str, parameters: dict[str, Any], rule_id: str) -> None:
    decision = decide(demo(), question(candidate(name, AccessClass.WRITE, parameters=parameters)))
    assert decision.effect is Effect.DENY
    assert rule_id in decision.rule_ids


def test_in_the_demo_dropping_a_table_by_sql_is_refused_and_changing_a_row_is_not() -> None:
    def carrying(**statement: Any) -> Effect:
        sql = (SqlStatement(**statement),)
        return decide(
            demo(), question(candidate("rds-data:ExecuteStatement", AccessClass.WRITE, statements=sql))
        ).effect

    assert carrying(kind=StatementKind.DDL, destroys=True) is Effect.DENY
    assert carrying(kind=StatementKind.UNKNOWN) is Effect.ASK
    assert carrying(kind=StatementKind.WRITE) is Effect.ALLOW
