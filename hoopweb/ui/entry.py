"""The door of the pages: sign in, sign out, choose a tenant. Who may enter is `gateway.identity.sign_in`."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from gateway.identity.caller import Caller
from gateway.identity.middleware import TENANT_IN_SESSION
from gateway.identity.models import Membership, User
from gateway.identity.problems import SignInRefused, SignInThrottled
from gateway.identity.sign_in import sign_in
from gateway.tenants.scope import as_user
from hoopweb.presence import remember_sign_in

BACKEND = "django.contrib.auth.backends.ModelBackend"


def _after(request: HttpRequest) -> str:
    """Where to go once inside: the page that sent us here, if it is one of ours."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours and wanted.startswith("/") else reverse("ui:home")


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_page(request: HttpRequest) -> HttpResponse:
    if getattr(request, "caller", None) is not None:
        return HttpResponseRedirect(_after(request))
    if request.method != "POST":
        return _form(request)
    username, password = request.POST.get("username", ""), request.POST.get("password", "")
    source = request.META.get("REMOTE_ADDR", "")
    now = timezone.now()
    try:
        user = sign_in(username=username, password=password, source=source, now=now)
    except (SignInRefused, SignInThrottled) as problem:
        return _form(request, problem=problem, username=username[:150], status=problem.status)
    login(request, user, backend=BACKEND)
    remember_sign_in(request, now)
    request.session[TENANT_IN_SESSION] = str(_first_tenant(user))
    return HttpResponseRedirect(_after(request))


def _first_tenant(user: User) -> UUID:
    """The tenant to begin in: never a suspended one, where a person would be locked out of his others."""
    with as_user(user.pk):
        rows = Membership.objects.filter(user=user, is_active=True, tenant__is_suspended=False)
        # `sign_in` has seen that there is one.
        return rows.order_by("created_at").values_list("tenant_id", flat=True)[0]


def _form(
    request: HttpRequest,
    *,
    problem: SignInRefused | SignInThrottled | None = None,
    username: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {"problem": problem, "username": username, "next": _after(request)}
    return render(request, "sign_in.html", context, status=status)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return HttpResponseRedirect(reverse("ui:sign-in"))


@require_POST
def switch_tenant(request: HttpRequest) -> HttpResponse:
    """Choose another of the person's own tenants. One he is no member of changes nothing."""
    caller: Caller | None = getattr(request, "caller", None)
    if caller is None or caller.user is None or caller.api_key is not None:
        return HttpResponseRedirect(reverse("ui:sign-in"))
    wanted = _uuid(request.POST.get("tenant", ""))
    rows = Membership.objects.filter(user=caller.user, is_active=True, tenant__is_suspended=False)
    if wanted is not None and rows.filter(tenant_id=wanted).exists():
        request.session[TENANT_IN_SESSION] = str(wanted)
    return HttpResponseRedirect(reverse("ui:home"))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
