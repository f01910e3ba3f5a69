"""What a client reads out of an answer that carries keys, and how it goes on with them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.parsers import create_parser
from botocore.session import get_session

from gateway.identity.models import GatewayKey
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import Verdict, VerdictKind
from tests.requests.world import Keys

MODELS = get_session()


@dataclass(frozen=True, kw_only=True)
class Given:
    """One answer as botocore parses it, and keys to go on with."""

    answer: dict[str, Any]
    keys: Keys

    @property
    def expires_at(self) -> datetime:
        found: datetime = self.answer["Credentials"]["Expiration"]
        return found


def parsed(verdict: Verdict, operation: str, service: str = "sts") -> dict[str, Any]:
    """The answer as an SDK returns it."""
    assert verdict.kind is VerdictKind.RESULT, verdict.answer.body if verdict.answer else verdict
    assert verdict.upstream is None
    assert verdict.answer is not None
    shape = MODELS.get_service_model(service).operation_model(operation).output_shape
    told = {
        "status_code": verdict.answer.status,
        "headers": dict(verdict.answer.headers),
        "body": verdict.answer.body,
        "context": {"operation_name": operation},
    }
    found: dict[str, Any] = create_parser("query" if service == "sts" else "rest-xml").parse(told, shape)
    return found


def given(verdict: Verdict, tenant: Tenant, operation: str, service: str = "sts") -> Given:
    """The keys in an answer."""
    answer = parsed(verdict, operation, service)
    credentials = answer["Credentials"]
    assert re.fullmatch(r"HWIA[A-Z2-7]{52}", credentials["AccessKeyId"])
    with in_tenant(tenant):
        row = GatewayKey.objects.for_tenant(tenant).get(access_key_id=credentials["AccessKeyId"])
    keys = Keys(
        row=row,
        access_key_id=credentials["AccessKeyId"],
        secret=credentials["SecretAccessKey"],
        token=credentials["SessionToken"],
    )
    return Given(answer=answer, keys=keys)
