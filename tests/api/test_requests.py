"""`/requests/`: filters, the whole question, and the masked halves."""

from __future__ import annotations

import pytest
from django.utils import timezone

from audit.kinds import EventKind
from audit.models import Event
from gateway.masking.replacement import value_commitment
from gateway.requests.outcomes import SALT_COLUMN
from gateway.sealing.services import seal
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from gateway.tenants.scope import in_tenant
from tests.api.asking import api_of, is_problem
from tests.story import Story, Teller, queries


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {"GetSecretValue", "DeleteBucket", "TerminateInstances"}),
        ({"state": "held"}, {"TerminateInstances"}),
        ({"service": "s3"}, {"DeleteBucket"}),
        ({"operation": "GetSecretValue"}, {"GetSecretValue"}),
        ({"effect": "deny"}, {"DeleteBucket"}),
        ({"effect": "allow", "service": "s3"}, set()),
    ],
)
def test_filters_narrow_the_list(story: Story, query: dict[str, str], expected: set[str]) -> None:
    answer = api_of(story.tenant, None, Right.REQUESTS_READ).get("requests/", **query).json()
    assert {one["operation"] for one in answer["items"]} == expected


def test_a_session_is_a_filter_too(story: Story, teller: Teller) -> None:
    with in_tenant(teller.tenant):
        other = teller.session("conv-2", timezone.now())
        lone = teller.call(other, None, at=timezone.now())
    api = api_of(story.tenant, None, Right.REQUESTS_READ)
    assert [one["id"] for one in api.get("requests/", session=str(other.pk)).json()["items"]] == [str(lone.pk)]


@pytest.mark.parametrize("query", [{"state": "lost"}, {"effect": "maybe"}, {"session": "x"}, {"service": "\x00"}])
def test_a_filter_of_no_such_value_is_a_400(acme: Tenant, query: dict[str, str]) -> None:
    assert is_problem(api_of(acme, None, Right.REQUESTS_READ).get("requests/", **query), 400, "api.malformed")


def test_the_detail_has_question_and_halves_and_leaves_an_event(story: Story) -> None:
    told = api_of(story.tenant, None, Right.REQUESTS_READ).get(f"requests/{story.read.pk}/").json()
    assert told["question"] == {"region": "eu-central-1"}
    assert told["parameters"] == {"SecretId": "billing/db"}
    assert told["masked_response"]["is_whole"] is True
    assert told["request"]["prompt"] == str(story.prompt.pk)
    event = Event.objects.for_tenant(story.tenant).get(kind=EventKind.EVIDENCE_READ)
    assert event.subject == story.read.pk


def test_another_tenants_request_is_not_there(story: Story, globex: Tenant) -> None:
    api = api_of(globex, None, *Right)
    assert is_problem(api.get(f"requests/{story.read.pk}/"), 404, "api.not_found")
    assert api.get("requests/", session=str(story.session.pk)).json()["items"] == []


def test_a_list_costs_the_same_queries_however_long(story: Story, teller: Teller) -> None:
    api = api_of(story.tenant, None, Right.REQUESTS_READ)
    api.get("requests/")
    with queries() as few:
        api.get("requests/")
    with in_tenant(teller.tenant):
        for _ in range(30):
            teller.call(story.session, story.prompt, at=timezone.now())
    with queries() as many:
        assert len(api.get("requests/").json()["items"]) == 33
    assert len(many) == len(few)
    assert len(few) <= 10


def test_a_suspected_value_is_confirmed_or_not_and_each_question_is_an_event(story: Story, globex: Tenant) -> None:
    row, salt = story.read, b"a salt of this call"
    with in_tenant(story.tenant):
        row.sealed_salt = seal(tenant_id=story.tenant.pk, column=SALT_COLUMN, plaintext=salt)
        row.masked = {"by_type": {"password": 1}, "values": [value_commitment(salt, "Sw0rdf1sh9")]}
        row.save(update_fields=("masked", "sealed_salt"))
    path = f"requests/{row.pk}/masked-value/"
    api = api_of(story.tenant, None, Right.REQUESTS_READ)
    assert api.post(path, {"value": "Sw0rdf1sh9"}).json() == {"was_masked": True}
    assert api.post(path, {"value": "Sw0rdf1sh8"}).json() == {"was_masked": False}
    read = Event.objects.for_tenant(story.tenant).filter(kind=EventKind.EVIDENCE_READ, subject=row.pk)
    assert read.count() == 2
    assert not any("Sw0rdf1sh" in str(values) for values in read.values())
    assert api_of(globex, None, *Right).post(path, {"value": "Sw0rdf1sh9"}).status_code == 404
