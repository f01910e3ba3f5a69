"""The edge's API over HTTP: signed MessagePack in and out, and one clear refusal for everything else."""

from __future__ import annotations

import base64
import hashlib
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from gateway.requests.api import MEDIA_TYPE
from gateway.requests.models import Edge, EnrolmentToken
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import (
    AdmissionBatch,
    BootAnswer,
    BootRequest,
    Enrolment,
    EnrolmentAnswer,
    FeedAnswer,
    FeedRequest,
    JournalKeysRequest,
    OutcomeBatch,
    OutcomeReceipt,
    VerdictBatch,
    VerdictKind,
    edge_string_to_sign,
)
from tests.connections.strict_sts import StrictSts
from tests.requests.test_outcomes import outcome
from tests.requests.world import EdgeLife, Keys, again, is_recorded, row_of

BASE = "/api/edge/v1"


@pytest.fixture(autouse=True)
def web_edge(settings: Settings) -> None:
    """As the web-edge process serves it."""
    settings.ROOT_URLCONF = "hoopweb.urls_edge"
    settings.MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]


def post(edge: EdgeLife, path: str, message: Any, **changed: Any) -> Any:
    """Post one message signed by the edge's own key; `changed` are headers or a body put in its place."""
    body = message if isinstance(message, bytes) else msgspec.msgpack.encode(message)
    date = str(int(changed.pop("at", time.time())))
    text = edge_string_to_sign(
        method="POST", path=f"{BASE}/{path}", date=date, body_sha256=hashlib.sha256(body).hexdigest()
    )
    headers = {
        "X-Hoopweb-Edge": str(edge.identity.id),
        "X-Hoopweb-Date": date,
        "X-Hoopweb-Signature": base64.b64encode(edge.key.sign(text)).decode(),
    }
    return Client(raise_request_exception=False).post(
        f"{BASE}/{path}",
        data=changed.pop("body", body),
        content_type=changed.pop("content_type", MEDIA_TYPE),
        headers=headers | changed,
    )


def read(response: Any, kind: type[Any]) -> Any:
    assert response.status_code == 200, response.content
    assert response["Content-Type"] == MEDIA_TYPE
    return msgspec.msgpack.decode(response.content, type=kind)


def code_of(response: Any) -> tuple[int, str]:
    return response.status_code, msgspec.msgpack.decode(response.content)["code"]


def test_a_whole_life_over_http(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    boot = read(post(edge, "boots", BootRequest(boot=edge.boot, version="1")), BootAnswer)
    assert boot.feed_seconds > 0
    item = keys.call("secretsmanager", "list_secrets")
    [verdict] = read(post(edge, "admissions", AdmissionBatch(boot=edge.boot, items=(item,))), VerdictBatch).items
    assert verdict.kind is VerdictKind.FORWARD
    receipt = read(post(edge, "outcomes", OutcomeBatch(boot=edge.boot, items=(outcome(item),))), OutcomeReceipt)
    assert receipt.stored == (item.id,)
    assert row_of(acme, item).state == "completed"
    assert read(post(edge, "feed", FeedRequest(boot=edge.boot)), FeedAnswer).is_revoked is False


def test_enrolment_needs_a_token_and_no_signature(acme: Tenant) -> None:
    EnrolmentToken.objects.create(
        digest=hashlib.sha256(b"t").digest(), tenants=[acme.pk], expires_at=datetime(2100, 1, 1, tzinfo=UTC)
    )
    body = msgspec.msgpack.encode(Enrolment(token="t", name="e", public_key=b"k" * 32))
    first, second = (Client().post(f"{BASE}/enrol", data=body, content_type=MEDIA_TYPE) for _ in range(2))
    assert Edge.objects.filter(pk=read(first, EnrolmentAnswer).edge_id).exists()
    assert code_of(second) == (403, "edge.enrolment_refused")


@pytest.mark.parametrize("path", ["boots", "admissions", "outcomes", "feed", "journal-keys", "key"])
def test_without_the_edges_signature_nothing_is_read(edge: EdgeLife, path: str) -> None:
    unsigned = Client().post(f"{BASE}/{path}", data=b"\x80", content_type=MEDIA_TYPE)
    assert code_of(unsigned) == (401, "edge.refused")
    changed = post(edge, path, FeedRequest(boot=edge.boot), body=b"something else")
    assert code_of(changed) == (401, "edge.refused")


def test_a_captured_call_is_stale_after_a_minute(edge: EdgeLife) -> None:
    message = FeedRequest(boot=edge.boot)
    assert post(edge, "feed", message, at=time.time() - 50).status_code == 200
    assert code_of(post(edge, "feed", message, at=time.time() - 62)) == (401, "edge.refused")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x80",
        b"{}",
        b"\x81\xa4boot\xa1x",
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 5000,
        msgspec.msgpack.encode({"boot": "00000000-0000-0000-0000-000000000000", "items": [], "more": 1}),
        msgspec.msgpack.encode({"boot": "00000000-0000-0000-0000-000000000000", "items": [{"id": 7}]}),
    ],
    ids=range(9),
)
def test_what_is_no_message_of_the_contract(edge: EdgeLife, body: bytes) -> None:
    assert code_of(post(edge, "admissions", body)) == (400, "edge.malformed")


