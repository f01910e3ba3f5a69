"""Names of people in the answer of an approved call: masked by a real model in the worker, and not sent without one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from gateway.names.reader import START_SECONDS, shared_reader
from gateway.tenants.models import Tenant
from gateway.terms import OutcomeKind
from gateway.wire.contract import Admission, VerdictKind
from tests.names.places import MODEL
from tests.requests.asking import Asking
from tests.requests.world import publish_text, row_of

POLICY = (
    '@id("all") @mask("person") permit (principal, action, resource);'
    '@id("items-ask") @effect("ask") @approvers("operators") @run("approval") '
    'forbid (principal, action == Action::"dynamodb:GetItem", resource);'
)


@pytest.fixture
def visits(asking: Asking, acme: Tenant, settings: Settings) -> Iterator[Admission]:
    """A call that was asked about, for an item with a name in it."""
    settings.NAMES_MODEL = str(MODEL)
    publish_text(acme, POLICY)
    dynamodb = asking.aws.client("dynamodb")
    dynamodb.create_table(
        TableName="visits",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(
        TableName="visits", Item={"id": {"S": "a"}, "note": {"S": "I spoke with Alice Johnson yesterday."}}
    )
    yield asking.keys.call("dynamodb", "get_item", TableName="visits", Key={"id": {"S": "a"}})
    dynamodb.delete_table(TableName="visits")


def test_the_worker_masks_them_with_a_model_it_loads_before_it_sends(
    asking: Asking, acme: Tenant, visits: Admission
) -> None:
    reader = shared_reader(str(MODEL), "")
    assert reader is not None
    # A machine that is busy with other tests may read slowly.
    reader.read_seconds = START_SECONDS
    try:
        assert asking.approved_and_run(visits) is OutcomeKind.COMPLETED
    finally:
        reader.close()
    [verdict] = asking.feed(visits)
    assert verdict.answer is not None
    assert b"I spoke with [REDACTED:person] yesterday." in verdict.answer.body
    assert row_of(acme, visits).masked["by_type"] == {"person": 1}


@pytest.mark.parametrize("model", ["", "/nowhere"])
def test_without_a_model_nothing_is_sent(
    asking: Asking, acme: Tenant, visits: Admission, settings: Settings, model: str
) -> None:
    settings.NAMES_MODEL = model
    assert asking.approved_and_run(visits) is OutcomeKind.NOT_SENT
    assert asking.aws.seen(visits.id) == []
    assert (row_of(acme, visits).state, row_of(acme, visits).error) == ("not_sent", "masking.names_unread")
    [verdict] = asking.feed(visits)
    assert verdict.kind is VerdictKind.REFUSE
