"""`/detectors/`: what a tenant wants masked beyond what the product knows, tried before it is live, in force at once."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from audit.kinds import EventKind
from audit.models import Event
from audit.selectors import facts_of
from gateway.masking.tenant_rules import unpacked
from gateway.policy.detector_models import DetectorVersion
from gateway.policy.detectors import examples_of, live_detectors
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from gateway.tenants.scope import in_tenant
from tests.api.asking import Api, api_of, is_problem
from tests.story import Story

EMPLOYEE: dict[str, Any] = {
    "name": "employee-id",
    "pattern": r"\bEMP-\d{6}\b",
    "must_match": ["seen by EMP-004711 today"],
    "must_not_match": ["EMP-12", "TEMP-123456x"],
}


@pytest.fixture
def admin(acme: Tenant) -> Api:
    return api_of(acme, None, Right.POLICIES_READ, Right.POLICIES_WRITE)


def saved(admin: Api, **changed: Any) -> dict[str, Any]:
    answer = admin.post("detectors/", EMPLOYEE | changed)
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def whats(tenant: Tenant, kind: EventKind) -> list[str]:
    return [facts_of(event)["what"] for event in Event.objects.for_tenant(tenant).filter(kind=kind)]


def test_a_saved_version_masks_nothing_until_it_is_made_live(acme: Tenant, admin: Api) -> None:
    made = saved(admin)
    assert (made["name"], made["number"], made["checksum"]) == ("employee-id", 1, "none")
    listed = admin.get("detectors/").json()["items"]
    assert [(one["name"], one["live"]) for one in listed] == [("employee-id", None)]
    with in_tenant(acme):
        assert live_detectors(acme) == b""
    live = admin.patch(f"detectors/{made['id']}/", {"number": 1}).json()
    assert live["live"]["number"] == 1
    with in_tenant(acme):
        assert [span[3] for span in unpacked(live_detectors(acme)).spans(b"EMP-004711")] == ["tenant:employee-id@1"]
        assert whats(acme, EventKind.DETECTOR_SAVED) == ["version 1"]
        assert whats(acme, EventKind.DETECTOR_LIVE) == ["version 1"]


def test_versions_stay_as_they_were_and_any_of_them_can_be_live(acme: Tenant, admin: Api) -> None:
    first, second = saved(admin), saved(admin, pattern=r"\bEMP-\d{6,8}\b")
    assert (first["id"], second["number"]) == (second["id"], 2)
    path = f"detectors/{first['id']}/"
    assert [one["number"] for one in admin.get(f"{path}versions/").json()["items"]] == [2, 1]
    for number in (2, 1, 1):
        assert admin.patch(path, {"number": number}).json()["live"]["number"] == number
    with in_tenant(acme):
        # Making live what is live is no change.
        assert sorted(whats(acme, EventKind.DETECTOR_LIVE)) == ["version 1", "version 2"]
    assert admin.patch(path, {"number": None}).json()["live"] is None
    assert admin.patch(path, {"number": None}).json()["live"] is None
    with in_tenant(acme):
        assert whats(acme, EventKind.DETECTOR_TAKEN_BACK) == ["version 1"]
        assert live_detectors(acme) == b""
    assert is_problem(admin.patch(path, {"number": 9}), 404, "detector.unknown")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"pattern": "EMP-("}, "does not compile"),
        ({"pattern": "EMP-\\d+"}, "at most 256"),
        ({"pattern": r"\w{3,20}"}, "ordinary text"),
        ({"pattern": "(EMP)?"}, "empty"),
        (
            {"pattern": "[A-Za-z0-9]{1,6}[aeiou][A-Za-z0-9]{60,120}Q1", "must_match": ["xxa" + "b" * 80 + "Q1"]},
            "too slow",
        ),
        ({"pattern": ".{200,256}"}, "too slow"),
        ({"pattern": "(?i)the"}, "times in a page"),
        ({"pattern": "[A-Za-z0-9]{20,200}"}, "ordinary text"),
        ({"name": "aws-access-key"}, "already means"),
        ({"name": "api-key"}, "already means"),
        ({"name": "card"}, "already means"),
        ({"name": "Employee"}, "small letters"),
        ({"must_match": []}, "at least one example"),
        ({"must_match": ["EMP-1"]}, "Example 1 of those that must match"),
        ({"must_not_match": ["x", "EMP-000001"]}, "Example 2 of those that must not"),
        ({"checksum": "luhn"}, "Example 1 of those that must match"),
        ({"keywords": ["payroll"]}, "Example 1 of those that must match"),
        ({"keywords": ["x"]}, "keywords"),
    ],
)
def test_what_cannot_be_a_detector_is_refused_with_the_reason(
    acme: Tenant, admin: Api, changed: dict[str, Any], told: str
) -> None:
    answer = admin.post("detectors/", EMPLOYEE | changed)
    assert is_problem(answer, 400, "detector.refused")
    assert told in answer.json()["detail"]
    assert "004711" not in answer.content.decode()
    assert admin.get("detectors/").json()["items"] == []


def test_the_second_of_two_who_write_at_once_is_told(admin: Api) -> None:
    assert saved(admin, based_on=0)["number"] == 1
    assert is_problem(admin.post("detectors/", EMPLOYEE | {"based_on": 0}), 409, "detector.changed")
    assert saved(admin, based_on=1)["number"] == 2


def test_examples_are_kept_sealed_and_in_no_event(acme: Tenant, admin: Api) -> None:
    saved(admin)
    with in_tenant(acme):
        kept = DetectorVersion.objects.for_tenant(acme).get()
        assert b"004711" not in bytes(kept.sealed_examples)
        assert list(examples_of(kept)[0]) == EMPLOYEE["must_match"]
        assert all(b"004711" not in bytes(event.body) for event in Event.objects.for_tenant(acme))


def test_a_pattern_is_tried_on_a_text(admin: Api) -> None:
    body = {"pattern": r"\bEMP-\d{6}\b", "text": "é EMP-004711, EMP-1, EMP-000002"}
    assert admin.post("detectors/trial/", body).json() == {
        "matches": [{"start": 2, "end": 12}, {"start": 21, "end": 31}],
        "recorded": [],
    }
    assert is_problem(admin.post("detectors/trial/", {"pattern": ".*"}), 400, "detector.refused")


def test_a_pattern_is_tried_on_recent_recordings_which_is_an_event(story: Story) -> None:
    admin = api_of(story.tenant, None, Right.POLICIES_WRITE)
    found = admin.post("detectors/trial/", {"pattern": "[A-Za-z]{4}", "recordings": 20}).json()["recorded"]
    assert found
    assert {one["part"] for one in found} <= {"request", "response"}
    assert str(story.read.pk) in {one["request"] for one in found}
    with in_tenant(story.tenant):
        assert len(whats(story.tenant, EventKind.DETECTOR_TRIED)) == 1


def test_no_more_is_live_than_can_travel(acme: Tenant, admin: Api) -> None:
    for number in range(40):
        words = [f"w{number:03}{place:05}" for place in range(50)]
        body = {"name": f"long-{number}", "pattern": "|".join(words), "must_match": words[:1]}
        made = saved(admin, **body, must_not_match=[])
        answer = admin.patch(f"detectors/{made['id']}/", {"number": 1})
        if answer.status_code != 200:
            break
    assert is_problem(answer, 400, "detector.refused")
    assert number > 20
    with in_tenant(acme):
        assert len(unpacked(live_detectors(acme)).rules) == number


def test_who_only_reads_changes_nothing(acme: Tenant) -> None:
    reader = api_of(acme, None, Right.POLICIES_READ)
    assert reader.get("detectors/").status_code == 200
    for answer in (reader.post("detectors/", EMPLOYEE), reader.post("detectors/trial/", {"pattern": "EMP"})):
        assert answer.status_code == 403
    assert reader.patch(f"detectors/{uuid4()}/", {"number": None}).status_code == 403


def test_a_neighbours_detector_is_nowhere(admin: Api, globex: Tenant) -> None:
    theirs = saved(api_of(globex, None, Right.POLICIES_READ, Right.POLICIES_WRITE))
    path = f"detectors/{theirs['id']}/"
    for answer in (admin.get(path), admin.get(f"{path}versions/"), admin.patch(path, {"number": 1})):
        assert is_problem(answer, 404, "detector.unknown")
    # A name is free in each tenant.
    assert saved(admin)["number"] == 1
