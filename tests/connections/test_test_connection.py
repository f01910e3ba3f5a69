"""The test button: what is asked of AWS, what each answer proves, and when a connection becomes active."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.connections import services
from gateway.connections.models import Connection, ConnectionState
from gateway.connections.problems import ConnectionUnknown
from gateway.connections.selectors import role_target
from gateway.connections.trial import Report, try_out
from gateway.connections.trust import trust_policy
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.connections.strict_sts import StrictSts
from tests.connections.test_create_connection import create, events
from tests.people import NOW


def press(tenant: Tenant, connection: Connection) -> Connection:
    return services.test_connection(tenant=tenant, connection_id=connection.pk, by_label="sam", now=NOW)


def try_on_real_aws(tenant: Tenant, connection: Connection) -> Report:
    """The trial as it runs where no stand-in is set: the same questions, nothing taken on trust."""
    with in_tenant(tenant):
        target = role_target(tenant, connection)
    return try_out(target, is_standin=False)


def step(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in report["steps"] if one["name"] == name)


def test_on_the_stand_in_the_connection_becomes_active_and_the_report_says_what_was_not_proven(
    acme: Tenant, standin: str
) -> None:
    tested = press(acme, create(acme))
    assert tested.state == ConnectionState.ACTIVE
    assert tested.tested_at == NOW
    assert tested.test_report["is_standin"] is True
    assert "does not enforce trust policies" in step(tested.test_report, "external_id_required")["finding"]
    (event,) = events(acme, "connection.tested")
    assert event["data"] == {"by": "sam", "connection": "sandbox", "result": "passed"}


def test_a_role_that_demands_our_external_id_passes_on_real_aws(acme: Tenant, strict_sts: StrictSts) -> None:
    made = create(acme)
    strict_sts.external_id = made.external_id
    report = try_on_real_aws(acme, made)
    assert report.is_passed
    assert [one.name for one in report.steps] == ["assume_role", "account", "external_id_required"]


def test_a_role_that_lets_us_in_without_the_external_id_never_passes(acme: Tenant, strict_sts: StrictSts) -> None:
    report = try_on_real_aws(acme, create(acme))
    assert not report.is_passed
    assert "WITHOUT the ExternalId" in step(report.as_json(), "external_id_required")["finding"]


def test_the_proof_really_leaves_the_external_id_out(acme: Tenant, strict_sts: StrictSts) -> None:
    made = create(acme)
    strict_sts.external_id = made.external_id
    try_on_real_aws(acme, made)
    assumes = [asked for asked in strict_sts.asked if asked["Action"] == "AssumeRole"]
    assert [asked.get("ExternalId") for asked in assumes] == [made.external_id, None]


def test_an_sts_in_trouble_proves_nothing(acme: Tenant, strict_sts: StrictSts, monkeypatch: pytest.MonkeyPatch) -> None:
    made = create(acme)
    strict_sts.external_id = made.external_id
    answer = strict_sts.answer

    def throttles_the_last(parameters: dict[str, str]) -> tuple[int, str]:
        strict_sts.failing_code = (
            "" if parameters.get("ExternalId") or parameters["Action"] != "AssumeRole" else "Throttling"
        )
        return answer(parameters)

    monkeypatch.setattr(strict_sts, "answer", throttles_the_last)
    report = try_on_real_aws(acme, made)
    assert not report.is_passed
    assert "Throttling" in step(report.as_json(), "external_id_required")["finding"]


def test_a_role_in_another_account_never_passes(acme: Tenant, strict_sts: StrictSts) -> None:
    made = create(acme)
    strict_sts.external_id, strict_sts.account = made.external_id, "999999999999"
    report = try_on_real_aws(acme, made)
    assert not report.is_passed
    assert "999999999999" in step(report.as_json(), "account")["finding"]


def test_a_role_that_refuses_us_stays_a_draft_with_a_finding(acme: Tenant, strict_sts: StrictSts) -> None:
    strict_sts.external_id = "of-another-connection"
    tested = press(acme, create(acme))
    assert tested.state == ConnectionState.DRAFT
    assert "AccessDenied" in step(tested.test_report, "assume_role")["finding"]
    assert [event["data"]["result"] for event in events(acme, "connection.tested")] == ["assume_role"]


def test_an_active_connection_that_no_longer_passes_is_a_draft_again(acme: Tenant, strict_sts: StrictSts) -> None:
    made = create(acme)
    strict_sts.external_id = made.external_id
    assert press(acme, made).state == ConnectionState.ACTIVE
    strict_sts.external_id = "changed-by-the-tenant"
    assert press(acme, made).state == ConnectionState.DRAFT


def test_testing_never_lifts_a_suspension(acme: Tenant, standin: str) -> None:
    made = create(acme)
    with in_tenant(acme):
        services.switch_connection(tenant=acme, connection_id=made.pk, is_suspended=True, by_label="sam", now=NOW)
    assert press(acme, made).state == ConnectionState.SUSPENDED


def test_another_tenants_connection_cannot_be_tested(acme: Tenant, globex: Tenant, standin: str) -> None:
    theirs = create(globex)
    with pytest.raises(ConnectionUnknown):
        press(acme, theirs)


def test_the_report_carries_no_external_id(acme: Tenant, standin: str) -> None:
    made = create(acme)
    assert made.external_id not in str(press(acme, made).test_report)


def test_the_trust_policy_demands_our_principal_the_external_id_and_a_person(acme: Tenant) -> None:
    made = create(acme)
    ours = "arn:aws:iam::111122223333:role/gateway"
    assumes, names = trust_policy(made, ours)["Statement"]
    assert assumes["Principal"] == names["Principal"] == {"AWS": ours}
    assert assumes["Action"] == "sts:AssumeRole"
    assert assumes["Condition"]["StringEquals"] == {"sts:ExternalId": made.external_id}
    assert assumes["Condition"]["StringLike"] == {"sts:SourceIdentity": "?*"}
    assert names["Action"] == ["sts:SetSourceIdentity", "sts:TagSession"]


def test_two_connections_never_share_a_trust_policy(acme: Tenant) -> None:
    ours = "arn:aws:iam::111122223333:role/gateway"
    assert trust_policy(create(acme), ours) != trust_policy(create(acme, name="other"), ours)


def test_a_test_is_stamped_with_the_time_it_was_asked(acme: Tenant, standin: str) -> None:
    later = datetime(2027, 1, 1, tzinfo=UTC)
    made = create(acme)
    press(acme, made)
    tested = services.test_connection(tenant=acme, connection_id=made.pk, by_label="sam", now=later)
    assert tested.tested_at == later


def test_another_tenant_that_names_our_role_does_not_get_it(
    acme: Tenant, globex: Tenant, strict_sts: StrictSts, settings: Any
) -> None:
    """The confused deputy: globex knows acme's role ARN, and hoopweb may assume it. The ExternalId is what keeps it out."""
    ours, theirs = create(acme), create(globex)
    assert ours.role_arn == theirs.role_arn
    strict_sts.external_id = ours.external_id
    settings.UPSTREAM_AWS_URL = strict_sts.url
    assert try_on_real_aws(acme, ours).is_passed
    report = try_on_real_aws(globex, theirs)
    assert not step(report.as_json(), "assume_role")["is_passed"]
    # Asked once more by the button, and never with a word of acme's.
    strict_sts.asked.clear()
    assert press(globex, theirs).state == ConnectionState.DRAFT
    assumes = [asked for asked in strict_sts.asked if asked["Action"] == "AssumeRole"]
    assert assumes
    assert ours.external_id not in {asked.get("ExternalId") for asked in assumes}
