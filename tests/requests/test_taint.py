"""Taint: what a session has read follows it into the decisions on its later calls, in the batch and after it."""

from __future__ import annotations

from audit.models import Session
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import VerdictKind
from tests.connections.strict_sts import StrictSts
from tests.requests.world import EVERYTHING, EdgeLife, Keys, publish_text

QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/inbox"
NO_MAIL = (
    EVERYTHING + '@id("no-mail") forbid (principal, action == Action::"sns:Publish", resource) '
    'when { context.session.taint.contains("untrusted") };'
)


def taint_of(tenant: Tenant) -> list[str]:
    with in_tenant(tenant):
        return list(Session.objects.for_tenant(tenant).get().taint)


def test_a_session_keeps_what_it_touched_once_each(
    strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    publish_text(acme, EVERYTHING)
    secret = keys.call("secretsmanager", "get_secret_value", SecretId="db")
    assert edge.admit_one(secret).kind is VerdictKind.FORWARD
    assert taint_of(acme) == ["secret"]
    more = [keys.call("secretsmanager", "get_secret_value", SecretId="db") for _ in range(2)]
    edge.admit(*more, keys.call("sqs", "receive_message", QueueUrl=QUEUE))
    assert taint_of(acme) == ["secret", "untrusted"]


def test_a_message_is_refused_after_a_stranger_was_read(
    strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    publish_text(acme, NO_MAIL)
    topic = {"TopicArn": "arn:aws:sns:eu-central-1:123456789012:out", "Message": "hello"}
    assert edge.admit_one(keys.call("sns", "publish", **topic)).kind is VerdictKind.FORWARD
    batch = [keys.call("sqs", "receive_message", QueueUrl=QUEUE), keys.call("sns", "publish", **topic)]
    assert [verdict.kind for verdict in edge.admit(*batch)] == [VerdictKind.FORWARD, VerdictKind.REFUSE]
    assert edge.admit_one(keys.call("sns", "publish", **topic)).kind is VerdictKind.REFUSE


def test_a_refused_read_leaves_nothing(strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    publish_text(acme, '@id("lists") permit (principal, action in Action::"class:List", resource);')
    refused = edge.admit_one(keys.call("secretsmanager", "get_secret_value", SecretId="db"))
    assert refused.kind is VerdictKind.REFUSE
    assert taint_of(acme) == []
