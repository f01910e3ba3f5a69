"""The deny on `aws:TokenIssueTime`, ready to paste: for a whole role, one person's sessions, or one workload's."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from gateway.connections.models import Connection
from gateway.connections.session_deny import command, session_deny
from gateway.identity.models import ServiceAccount, User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant
from tests.api.asking import ANY_ID, Api, api_of, is_problem
from tests.people import account, member
from tests.ui.browsing import browser_of, page


@pytest.fixture
def admin(acme: Tenant) -> Api:
    return api_of(acme, None, Right.CONNECTIONS_WRITE)


def denied(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.content
    (statement,) = answer.json()["policy"]["Statement"]
    assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Deny", "*", "*")
    found: dict[str, Any] = statement["Condition"]
    return found


def test_a_roles_sessions_from_before_now_end(admin: Api, billing_account: Connection) -> None:
    condition = denied(admin.get(f"connections/{billing_account.pk}/session-deny/"))
    moment = datetime.fromisoformat(condition.pop("DateLessThan")["aws:TokenIssueTime"])
    assert timedelta(0) <= datetime.now(UTC) - moment < timedelta(minutes=1)
    assert condition == {}


def test_one_persons_sessions_end_alone(admin: Api, billing_account: Connection, alice: User) -> None:
    condition = denied(admin.get(f"connections/{billing_account.pk}/session-deny/", member=str(alice.pk)))
    assert condition["StringEquals"] == {"aws:SourceIdentity": "alice"}


def test_a_workloads_sessions_end_alone(acme: Tenant, admin: Api, billing_account: Connection) -> None:
    with in_tenant(acme):
        nightly = ServiceAccount.objects.create(tenant=acme, name="night ly")
    path = f"connections/{billing_account.pk}/session-deny/"
    condition = denied(admin.get(path, service_account=str(nightly.pk)))
    # As the sessions carry it: STS takes no space.
    assert condition["StringEquals"]["aws:SourceIdentity"] == f"night-ly.{nightly.pk.hex[:16]}"


def test_the_command_puts_exactly_this_policy() -> None:
    policy = session_deny(issued_before=datetime(2026, 11, 20, 12, tzinfo=UTC), source_identity="o'hara")
    words = shlex.split(command(role_arn="arn:aws:iam::123456789012:role/team/a+b=c", policy=policy))
    assert words[:3] == ["aws", "iam", "put-role-policy"]
    told = dict(zip(words[3::2], words[4::2], strict=True))
    assert told["--role-name"] == "a+b=c"
    assert json.loads(told["--policy-document"]) == policy


def test_the_moment_is_utc_whoever_asks() -> None:
    there = datetime(2026, 11, 20, 12, tzinfo=timezone(timedelta(hours=5)))
    (statement,) = session_deny(issued_before=there, source_identity=None)["Statement"]
    assert statement["Condition"]["DateLessThan"] == {"aws:TokenIssueTime": "2026-11-20T07:00:00Z"}


def test_another_tenants_connection_person_and_workload_are_nobodys(
    acme: Tenant, globex: Tenant, admin: Api, billing_account: Connection, mallory: User
) -> None:
    assert is_problem(admin.get(f"connections/{account(globex, 'x').pk}/session-deny/"), 404, "connections.unknown")
    path = f"connections/{billing_account.pk}/session-deny/"
    assert is_problem(admin.get(path, member=str(mallory.pk)), 404, "identity.not_a_member")
    assert is_problem(admin.get(path, service_account=str(ANY_ID)), 404, "identity.service_account_unknown")
    assert is_problem(admin.get(path, member=str(ANY_ID), service_account=str(ANY_ID)), 400, "api.malformed")


def test_the_connections_page_shows_it_to_who_may_switch(acme: Tenant, billing_account: Connection) -> None:
    path = f"/connections/{billing_account.pk}/"
    admin = browser_of(member(acme, "sam", roles=[Role.SECURITY_ADMIN]))
    told = page(admin.get(path)).text
    assert "aws:TokenIssueTime" in told
    assert "aws iam put-role-policy --role-name hoopweb" in told
    auditor = browser_of(member(acme, "eve", roles=[Role.AUDITOR]))
    assert "aws:TokenIssueTime" not in page(auditor.get(path)).text
