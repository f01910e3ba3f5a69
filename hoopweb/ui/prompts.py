"""Prompts: the list and its search, one prompt with everything it caused, and its exact words for who may read them.

What a call is told with is `gateway.requests.selectors`; searching is `audit.searching`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from audit.models import Prompt, ToolUse
from audit.problems import SearchRefused, SearchTooWide
from audit.prompts import read_exact
from audit.searching import LONGEST_SEARCH
from audit.tool_uses import of_prompt
from gateway.identity.caller import Caller
from gateway.identity.door_problems import ProofTooOld
from gateway.identity.proof import fresh_proof
from gateway.requests import selectors
from gateway.requests.caused import caused_by
from gateway.requests.selectors import Call
from gateway.tenants.rights import Right
from hoopweb.api.base import record_read
from hoopweb.api.pagination import Page, newest
from hoopweb.api.prompts import one_prompt, prompt_page
from hoopweb.ui.base import cursor_of, page, show
from hoopweb.ui.proving import to_prove

# A turn of an agent uses some dozens of tools; the page stays bounded where one does not.
_MOST_TOOL_USES = 200
CALLS = newest("prompt-calls", "received_at")


@require_safe
@page(Right.SESSIONS_READ)
def prompt_list(request: HttpRequest, caller: Caller) -> HttpResponse:
    """The newest prompts, or those with the words looked for."""
    words = request.GET.get("q", "").strip()
    context: dict[str, object] = {"words": words, "longest": LONGEST_SEARCH}
    try:
        found = prompt_page(caller.tenant, q=words or None, **cursor_of(request))
    except (SearchRefused, SearchTooWide) as problem:
        # On the page itself: a person mends a search where it was typed.
        context |= {"problem": problem, "page": Page(items=(), next=None)}
        return show(request, caller, "prompts.html", context, here="prompts", status=problem.status)
    return show(request, caller, "prompts.html", context | {"page": found}, here="prompts")


@require_safe
@page(Right.SESSIONS_READ)
def prompt(request: HttpRequest, caller: Caller, prompt_id: UUID) -> HttpResponse:
    """One prompt with everything it caused, oldest first."""
    caller.must(Right.REQUESTS_READ)
    answer = _shown(request, caller, one_prompt(caller.tenant, prompt_id))
    # Rendered first: the event takes the ledger's lock, which admissions wait for.
    record_read(caller=caller, what="prompt with its calls", subject=prompt_id, now=timezone.now())
    return answer


def _steps(calls: list[Call], tools: list[ToolUse]) -> list[dict[str, Any]]:
    """Tool calls and AWS calls in the order they began; a tool before the calls it made in the same moment."""
    made: list[tuple[datetime, int, dict[str, Any]]]
    made = [(tool.began_at, 0, {"tool": tool}) for tool in tools]
    made += [(call.request.received_at, 1, {"call": call}) for call in calls]
    return [step for *_, step in sorted(made, key=lambda one: one[:2])]


def _shown(request: HttpRequest, caller: Caller, told: Prompt, *, exact: str | None = None) -> HttpResponse:
    rows = selectors.calls_of_prompt(tenant=caller.tenant, prompt_id=told.pk)
    found = CALLS.page(rows, **cursor_of(request))
    calls = selectors.told(tenant=caller.tenant, requests=found.items, prompts=[told])
    context = {
        "prompt": told,
        "exact": exact,
        "caused": caused_by(tenant=caller.tenant, prompt_id=told.pk),
        "steps": _steps(calls, list(of_prompt(tenant=caller.tenant, prompt_id=told.pk)[:_MOST_TOOL_USES])),
        "page": found,
        "is_newest": "cursor" not in request.GET,
    }
    return show(request, caller, "prompt.html", context, here="prompts")


@require_POST
@page(Right.PROMPTS_READ)
def exact(request: HttpRequest, caller: Caller, prompt_id: UUID) -> HttpResponse:
    """The exact words, secrets included. A POST: no link, preview or reload reads them, and each reading is an event."""
    caller.must(Right.SESSIONS_READ)
    caller.must(Right.REQUESTS_READ)
    told, now = one_prompt(caller.tenant, prompt_id), timezone.now()
    try:
        proof = fresh_proof(caller, now)
    except ProofTooOld:
        return to_prove(reverse("ui:prompt", kwargs={"prompt_id": prompt_id}))
    text = read_exact(tenant=caller.tenant, prompt_id=prompt_id, by_label=caller.label, proof=proof.facts, now=now)
    return _shown(request, caller, told, exact=text)
