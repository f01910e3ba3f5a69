"""Idempotency keys on writes: the same key and body give the same answer, and the write happens once.

A write that failed changed nothing and is not remembered: the same key may be tried again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from gateway.identity.caller import Caller
from gateway.problems import Problem
from gateway.sealing.services import seal, unseal
from gateway.tenants.scope import in_tenant
from hoopweb.api.errors import Malformed
from hoopweb.models import IdempotencyKey

REMEMBERED_FOR = timedelta(hours=24)
COLUMN = "hoopweb_idempotencykey.sealed_answer"
_KEY = re.compile(r"[\x21-\x7e]{1,120}", re.ASCII)
View = TypeVar("View", bound=Callable[..., Response])


class KeyReused(Problem):
    code = "api.idempotency_key_reused"
    status = 409
    title = "This Idempotency-Key was used for another request"
    remedy = "Take a fresh key for each new write."


def idempotent(method: View) -> View:
    """Wrap one write of an ApiView so that it honours `Idempotency-Key`. The answer's data must be plain JSON."""

    @wraps(method)
    def wrapped(view: Any, request: Request, **named: Any) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return method(view, request, **named)
        if not _KEY.fullmatch(key):
            raise Malformed("`Idempotency-Key` takes 1 to 120 visible ASCII characters")
        if getattr(view, "works_outside_transactions", False):
            return _outside(view, key, request, lambda: method(view, request, **named))
        row, is_first = _claim(view.caller, key, _fingerprint(request), view.now)
        if not is_first:
            return _again(row)
        answer = method(view, request, **named)
        _remember(row, answer)
        return answer

    return wrapped  # type: ignore[return-value]  # wraps() keeps the signature, which mypy cannot follow


def _outside(view: Any, key: str, request: Request, act: Callable[[], Response]) -> Response:
    """The same for a view that has no transaction around it: the key is taken, and kept with the answer, in its own.

    Whoever sends it again meanwhile is told so; where the write fails, the key is free again.
    """
    tenant = view.caller.tenant
    with in_tenant(tenant):
        row, is_first = _claim(view.caller, key, _fingerprint(request), view.now)
        if not is_first:
            return _again(row)
    try:
        answer = act()
    except BaseException:
        with in_tenant(tenant):
            row.delete()
        raise
    with in_tenant(tenant):
        _remember(row, answer)
    return answer


def _fingerprint(request: Request) -> str:
    body = json.dumps(request.data, cls=JSONEncoder, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(f"{request.method} {request.path}\n{body}".encode()).hexdigest()


def _claim(caller: Caller, key: str, fingerprint: str, now: datetime) -> tuple[IdempotencyKey, bool]:
    """Return this key's row and whether we made it. A second identical request waits for the first to commit."""
    rows = IdempotencyKey.objects.for_tenant(caller.tenant)
    rows.filter(stored_at__lt=now - REMEMBERED_FOR).delete()
    try:
        with transaction.atomic():
            row = IdempotencyKey.objects.create(
                tenant=caller.tenant, caller_id=caller.actor_id, key=key, fingerprint=fingerprint, stored_at=now
            )
    except IntegrityError:
        row = rows.get(caller_id=caller.actor_id, key=key)
        if not hmac.compare_digest(row.fingerprint, fingerprint):
            raise KeyReused from None
        return row, False
    return row, True


def _again(row: IdempotencyKey) -> Response:
    if row.sealed_answer is None or row.status is None:
        # Within one transaction it cannot meet itself; without one, the first is still at work.
        raise KeyReused("The first request with it has not ended yet")
    data = json.loads(unseal(tenant_id=row.tenant_id, column=COLUMN, sealed=row.sealed_answer))
    return Response(data, status=row.status, headers={"Idempotency-Replayed": "true"})


def _remember(row: IdempotencyKey, answer: Response) -> None:
    row.status = answer.status_code
    text = json.dumps(answer.data, cls=JSONEncoder).encode()
    row.sealed_answer = seal(tenant_id=row.tenant_id, column=COLUMN, plaintext=text)
    row.save(update_fields=["status", "sealed_answer"])
