"""Role sessions: who they name, what they may do at most, how long they are kept, and what happens when STS fails."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import boto3
import pytest

from gateway.connections import sts
from gateway.connections.problems import AssumeRoleFailed
from gateway.connections.session_policies import for_call
from gateway.connections.sessions import REFRESH_AHEAD, RoleSessions, SessionAsk, one_call_session, role_session
from gateway.connections.sts import BaseKeys, RoleSession, RoleTarget, StsRefused, source_identity, tag_value
from gateway.terms import AccessClass
from tests.connections.strict_sts import StrictSts

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ALICE = UUID("00000000-0000-4000-8000-00000000000a")
TARGET = RoleTarget(
    tenant_id=UUID("00000000-0000-4000-8000-000000000001"),
    tenant_label="acme",
    connection_id=UUID("00000000-0000-4000-8000-000000000002"),
    connection_label="sandbox",
    account="123456789012",
    role_arn="arn:aws:iam::123456789012:role/hoopweb",
    external_id="hoopweb-very-external",
    regions=("eu-west-1",),
)
ASK = SessionAsk(target=TARGET, person="alice", access=AccessClass.READ)


def session_until(at: datetime, name: str = "ASIA1") -> RoleSession:
    return RoleSession(access_key_id=name, secret_access_key="s3cret", session_token="t0ken", expires_at=at)


class Sts:
    """Stands where AWS stands: gives sessions of an hour from its clock, or refuses."""

    def __init__(self) -> None:
        self.now, self.calls, self.refusal, self.delay = NOW, 0, "", 0.0

    def assume(self, _ask: SessionAsk) -> RoleSession:
        self.calls += 1
        time.sleep(self.delay)
        if self.refusal:
            raise StsRefused(self.refusal)
        return session_until(self.now + timedelta(hours=1), f"ASIA{self.calls}")


@pytest.fixture
def aws() -> Sts:
    return Sts()


@pytest.fixture
def pool(aws: Sts) -> RoleSessions:
    return RoleSessions(aws.assume, largest=3)


def test_a_session_is_assumed_once_and_used_again(pool: RoleSessions, aws: Sts) -> None:
    assert pool.get(ASK, NOW) == pool.get(ASK, NOW + timedelta(minutes=50))
    assert aws.calls == 1


def test_a_session_is_replaced_before_it_ends(pool: RoleSessions, aws: Sts) -> None:
    first = pool.get(ASK, NOW)
    aws.now = first.expires_at - REFRESH_AHEAD
    assert pool.get(ASK, aws.now) != first
    assert aws.calls == 2


@pytest.mark.parametrize(
    "other",
    [
        SessionAsk(target=TARGET, person="bob", access=AccessClass.READ),
        SessionAsk(target=TARGET, person="alice", access=AccessClass.WRITE),
    ],
)
def test_people_and_access_classes_never_share_a_session(pool: RoleSessions, other: SessionAsk) -> None:
    assert pool.get(ASK, NOW) != pool.get(other, NOW)


def test_twenty_waiting_calls_are_one_question_to_sts(pool: RoleSessions, aws: Sts) -> None:
    aws.delay = 0.1
    found: list[RoleSession] = []
    threads = [threading.Thread(target=lambda: found.append(pool.get(ASK, NOW))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(found), len(set(found)), aws.calls) == (20, 1, 1)


def test_while_one_thread_refreshes_the_others_go_on_with_the_old_session(pool: RoleSessions, aws: Sts) -> None:
    old = pool.get(ASK, NOW)
    near_end = old.expires_at - timedelta(minutes=3)
    aws.now, aws.delay = near_end, 0.5
    refresher = threading.Thread(target=pool.get, args=(ASK, near_end))
    refresher.start()
    time.sleep(0.1)
    started = time.monotonic()
    assert pool.get(ASK, near_end) == old
    assert time.monotonic() - started < 0.3
    refresher.join()
    assert pool.get(ASK, near_end) != old


def test_when_sts_fails_the_old_session_serves_to_its_last_minute_and_no_longer(pool: RoleSessions, aws: Sts) -> None:
    old = pool.get(ASK, NOW)
    aws.refusal = "ServiceUnavailable"
    assert pool.get(ASK, old.expires_at - timedelta(minutes=2)) == old
    with pytest.raises(AssumeRoleFailed):
        pool.get(ASK, old.expires_at - timedelta(seconds=59))


def test_a_refusal_is_remembered_briefly_so_that_sts_is_not_hammered(pool: RoleSessions, aws: Sts) -> None:
    aws.refusal = "AccessDenied"
    for _ in range(100):
        with pytest.raises(AssumeRoleFailed, match="AccessDenied"):
            pool.get(ASK, NOW)
    assert aws.calls == 1
    aws.refusal = ""
    assert pool.get(ASK, NOW + timedelta(seconds=3)).access_key_id == "ASIA2"


def test_the_pool_is_bounded_and_forgets_the_least_recently_used(pool: RoleSessions, aws: Sts) -> None:
    asks = [SessionAsk(target=TARGET, person=f"p{number}", access=AccessClass.READ) for number in range(5)]
    for ask in asks:
        pool.get(ask, NOW)
    assert len(pool) == 3
    pool.get(asks[4], NOW)
    assert aws.calls == 5
    pool.get(asks[0], NOW)
    assert aws.calls == 6


def test_a_failed_assume_is_retryable_and_tells_no_secret(strict_sts: StrictSts) -> None:
    strict_sts.external_id = "another"
    ask = SessionAsk(target=TARGET, person="refused-person", access=AccessClass.READ)
    with pytest.raises(AssumeRoleFailed) as failed:
        role_session(ask, datetime.now(UTC))
    assert (failed.value.status, failed.value.code) == (503, "connections.assume_role_failed")
    assert "AccessDenied" in failed.value.message
    assert TARGET.external_id not in failed.value.message


def test_nothing_secret_is_in_a_repr() -> None:
    keys = BaseKeys(access_key_id="AKIA", secret_access_key="base-secret")
    told = repr(session_until(NOW)) + repr(keys) + repr(ASK)
    assert not {"s3cret", "t0ken", "base-secret", TARGET.external_id} & set(told.replace("'", " ").split())
    assert "s3cret" not in told
    assert "external_id" not in told


def test_assume_role_names_person_tenant_and_connection_and_sets_the_ceiling(strict_sts: StrictSts) -> None:
    strict_sts.external_id = TARGET.external_id
    given = role_session(SessionAsk(target=TARGET, person="carol", access=AccessClass.READ), datetime.now(UTC))
    asked = strict_sts.asked[-1]
    assert given.access_key_id.startswith("ASIA")
    assert asked["SourceIdentity"] == "carol"
    assert asked["RoleSessionName"] == "carol.Read"
    assert (asked["Tags.member.1.Key"], asked["Tags.member.1.Value"]) == ("hoopweb:tenant", "acme")
    assert (asked["Tags.member.2.Key"], asked["Tags.member.2.Value"]) == ("hoopweb:connection", "sandbox")
    assert asked["PolicyArns.member.1.arn"] == "arn:aws:iam::aws:policy/ReadOnlyAccess"
    assert json.loads(asked["Policy"])["Statement"][-1]["Condition"] == {
        "StringNotEquals": {"aws:RequestedRegion": ["eu-west-1"]}
    }


def test_an_approved_call_gets_a_session_of_its_own_under_its_own_policy(strict_sts: StrictSts) -> None:
    policy = for_call(["s3:DeleteBucket"], ["arn:aws:s3:::old"], account=TARGET.account, regions=TARGET.regions)
    first, second = (one_call_session(ASK, policy) for _ in range(2))
    assert first != second
    assert strict_sts.asked[-1]["Policy"] == policy.policy_json


def test_an_sts_nobody_answers_at_is_a_retryable_failure(strict_sts: StrictSts) -> None:
    strict_sts.failing_code = "Throttling"
    with pytest.raises(AssumeRoleFailed, match="Throttling"):
        one_call_session(ASK, for_call(["s3:GetObject"], [], account=TARGET.account, regions=TARGET.regions))


def test_a_session_from_the_stand_in_works_against_it(standin: str) -> None:
    """The whole way over HTTP to moto: assume, then use the session as the worker will."""
    given = role_session(SessionAsk(target=TARGET, person="dave", access=AccessClass.WRITE), datetime.now(UTC))
    client = boto3.client(
        "sts",
        region_name="eu-west-1",
        endpoint_url=standin,
        aws_access_key_id=given.access_key_id,
        aws_secret_access_key=given.secret_access_key,
        aws_session_token=given.session_token,
    )
    assert client.get_caller_identity()["Arn"] == "arn:aws:sts::123456789012:assumed-role/hoopweb/dave.Write"
    assert given.expires_at - datetime.now(UTC) > timedelta(minutes=50)


def test_the_installations_own_endpoint_setting_never_sends_us_to_ourselves(
    strict_sts: StrictSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    given = role_session(SessionAsk(target=TARGET, person="erin", access=AccessClass.READ), datetime.now(UTC))
    assert given.session_token == "session-token"


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("alice", "alice"),
        ("alice@example.com", "alice@example.com"),
        ("a", "a.0000000000004000"),
        ("älice", "-lice.0000000000004000"),
        ("aws:root", "aws-root.0000000000004000"),
        ("x" * 80, "x" * 47 + ".0000000000004000"),
    ],
)
def test_a_source_identity_is_the_name_where_sts_takes_it_and_marked_where_not(label: str, expected: str) -> None:
    assert source_identity(label=label, person_id=ALICE) == expected
    assert 2 <= len(expected) <= 64


def test_a_tag_holds_only_what_sts_takes() -> None:
    assert tag_value("Acme <Corp>; DROP") == "Acme _Corp__ DROP"
    assert len(tag_value("x" * 1000)) == 256


@pytest.mark.parametrize(
    ("caller", "principal"),
    [
        ("arn:aws:sts::123456789012:assumed-role/gateway/i-0abc", "arn:aws:iam::123456789012:role/gateway"),
        ("arn:aws:iam::123456789012:user/gateway", "arn:aws:iam::123456789012:user/gateway"),
    ],
)
def test_the_principal_to_trust_is_the_one_that_lasts(caller: str, principal: str) -> None:
    assert sts.principal_of(caller) == principal
