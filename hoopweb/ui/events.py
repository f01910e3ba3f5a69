"""The ledger as a page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from audit.kinds import EventKind
from audit.selectors import events, facts_of
from gateway.identity.caller import Caller
from gateway.tenants.rights import Right
from hoopweb.api.base import record_read
from hoopweb.api.events import ORDER
from hoopweb.ui.base import cursor_of, page, show


@require_safe
@page(Right.EVENTS_READ)
def ledger(request: HttpRequest, caller: Caller) -> HttpResponse:
    # Notices lead here with the kind they tell of.
    kind = request.GET.get("kind") or None
    rows = events(tenant=caller.tenant, kind=kind)
    found = ORDER.page(rows if kind is None or kind in set(EventKind) else rows.none(), **cursor_of(request))
    lines = [{"event": event, "leaf": bytes(event.leaf).hex(), "facts": facts_of(event)} for event in found.items]
    answer = show(request, caller, "events.html", {"page": found, "lines": lines, "only_kind": kind}, here="events")
    record_read(caller=caller, what="events", subject=caller.tenant.pk, now=timezone.now())
    return answer
