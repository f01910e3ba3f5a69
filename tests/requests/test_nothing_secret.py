"""A canary in every place a caller can put a secret: afterwards no column of the whole database holds it in clear."""

from __future__ import annotations

import base64
import time

import pytest
from django.db import connection

from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.terms import OutcomeKind
from gateway.wire.contract import VerdictKind
from tests.conftest import AsOwner
from tests.requests.asking import Asking
from tests.requests.test_outcomes import outcome, store
from tests.requests.world import ASK_TERMINATE, EVERYTHING, publish_text

PASSWORD = "hunter2-Canary-Zq8vLr5tXy"
AWS_KEY = "AKIAQ7RZ2MWT5PLK3N4V"
GITHUB = "ghp_" + "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2"


def _every_column() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
            "AND data_type IN ('text', 'character varying', 'bytea', 'jsonb', 'json', 'ARRAY') ORDER BY 1, 2"
        )
        return list(cursor.fetchall())


def _holding(secret: str) -> list[str]:
    """Columns in which the secret's bytes stand: plain, in hexadecimal, or in base64 at any of its three offsets."""
    forms = [secret.encode(), secret.encode().hex().encode()]
    forms += [base64.b64encode(b"x" * pad + secret.encode())[4:-4] for pad in range(3)]
    return [f"{table}.{column}" for table, column in _every_column() if _stands_in(table, column, forms)]


def _stands_in(table: str, column: str, forms: list[bytes]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL')
        values = [one if isinstance(one, bytes) else str(one).encode() for (one,) in cursor.fetchall()]
    return any(form in value for value in values for form in forms)


@pytest.mark.django_db(transaction=True)
def test_no_column_holds_what_was_secret(asking: Asking, acme: Tenant, as_owner: AsOwner) -> None:
    publish_text(acme, EVERYTHING + ASK_TERMINATE.replace('action == Action::"ec2:TerminateInstances"', "action"))
    keys = asking.keys
    held = keys.call("secretsmanager", "put_secret_value", SecretId="billing/db", SecretString=PASSWORD)
    noted = keys.call("sqs", "send_message", QueueUrl="https://q/1/q", MessageBody=f"use {AWS_KEY} and {GITHUB}")
    approval = asking.hold(held)
    asking.hold(noted)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    asking.perform(run_id)
    publish_text(acme, EVERYTHING)
    allowed = keys.call("secretsmanager", "put_secret_value", SecretId="billing/db", SecretString=PASSWORD)
    [verdict] = asking.edge.admit(allowed)
    assert verdict.kind is VerdictKind.FORWARD
    store(asking.edge, outcome(allowed, kind=OutcomeKind.COMPLETED, ended_at=time.time()))
    refused = keys.call("secretsmanager", "put_secret_value", SecretId="x", SecretString=PASSWORD, region="ap-south-1")
    asking.edge.admit(refused)
    named = keys.call("s3", "get_object", Bucket="dumps", Key=f"old/{GITHUB}.txt")
    assert asking.edge.admit_one(named).kind is VerdictKind.FORWARD
    secrets = {"password": PASSWORD, "AWS key": AWS_KEY, "GitHub token": GITHUB}
    secrets |= {"our secret": keys.secret, "our token": keys.token}
    with as_owner(), in_tenant(acme):
        # The search itself finds what is there: the approval names the secret's id.
        assert "approvals_approvalrequest.parameters" in _holding("billing/db")
        assert {name: _holding(secret) for name, secret in secrets.items()} == {name: [] for name in secrets}
