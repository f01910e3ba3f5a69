"""Sessions: the list, and one session's timeline of prompts and calls."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from audit.models import Session
from audit.selectors import sessions
from gateway.identity.caller import Caller
from gateway.requests.models import ProxiedRequest
from gateway.tenants.rights import Right
from hoopweb.api.base import record_read
from hoopweb.api.pagination import newest
from hoopweb.timeline import session_page
from hoopweb.ui.base import cursor_of, page, show

ORDER = newest("sessions", "last_at")


@require_safe
@page(Right.SESSIONS_READ)
def session_list(request: HttpRequest, caller: Caller) -> HttpResponse:
    rows = sessions(tenant=caller.tenant)
    found = ORDER.page(rows, **cursor_of(request))
    return show(request, caller, "sessions.html", {"page": found}, here="sessions")


def _session(caller: Caller, session_id: UUID) -> Session:
    row: Session | None = Session.objects.for_tenant(caller.tenant).filter(pk=session_id).first()
    if row is None:
        raise Http404
    return row


@require_safe
@page(Right.SESSIONS_READ)
def timeline(request: HttpRequest, caller: Caller, session_id: UUID) -> HttpResponse:
    caller.must(Right.REQUESTS_READ)
    session = _session(caller, session_id)
    turns, found = session_page(tenant=caller.tenant, session=session, **cursor_of(request))
    is_newest = "cursor" not in request.GET
    context = {
        "session": session,
        "turns": turns,
        "page": found,
        "is_newest": is_newest,
        "mark": _mark(caller, session),
    }
    answer = show(request, caller, "session.html", context, here="sessions")
    # Rendered first: the event takes the ledger's lock, which admissions wait for.
    record_read(caller=caller, what="timeline", subject=session.pk, session_id=session.pk, now=timezone.now())
    return answer


@require_safe
@page(Right.SESSIONS_READ)
def pulse(request: HttpRequest, caller: Caller, session_id: UUID) -> HttpResponse:
    """A word that changes when the session does, so that an open page knows to load again. Tells nothing else."""
    return JsonResponse({"mark": _mark(caller, _session(caller, session_id))})


def _mark(caller: Caller, session: Session) -> str:
    """Changes with each new call and each change of a recent call's state."""
    rows = ProxiedRequest.objects.for_tenant(caller.tenant).filter(session_id=session.pk)
    recent = rows.order_by("-received_at").values_list("state", flat=True)[:20]
    return f"{session.calls}.{session.last_at.timestamp():.3f}.{'.'.join(recent)}"
