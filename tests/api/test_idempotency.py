"""Idempotency keys: a write happens once, its answer is given again, and nothing else passes for it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.connections.models import Connection
from gateway.identity.models import Agent, GatewayKey, User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from hoopweb.models import IdempotencyKey
from tests.api.asking import api_of, is_problem


def test_the_same_key_and_body_make_one_agent_and_one_answer(acme: Tenant) -> None:
    api = api_of(acme, None, Right.AGENTS_WRITE)
    first = api.post("agents/", {"name": "nightly"}, idempotency_key="k-1")
    second = api.post("agents/", {"name": "nightly"}, idempotency_key="k-1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second["Idempotency-Replayed"] == "true"
    assert Agent.objects.for_tenant(acme).count() == 1


def test_a_secret_shown_once_is_kept_sealed_and_shown_again_only_for_the_same_key(
    acme: Tenant, alice: User, billing_account: Connection
) -> None:
    api = api_of(acme, alice, Right.KEYS_ISSUE)
    body = {"connection": str(billing_account.pk)}
    first = api.post("keys/", body, idempotency_key="k-1").json()
    assert api.post("keys/", body, idempotency_key="k-1").json() == first
    assert api.post("keys/", body, idempotency_key="k-2").json()["SecretAccessKey"] != first["SecretAccessKey"]
    assert GatewayKey.objects.for_tenant(acme).count() == 2
    sealed = b"".join(bytes(row.sealed_answer or b"") for row in IdempotencyKey.objects.for_tenant(acme))
    assert first["SecretAccessKey"].encode() not in sealed


def test_another_body_under_the_same_key_is_a_conflict(acme: Tenant) -> None:
    api = api_of(acme, None, Right.AGENTS_WRITE)
    api.post("agents/", {"name": "nightly"}, idempotency_key="k-1")
    answer = api.post("agents/", {"name": "weekly"}, idempotency_key="k-1")
    assert is_problem(answer, 409, "api.idempotency_key_reused")
    assert Agent.objects.for_tenant(acme).count() == 1


def test_a_write_that_failed_may_be_tried_again_under_its_key(acme: Tenant) -> None:
    api = api_of(acme, None, Right.AGENTS_WRITE)
    assert is_problem(api.post("agents/", {"name": "-"}, idempotency_key="k-1"), 400, "identity.name_refused")
    assert IdempotencyKey.objects.for_tenant(acme).count() == 0
    assert api.post("agents/", {"name": "nightly"}, idempotency_key="k-1").status_code == 201


def test_keys_of_two_callers_never_meet(acme: Tenant, globex: Tenant) -> None:
    for tenant in (acme, acme, globex):
        api = api_of(tenant, None, Right.AGENTS_WRITE)
        name = f"agent-{Agent.objects.for_tenant(tenant).count()}"
        answer = api.post("agents/", {"name": name}, idempotency_key="same")
        assert answer.status_code == 201
        assert "Idempotency-Replayed" not in answer


def test_a_key_is_forgotten_after_a_day(acme: Tenant) -> None:
    api = api_of(acme, None, Right.AGENTS_WRITE)
    api.post("agents/", {"name": "nightly"}, idempotency_key="k-1")
    row = IdempotencyKey.objects.for_tenant(acme).get()
    row.stored_at -= timedelta(hours=25)
    row.save()
    assert api.post("agents/", {"name": "weekly"}, idempotency_key="k-1").status_code == 201


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 121, "schlüssel"])
def test_a_key_that_is_no_plain_word_is_refused(acme: Tenant, key: str) -> None:
    api = api_of(acme, None, Right.AGENTS_WRITE)
    headers = {"Idempotency-Key": key}
    answer = api.client.post("/api/v1/agents/", {"name": "n"}, content_type="application/json", headers=headers)
    assert is_problem(answer, 400, "api.malformed")
