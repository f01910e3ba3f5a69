"""Who acts here: people, agents, service accounts and the tenant itself, each with its kill switch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from gateway.connections.services import switch_connection
from gateway.identity import selectors, standing
from gateway.identity.caller import Caller
from gateway.identity.standing import Switch
from gateway.problems import Problem
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from hoopweb.api import agents, members, service_accounts
from hoopweb.api.pagination import Keyset
from hoopweb.ui.base import cursor_of, page, problem_page, show


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One person, agent or service account, as a line of the page."""

    id: UUID
    label: str
    what: str
    since: datetime
    is_suspended: bool
    is_self: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One list of the page: who may read it, who may throw the switch, and how."""

    title: str
    read: Right
    write: Right
    order: Keyset
    rows: Callable[[Tenant], Any]
    row: Callable[[Any, Caller], Row]
    throw: Callable[[Caller, UUID, Switch, str], object]


def _person(member: Any, caller: Caller) -> Row:
    what = ", ".join([*member.roles, *(f"group {group}" for group in member.groups)])
    is_self = caller.user is not None and member.user_id == caller.user.pk
    return Row(
        id=member.user_id,
        label=member.user.get_username(),
        what=what,
        since=member.created_at,
        is_suspended=not member.is_active,
        is_self=is_self,
    )


def _agent(agent: Any, caller: Caller) -> Row:
    owner = f", of {agent.owner.get_username()}" if agent.owner else ""
    what = f"{agent.kind}{owner}"
    return Row(id=agent.pk, label=agent.name, what=what, since=agent.created_at, is_suspended=agent.is_suspended)


def _account(account: Any, caller: Caller) -> Row:
    since, is_out = account.created_at, account.is_suspended
    return Row(id=account.pk, label=account.name, what="workload", since=since, is_suspended=is_out)


KINDS = {
    "people": Kind(
        title="People",
        read=Right.MEMBERS_READ,
        write=Right.MEMBERS_SUSPEND,
        order=members.ORDER,
        rows=selectors.members,
        row=_person,
        throw=lambda by, id_, switch, confirm: standing.switch_member(
            by=by, user_id=id_, switch=switch, confirm=confirm, now=timezone.now()
        ),
    ),
    "agents": Kind(
        title="Agents",
        read=Right.AGENTS_READ,
        write=Right.AGENTS_WRITE,
        order=agents.ORDER,
        rows=selectors.agents,
        row=_agent,
        throw=lambda by, id_, switch, _: standing.switch_agent(by=by, agent_id=id_, switch=switch, now=timezone.now()),
    ),
    "service-accounts": Kind(
        title="Service accounts",
        read=Right.AGENTS_READ,
        write=Right.AGENTS_WRITE,
        order=service_accounts.ORDER,
        rows=selectors.service_accounts,
        row=_account,
        throw=lambda by, id_, switch, _: standing.switch_service_account(
            by=by, account_id=id_, switch=switch, now=timezone.now()
        ),
    ),
}


def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise Http404
    return KINDS[name]


@require_safe
@page(Right.AGENTS_READ)
def listed(request: HttpRequest, caller: Caller, kind: str = "agents") -> HttpResponse:
    shown = _kind(kind)
    caller.must(shown.read)
    found = shown.order.page(shown.rows(caller.tenant), **cursor_of(request))
    context = {
        "kind": kind,
        "kinds": _tabs(caller, KINDS.items()),
        "page": found,
        "rows": [shown.row(one, caller) for one in found.items],
        "may_switch": shown.write in caller.rights,
        "longest_reason": standing.LARGEST_REASON,
    }
    return show(request, caller, "access.html", context, here="access")


def _tabs(caller: Caller, kinds: Iterable[tuple[str, Kind]]) -> list[tuple[str, str]]:
    return [(name, kind.title) for name, kind in kinds if kind.read in caller.rights]


def _switch(request: HttpRequest) -> Switch:
    return Switch(is_suspended=request.POST.get("throw") == "suspend", reason=request.POST.get("reason", "").strip())


@require_POST
@page(Right.AGENTS_READ)
def throw(request: HttpRequest, caller: Caller, kind: str, subject: UUID) -> HttpResponse:
    """Suspend or resume one of the list. Each kind's service asks for its own right."""
    _kind(kind).throw(caller, subject, _switch(request), request.POST.get("confirm", ""))
    return HttpResponseRedirect(reverse("ui:access-kind", kwargs={"kind": kind}))


@require_POST
@page(Right.CONNECTIONS_WRITE)
def throw_connection(request: HttpRequest, caller: Caller, connection_id: UUID) -> HttpResponse:
    switch = _switch(request)
    switch_connection(
        tenant=caller.tenant,
        connection_id=connection_id,
        is_suspended=switch.is_suspended,
        reason=switch.reason,
        by_label=caller.label,
        now=timezone.now(),
    )
    return HttpResponseRedirect(reverse("ui:connection", kwargs={"connection_id": connection_id}))


@require_POST
@page(Right.TENANT_SUSPEND)
def suspend_tenant(request: HttpRequest, caller: Caller) -> HttpResponse:
    switch = Switch(is_suspended=True, reason=request.POST.get("reason", "").strip())
    standing.switch_tenant(by=caller, switch=switch, confirm=request.POST.get("confirm", ""), now=timezone.now())
    return HttpResponseRedirect(reverse("ui:access"))


@require_POST
def resume_tenant(request: HttpRequest) -> HttpResponse:
    """The one page that opens in a suspended tenant, to whoever may lift it."""
    caller: Caller | None = getattr(request, "suspended_caller", None)
    if caller is None or caller.api_key is not None:
        return HttpResponseRedirect(reverse("ui:home"))
    try:
        switch = Switch(is_suspended=False, reason=request.POST.get("reason", "").strip())
        standing.switch_tenant(by=caller, switch=switch, now=timezone.now())
    except Problem as problem:
        return problem_page(request, problem)
    return HttpResponseRedirect(reverse("ui:home"))
