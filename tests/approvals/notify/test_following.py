"""What becomes a notice: each event of the list once, in words that hold no more than an approver's list shows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from approvals.models import VoteAnswer
from approvals.notify.kinds import KIND_OF, RULES, NoticeKind
from approvals.services import vote
from audit.kinds import EventKind
from audit.services import append
from gateway.identity import standing
from gateway.identity.models import Agent, User
from gateway.identity.standing import Switch
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.approvals.asking import Asking
from tests.approvals.notify.telling import followed, notices
from tests.people import admin_of, caller_of

# The least each event holds that becomes a notice.
LEAST: dict[EventKind, dict[str, Any]] = {EventKind.CONNECTION_CHANGED: {"what": "suspended"}}


def told(tenant: Tenant, kind: EventKind, *, at: datetime | None = None, **data: Any) -> None:
    with in_tenant(tenant):
        append(tenant_id=tenant.pk, kind=kind, at=at or datetime.now(UTC), subject=tenant.pk, data=data)


def test_an_asked_approval_is_told_to_those_who_are_asked_without_a_parameter(acme: Tenant, asking: Asking) -> None:
    asking.open(details=asking.details(parameters={"UserData": "parameter-of-the-call"}), now=datetime.now(UTC))
    assert (followed(acme), followed(acme)) == (1, 0)
    (notice,) = notices(acme)
    assert (notice.kind, notice.groups) == (NoticeKind.APPROVAL_ASKED, ["operators"])
    assert notice.title == "alice with billing-agent asks: ec2:TerminateInstances on billing"
    assert notice.lines[0] == "instance/i-1"
    assert "parameter-of-the-call" not in json.dumps([notice.title, notice.lines])


def test_what_was_asked_is_told_to_the_asker_when_it_ended(acme: Tenant, asking: Asking, bob: User) -> None:
    approval = asking.open(now=datetime.now(UTC))
    with in_tenant(acme):
        vote(
            tenant=acme,
            approval_id=approval.pk,
            caller=caller_of(acme, bob),
            answer=VoteAnswer.REFUSE,
            reason="no",
            now=datetime.now(UTC),
            signed_in_at=datetime.now(UTC),
        )
    followed(acme)
    ended = notices(acme)[-1]
    assert (ended.kind, ended.person_id) == (NoticeKind.APPROVAL_ENDED, asking.alice.pk)
    assert ended.title == "ec2:TerminateInstances on billing was refused"


def test_the_kill_switch_is_told_with_who_threw_it_and_why(acme: Tenant, billing_agent: Agent) -> None:
    switch = Switch(is_suspended=True, reason="wayward")
    with in_tenant(acme):
        standing.switch_agent(by=admin_of(acme), agent_id=billing_agent.pk, switch=switch, now=datetime.now(UTC))
    followed(acme)
    (notice,) = notices(acme)
    assert notice.kind == NoticeKind.KILL_SWITCH
    assert "suspended agent billing-agent" in notice.title
    assert notice.lines == ["Reason: wayward"]


def test_a_connection_that_is_only_tested_is_no_news_and_a_suspended_one_is(acme: Tenant) -> None:
    told(acme, EventKind.CONNECTION_CHANGED, by="olga", name="billing", what="regions")
    told(acme, EventKind.CONNECTION_CHANGED, by="olga", name="billing", what="suspended", reason="breach")
    followed(acme)
    assert [notice.title for notice in notices(acme)] == ["olga suspended connection billing"]


@pytest.mark.parametrize(
    ("kind", "data", "title"),
    [
        (EventKind.GLASS_BROKEN, {"user": "olga"}, "olga came in past the organisation's sign-in (break-glass)"),
        (
            EventKind.API_KEY_ENDING,
            {"name": "ci", "expires_at": "2026-12-01T10:00:00+00:00", "user": "alice"},
            "API key ci of alice ends 2026-12-01 10:00 UTC",
        ),
        (
            EventKind.ACCOUNT_CREDENTIAL_ENDING,
            {"name": "ci", "expires_at": "2026-12-01T10:00:00+00:00"},
            "A client secret of ci ends 2026-12-01 10:00 UTC",
        ),
        (EventKind.DEVICE_REVOKED, {"name": "laptop", "by": "olga"}, "Device laptop was revoked by olga"),
        (EventKind.REVIEW_OVERDUE, {"name": "2026-Q4", "count": 3}, "The access review 2026-Q4 is overdue"),
        (EventKind.OPERATOR_ASKED, {"by": "operator/pat", "count": 2}, "operator/pat asks to look inside for 2 hours"),
        (EventKind.PROMPT_FORGED, {"reason": "a shell"}, "A prompt was refused as forged"),
        (EventKind.DECOY_USED, {"where": "cloudtrail", "decoy": "word-20:7"}, "A decoy was used (cloudtrail)"),
        (EventKind.SECOND_FACTOR_ENROLLED, {"user": "sam"}, "sam enrolled a one-time code"),
    ],
)
def test_each_kind_says_what_happened(acme: Tenant, kind: EventKind, data: dict[str, Any], title: str) -> None:
    told(acme, kind, **data)
    followed(acme)
    (notice,) = notices(acme)
    assert (notice.kind, notice.title) == (KIND_OF[kind], title)


def test_a_decoys_notice_says_for_whom_it_was_made_and_where_it_was_used(acme: Tenant) -> None:
    issued: dict[str, Any] = {
        "issued_person": "alice",
        "issued_agent": "cursor",
        "issued_at": "2026-11-23T07:00:00+00:00",
    }
    origin: dict[str, Any] = {"issued_operation": "secretsmanager:GetSecretValue", "issued_session": str(acme.pk)}
    told(acme, EventKind.DECOY_USED, where="request", service="ssm", operation="PutParameter", **issued, **origin)
    followed(acme)
    (notice,) = notices(acme)
    given, used = notice.lines
    assert given == "Given to alice with cursor at 2026-11-23 07:00 UTC by secretsmanager:GetSecretValue"
    assert (used, notice.path) == ("Used in ssm PutParameter", "/events/?kind=decoy.used")


@pytest.mark.parametrize("kind", sorted(kind for kind in KIND_OF if not kind.value.startswith("approval.")))
def test_every_event_of_the_list_can_be_worded_with_the_least_it_may_hold(acme: Tenant, kind: EventKind) -> None:
    told(acme, kind, **LEAST.get(kind, {}))
    assert followed(acme) == 1
    assert notices(acme)[0].title


def test_every_kind_but_the_test_has_its_events() -> None:
    assert set(RULES) == set(NoticeKind) - {NoticeKind.TEST}
    assert sum(len(rule.events) for rule in RULES.values()) == len(KIND_OF)


def test_a_name_that_hides_characters_is_told_with_them_spelled_out(acme: Tenant) -> None:
    told(acme, EventKind.DEVICE_REVOKED, name="lap\u202etop\r\nBcc: x", by="olga")
    followed(acme)
    assert notices(acme)[0].title == r"Device lap\u{202e}top\u{d}\u{a}Bcc: x was revoked by olga"


def test_where_a_tenant_is_followed_for_the_first_time_old_events_are_no_news(acme: Tenant) -> None:
    told(acme, EventKind.GLASS_BROKEN, user="old", at=datetime.now(UTC) - timedelta(hours=3))
    told(acme, EventKind.GLASS_BROKEN, user="new")
    followed(acme)
    assert ["new" in notice.title for notice in notices(acme)] == [True]


def test_what_is_rolled_back_is_told_to_nobody(acme: Tenant) -> None:
    with in_tenant(acme):
        told(acme, EventKind.GLASS_BROKEN, user="olga")
        transaction.set_rollback(True)
    followed(acme)
    assert notices(acme) == []


def test_one_tenants_events_are_no_others_news(acme: Tenant, globex: Tenant) -> None:
    told(acme, EventKind.GLASS_BROKEN, user="olga")
    assert (followed(globex), followed(acme)) == (0, 1)
    assert notices(globex) == []
