"""What a connection says about payloads that cannot be read travels with each call's mask plan, from the next call on."""

from __future__ import annotations

import time

import pytest

from gateway.connections import services
from gateway.connections.models import Connection, OpaquePayloads
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.terms import OutcomeKind
from gateway.wire.contract import Admission, OpaqueChoice, VerdictKind
from tests.connections.strict_sts import StrictSts
from tests.people import NOW
from tests.requests.asking import Asking
from tests.requests.test_outcomes import outcome, store
from tests.requests.world import EVERYTHING, EdgeLife, Keys, publish_text


def test_the_choice_travels_with_the_next_call(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection
) -> None:
    seen = []
    for choice in (None, OpaquePayloads.PASS, OpaquePayloads.WITHHOLD):
        if choice is not None:
            with in_tenant(acme):
                services.choose_opaque_payloads(
                    tenant=acme, connection_id=billing_account.pk, choice=choice, by_label="sam", now=NOW
                )
        verdict = edge.admit_one(keys.call("s3", "get_object", Bucket="b", Key="k"))
        assert verdict.mask is not None
        seen.append(verdict.mask.opaque)
    assert seen == [OpaqueChoice.WITHHOLD, OpaqueChoice.PASS, OpaqueChoice.WITHHOLD]


@pytest.fixture
def asks(asking: Asking, acme: Tenant, billing_account: Connection) -> Asking:
    """Everything is permitted, and the connection asks the operators about what cannot be read."""
    publish_text(acme, EVERYTHING)
    with in_tenant(acme):
        services.choose_opaque_payloads(
            tenant=acme,
            connection_id=billing_account.pk,
            choice=OpaquePayloads.ASK,
            approvers="operators",
            by_label="sam",
            now=NOW,
        )
    return asking


def read(asks: Asking, key: str = "photo.png") -> Admission:
    return asks.keys.call("s3", "get_object", Bucket="b-pictures", Key=key)


def withheld(asks: Asking, admission: Admission, error: str = "masking.withheld") -> None:
    """The edge let the call through, and says that its answer could not be read."""
    verdict = asks.edge.admit_one(admission)
    assert verdict.kind is VerdictKind.FORWARD
    assert verdict.mask is not None
    assert verdict.mask.opaque in (OpaqueChoice.ASK, OpaqueChoice.WITHHOLD)
    store(asks.edge, outcome(admission, kind=OutcomeKind.FAILED, error=error, ended_at=time.time()))


def test_the_same_call_asks_once_its_answer_was_withheld(asks: Asking) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
    s3 = asks.aws.client("s3")
    s3.create_bucket(Bucket="b-pictures", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    s3.put_object(Bucket="b-pictures", Key="photo.png", Body=picture)
    withheld(asks, read(asks))
    again = read(asks)
    approval = asks.hold(again)
    assert [one.approvers for one in asks.approval(approval).requirements.all()] == ["operators"]
    asks.answer(approval)
    run_id = asks.take(approval)
    assert run_id is not None
    assert asks.perform(run_id) is OutcomeKind.COMPLETED
    [resolution] = asks.feed(again)
    assert resolution.answer is not None
    assert resolution.answer.body == picture


def test_another_object_is_not_asked_about(asks: Asking) -> None:
    withheld(asks, read(asks))
    assert asks.edge.admit_one(read(asks, "other.png")).kind is VerdictKind.FORWARD


def test_what_failed_otherwise_is_not_asked_about(asks: Asking) -> None:
    withheld(asks, read(asks), error="upstream.outcome_unknown")
    assert asks.edge.admit_one(read(asks)).kind is VerdictKind.FORWARD


def test_a_change_is_never_run_again_for_its_answer(asks: Asking) -> None:
    withheld(asks, asks.keys.call("lambda", "invoke", FunctionName="quote", Payload=b"{}"))
    again = asks.edge.admit_one(asks.keys.call("lambda", "invoke", FunctionName="quote", Payload=b"{}"))
    assert again.kind is VerdictKind.FORWARD
    assert again.mask is not None
    assert again.mask.opaque is OpaqueChoice.WITHHOLD


def test_a_grant_that_people_refused_lets_nothing_pass(asks: Asking) -> None:
    withheld(asks, read(asks))
    approval = asks.hold(read(asks))
    asks.answer(approval, "refuse")
    assert asks.take(approval) is None


def test_yesterdays_answer_is_found_out_anew(asks: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    withheld(asks, read(asks))
    monkeypatch.setattr("gateway.requests.unreadable.ASKED_WITHIN", NOW - NOW)
    assert asks.edge.admit_one(read(asks)).kind is VerdictKind.FORWARD
