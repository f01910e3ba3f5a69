"""Policy: the revision that decides now, its history, and publishing the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from approvals import rules
from gateway.identity.caller import Caller
from gateway.policy import selectors, services
from gateway.policy.access import must_change
from gateway.policy.packs import packs as shipped
from gateway.problems import Problem
from gateway.tenants.rights import Right
from hoopweb.api.policies import REVISIONS
from hoopweb.ui.base import cursor_of, page, show

# A tenant has a handful; past this the API lists them.
MOST_SHOWN = 100


@require_http_methods(["GET", "HEAD", "POST"])
@page(Right.POLICIES_READ, POST=Right.POLICIES_WRITE)
def policy_page(request: HttpRequest, caller: Caller) -> HttpResponse:
    if request.method != "POST":
        return _page(request, caller)
    packs = [name for name in request.POST.getlist("packs") if name]
    # A browser sends lines ended as mail has them; what is published and hashed has Unix ones.
    text = request.POST.get("text", "").replace("\r\n", "\n")
    try:
        must_change(caller, services.MAIN)
        rules.publish(tenant=caller.tenant, packs=packs, text=text, by_label=caller.label, now=timezone.now())
    except Problem as problem:
        return _page(request, caller, text=text, packs=packs, problem=problem)
    return HttpResponseRedirect(reverse("ui:policies"))


def _page(
    request: HttpRequest,
    caller: Caller,
    *,
    text: str | None = None,
    packs: Sequence[str] | None = None,
    problem: Problem | None = None,
) -> HttpResponse:
    policy = selectors.policies(caller.tenant).filter(name=services.MAIN).first()
    current = policy.current if policy else None
    chosen = packs if packs is not None else (current.packs if current else [])
    context = {
        "current": current,
        "page": REVISIONS.page(selectors.revisions(caller.tenant), **cursor_of(request)),
        "packs": [{"pack": each, "is_chosen": each.name in chosen} for each in shipped()],
        "approval_rules": _approval_rules(caller),
        "text": text if text is not None else (current.text if current else ""),
        "problem": problem,
        "faults": [str(fault) for fault in getattr(problem, "faults", ())],
    }
    return show(request, caller, "policies.html", context, here="policies", status=problem.status if problem else 200)


def _approval_rules(caller: Caller) -> list[dict[str, Any]]:
    shown = list(rules.approval_rules(caller.tenant).order_by("name")[:MOST_SHOWN])
    people = rules.answering_now(caller.tenant, {rule.group for rule in shown})
    return [{"rule": rule, "people": people[rule.group]} for rule in shown]


@require_POST
@page(Right.POLICIES_WRITE)
def new_approval_rule(request: HttpRequest, caller: Caller) -> HttpResponse:
    given = {field: request.POST.get(field, "").strip() for field in ("name", "group")}
    rules.create_approval_rule(tenant=caller.tenant, by_label=caller.label, now=timezone.now(), **given)
    return HttpResponseRedirect(reverse("ui:policies"))


@require_POST
@page(Right.POLICIES_WRITE)
def change_approval_rule(request: HttpRequest, caller: Caller, approval_rule_id: UUID) -> HttpResponse:
    tenant, group = caller.tenant, request.POST.get("group", "").strip()
    # Looked for first: another tenant's is not there, whatever the form says.
    rule = rules.approval_rule(tenant, approval_rule_id)
    rules.change_approval_rule(tenant=tenant, rule_id=rule.pk, group=group, by_label=caller.label, now=timezone.now())
    return HttpResponseRedirect(reverse("ui:policies"))


@require_safe
@page(Right.POLICIES_READ)
def revision_page(request: HttpRequest, caller: Caller, revision_id: UUID) -> HttpResponse:
    found = selectors.revision(caller.tenant, revision_id)
    return show(request, caller, "revision.html", {"revision": found}, here="policies")
