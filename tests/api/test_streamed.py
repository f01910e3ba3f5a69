"""What is made while it is sent is made inside its own tenant and period, long after the request's transaction ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http import HttpRequest, StreamingHttpResponse
from django.test import RequestFactory

from audit.kinds import EventKind
from audit.models import Event
from gateway.identity.caller import Caller
from gateway.identity.middleware import CallerMiddleware, streamed_within
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant
from hoopweb.period import PeriodMiddleware
from hoopweb.reviews.models import EvidencePeriod
from tests.api.asking import api_of
from tests.approvals.notify.test_following import told
from tests.people import api_key_of, member


def test_an_export_holds_its_own_tenants_lines_whatever_tenant_the_thread_is_in_by_then(
    acme: Tenant, globex: Tenant
) -> None:
    olgas = api_of(acme, member(acme, "olga", roles=[Role.OWNER]), *Right)
    theirs = api_of(globex, member(globex, "gina", roles=[Role.OWNER]), *Right)
    review = olgas.post("access-reviews/", {}).json()
    theirs.post("access-reviews/", {})
    answer = olgas.get(f"access-reviews/{review['id']}/export/")
    assert answer.streaming
    with in_tenant(globex):
        text = answer.getvalue().decode()
    assert text.count("\n") == 1 + len(review["items"])
    assert "olga" in text
    assert "gina" not in text


def test_a_stream_keeps_to_the_period_of_who_asked(acme: Tenant) -> None:
    ada = member(acme, "ada", roles=[Role.AUDITOR])
    now = datetime.now(UTC)
    told(acme, EventKind.GLASS_BROKEN, user="then", at=now - timedelta(days=2))
    told(acme, EventKind.GLASS_BROKEN, user="today", at=now)
    with in_tenant(acme):
        EvidencePeriod.objects.create(tenant=acme, user=ada, until=now - timedelta(days=1), set_by="olga", set_at=now)
    request = RequestFactory().get(
        "/", headers={"Authorization": f"Bearer {api_key_of(acme, ada, Right.EVENTS_READ)[1]}"}
    )
    request.user = AnonymousUser()
    answer: Any = CallerMiddleware(PeriodMiddleware(_kinds))(request)
    assert answer.getvalue() == b"1"


def _kinds(request: HttpRequest) -> Any:
    caller: Caller = request.caller  # type: ignore[attr-defined]  # the middleware's own attribute

    def made() -> Iterator[bytes]:
        yield str(Event.objects.for_tenant(caller.tenant).count()).encode()

    return StreamingHttpResponse(made())


@pytest.mark.django_db
def test_a_stream_that_is_cut_off_leaves_its_context() -> None:
    seen: list[str] = []

    @contextmanager
    def inside() -> Iterator[None]:
        seen.append("in")
        try:
            yield
        finally:
            seen.append("out")

    answer: Any = streamed_within(StreamingHttpResponse(iter([b"one", b"two"])), inside)
    assert seen == []
    assert next(iter(answer.streaming_content)) == b"one"
    assert seen == ["in"]
    # Closed as the server closes it; the test's own connection stays.
    request_finished.disconnect(close_old_connections)
    try:
        answer.close()
    finally:
        request_finished.connect(close_old_connections)
    assert seen == ["in", "out"]
