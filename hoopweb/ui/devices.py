"""The page where a person lets a machine in: he types the code it shows, sees which machine asks, and answers.

Machines and their keys are `gateway.identity.devices`.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from gateway.identity import devices
from gateway.identity.caller import Caller
from gateway.identity.door_problems import UserCodeRefused
from gateway.tenants.rights import Right
from hoopweb.ui.base import page, show


@require_http_methods(["GET", "HEAD", "POST"])
@page(Right.KEYS_ISSUE)
def device_page(request: HttpRequest, caller: Caller) -> HttpResponse:
    """GET shows the machine a code belongs to; only a POST answers it."""
    now = timezone.now()
    typed = (request.POST.get("user_code") or request.GET.get("user_code") or "")[:40]
    if not typed:
        return show(request, caller, "device.html", {"done": request.GET.get("done")}, here="")
    try:
        login = devices.waiting(caller.tenant, typed, now)
    except UserCodeRefused as problem:
        return show(request, caller, "device.html", {"problem": problem}, here="", status=problem.status)
    answer = request.POST.get("answer")
    if request.method == "POST" and answer in {"allow", "deny"}:
        devices.answer(by=caller, login_id=login.pk, is_allowed=answer == "allow", now=now)
        return HttpResponseRedirect(f"{reverse('ui:device')}?done={answer}")
    return show(request, caller, "device.html", {"login": login}, here="")