def test_another_content_type_is_no_message(edge: EdgeLife) -> None:
    for kind in ("application/json", "", "application/msgpack"):
        response = post(edge, "feed", FeedRequest(boot=edge.boot), content_type=kind)
        assert code_of(response) == (400, "edge.malformed")


def test_a_body_past_the_bound_is_refused(edge: EdgeLife, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    assert code_of(post(edge, "feed", b"\x00" * 1001)) == (413, "edge.too_large")


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch", "options", "head"])
def test_only_post(edge: EdgeLife, method: str) -> None:
    response = getattr(Client(raise_request_exception=False), method)(f"{BASE}/feed")
    assert response.status_code == 405


def test_whatever_type_is_asked_for_it_is_messagepack(edge: EdgeLife) -> None:
    response = post(edge, "feed", FeedRequest(boot=edge.boot), Accept="text/html;q=1, image/*")
    assert read(response, FeedAnswer)


def test_a_batch_with_one_id_twice_or_too_many_is_malformed(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    item = keys.call("secretsmanager", "list_secrets")
    twice = AdmissionBatch(boot=edge.boot, items=(item, item))
    many = AdmissionBatch(boot=edge.boot, items=tuple(again(item) for _ in range(65)))
    for batch in (twice, many):
        assert code_of(post(edge, "admissions", batch)) == (400, "edge.malformed")
    assert not is_recorded(acme, item)


@pytest.mark.django_db(transaction=True)
def test_a_fenced_life_admits_nothing(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    earlier = edge.boot
    edge.start()
    item = keys.call("secretsmanager", "list_secrets")
    batch = AdmissionBatch(boot=earlier, items=(item,))
    assert code_of(post(edge, "admissions", batch)) == (409, "edge.boot_fenced")
    assert not is_recorded(acme, item)


def test_a_fenced_lifes_outcomes_are_taken_all_the_same(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    item = keys.call("secretsmanager", "list_secrets")
    edge.admit(item)
    earlier = edge.boot
    edge.start()
    receipt = read(post(edge, "outcomes", OutcomeBatch(boot=earlier, items=(outcome(item),))), OutcomeReceipt)
    assert receipt.stored == (item.id,)


def test_a_revoked_edge_hears_it_in_its_feed_and_nothing_else_is_open(edge: EdgeLife) -> None:
    Edge.objects.filter(pk=edge.identity.id).update(revoked_at=datetime.now(UTC))
    time.sleep(1.05)
    assert read(post(edge, "feed", FeedRequest(boot=edge.boot)), FeedAnswer).is_revoked
    batch = AdmissionBatch(boot=edge.boot, items=())
    assert code_of(post(edge, "admissions", batch)) == (401, "edge.refused")
    # What lies on its disk stays sealed.
    assert code_of(post(edge, "journal-keys", JournalKeysRequest(boots=(edge.boot,)))) == (401, "edge.refused")


@pytest.mark.django_db(transaction=True)
def test_a_database_that_refuses_is_a_retryable_answer_and_nothing_is_forwarded(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, as_owner: Any
) -> None:
    item = keys.call("secretsmanager", "list_secrets")
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("REVOKE INSERT ON requests_proxiedrequest FROM hoopweb_app")
    try:
        response = post(edge, "admissions", AdmissionBatch(boot=edge.boot, items=(item,)))
    finally:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("GRANT INSERT ON requests_proxiedrequest TO hoopweb_app")
    assert code_of(response) == (503, "store.unavailable")
    assert b"requests_proxiedrequest" not in response.content
    assert not is_recorded(acme, item)


def test_between_calls_no_tenant_stays_entered(ready: StrictSts, edge: EdgeLife, acme: Tenant) -> None:
    with in_tenant(acme):
        assert Edge.objects.filter(pk=edge.identity.id).exists()
    assert post(edge, "feed", FeedRequest(boot=edge.boot)).status_code == 200
