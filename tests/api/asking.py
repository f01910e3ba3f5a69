"""How the API tests speak to the API: one caller with one key, and what a problem must look like."""

from __future__ import annotations

import uuid
from typing import Any

from django.test import Client

from gateway.identity.models import User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from tests.people import api_key_of

PROBLEM = "application/problem+json"
ANY_ID = uuid.UUID("00000000-0000-4000-8000-000000000001")


class Api:
    """One caller of /api/v1/; without a key, nobody."""

    def __init__(self, key: str | None = None) -> None:
        self.client = Client(raise_request_exception=False, headers={"authorization": f"Bearer {key}"} if key else None)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", query)

    def post(self, path: str, body: Any, *, idempotency_key: str | None = None) -> Any:
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else None
        return self.client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)

    def patch(self, path: str, body: Any, *, idempotency_key: str | None = None) -> Any:
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else None
        return self.client.patch(f"/api/v1/{path}", body, content_type="application/json", headers=headers)

    def raw(self, path: str, body: bytes, content_type: str = "application/json") -> Any:
        return self.client.post(f"/api/v1/{path}", body, content_type=content_type)

    def delete(self, path: str) -> Any:
        return self.client.delete(f"/api/v1/{path}")


def api_of(tenant: Tenant, person: User | None, *rights: Right) -> Api:
    """The API as a key of this person (or nobody's) with these scopes reaches it."""
    return Api(api_key_of(tenant, person, *rights)[1])


def is_problem(answer: Any, status: int, code: str) -> bool:
    """Say whether an answer is exactly this problem in problem+json; failing shows what it was."""
    told = (answer.status_code, answer["Content-Type"], answer.json().get("code"), answer.json().get("status"))
    assert told == (status, PROBLEM, code, status)
    return True
