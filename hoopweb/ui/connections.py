"""Connections: the AWS accounts of the tenant, adding one, and proving that it works."""

from __future__ import annotations

import os
import re
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gateway.connections import services
from gateway.connections.access import keep_connection_for, visible_connection, visible_connections
from gateway.connections.session_deny import command, session_deny
from gateway.identity.caller import Caller
from gateway.identity.object_rights import groups_of
from gateway.problems import Problem
from gateway.tenants.rights import Right
from hoopweb.api.connections import ORDER
from hoopweb.principal import PrincipalUnknown, trust_policy_of
from hoopweb.ui.base import cursor_of, page, show

_FIELDS = ("name", "account_id", "role_arn", "regions")


@require_http_methods(["GET", "HEAD", "POST"])
@page(Right.CONNECTIONS_READ, POST=Right.CONNECTIONS_WRITE)
def connection_list(request: HttpRequest, caller: Caller) -> HttpResponse:
    if request.method != "POST":
        return _list(request, caller, {"regions": "eu-central-1"})
    given = {name: request.POST.get(name, "").strip() for name in _FIELDS}
    try:
        made = services.create_connection(
            tenant=caller.tenant,
            name=given["name"],
            account_id=given["account_id"],
            role_arn=given["role_arn"],
            regions=re.split(r"[\s,]+", given["regions"]),
            observe_only="observe_only" in request.POST,
            by_label=caller.label,
            now=timezone.now(),
            random=os.urandom,
        )
    except Problem as problem:
        return _list(request, caller, given, problem=problem)
    return HttpResponseRedirect(reverse("ui:connection", kwargs={"connection_id": made.pk}))


def _list(
    request: HttpRequest, caller: Caller, given: dict[str, str], *, problem: Problem | None = None
) -> HttpResponse:
    found = ORDER.page(visible_connections(caller), **cursor_of(request))
    context = {"page": found, "given": given, "problem": problem}
    status = problem.status if problem else 200
    return show(request, caller, "connections.html", context, here="connections", status=status)


@require_safe
@page(Right.CONNECTIONS_READ)
def detail(request: HttpRequest, caller: Caller, connection_id: UUID) -> HttpResponse:
    connection = visible_connection(caller, connection_id)
    context: dict[str, Any] = {"connection": connection, "is_standin": bool(settings.UPSTREAM_AWS_URL)}
    context["groups"] = groups_of(connection)
    if Right.CONNECTIONS_WRITE in caller.rights:
        deny = session_deny(issued_before=timezone.now(), source_identity=None)
        context["session_deny"], context["session_deny_command"] = (
            deny,
            command(role_arn=connection.role_arn, policy=deny),
        )
        try:
            context["trust_policy"] = trust_policy_of(connection)
        except PrincipalUnknown as problem:
            context["problem"] = problem
    return show(request, caller, "connection.html", context, here="connections")


@require_POST
@page(Right.CONNECTIONS_WRITE)
def keep_for(request: HttpRequest, caller: Caller, connection_id: UUID) -> HttpResponse:
    """Keep the connection for the groups typed, separated by commas or spaces; none opens it."""
    groups = [name for name in re.split(r"[\s,]+", request.POST.get("groups", "")) if name]
    keep_connection_for(
        tenant=caller.tenant, connection_id=connection_id, groups=groups, by_label=caller.label, now=timezone.now()
    )
    return HttpResponseRedirect(reverse("ui:connection", kwargs={"connection_id": connection_id}))


@require_POST
@page(Right.CONNECTIONS_WRITE)
def open_accounts(request: HttpRequest, caller: Caller, connection_id: UUID) -> HttpResponse:
    """Let the connection reach the accounts typed, separated by commas or spaces; none leaves it its own."""
    accounts = [one for one in re.split(r"[\s,]+", request.POST.get("accounts", "")) if one]
    services.open_accounts(
        tenant=caller.tenant,
        connection_id=connection_id,
        account_ids=accounts,
        by_label=caller.label,
        now=timezone.now(),
    )
    return HttpResponseRedirect(reverse("ui:connection", kwargs={"connection_id": connection_id}))


@require_POST
@page(Right.CONNECTIONS_WRITE)
def test(request: HttpRequest, caller: Caller, connection_id: UUID) -> HttpResponse:
    services.test_connection(
        tenant=caller.tenant, connection_id=connection_id, by_label=caller.label, now=timezone.now()
    )
    return HttpResponseRedirect(reverse("ui:connection", kwargs={"connection_id": connection_id}))


# AWS is asked, which may take seconds.
test.works_outside_transactions = True  # type: ignore[attr-defined]  # CallerMiddleware reads it
