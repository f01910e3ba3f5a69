"""What authentication and entering the tenant add to one call: the middlewares around an empty view, and the view alone.

Runs inside the environment of a web process (`bench.identity` starts it): its database, its role, its settings.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from importlib import import_module

import django

ROUNDS, CALLS = 7, 400


def main(api_key: str, username: str) -> None:
    """Print the median of the rounds' p50, wall and processor, for a key and for a browser's session."""
    django.setup()
    from django.conf import settings  # settings are read by setup
    from django.http import HttpRequest, HttpResponse
    from django.test import RequestFactory
    from django.utils.module_loading import import_string

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200 if getattr(request, "caller", None) is not None else 401)

    names = (
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "gateway.identity.middleware.CallerMiddleware",
        "hoopweb.period.PeriodMiddleware",
    )
    around: Callable[[HttpRequest], HttpResponse] = view
    for name in reversed(names):
        around = import_string(name)(around)
    cookie = {settings.SESSION_COOKIE_NAME: session_of(username, import_module(settings.SESSION_ENGINE).SessionStore)}

    def by_key() -> HttpRequest:
        return RequestFactory().get("/api/v1/me/", headers={"Authorization": f"Bearer {api_key}"})

    def by_session() -> HttpRequest:
        request = RequestFactory().get("/sessions/")
        request.COOKIES.update(cookie)
        return request

    for told, made in (("an API key", by_key), ("a browser's session", by_session)):
        if around(made()).status_code != 200:
            raise RuntimeError(f"{told} was refused")
        wall, cpu = added(around, view, made)
        print(f"{told} adds {wall:.2f} ms (p50), {cpu:.2f} ms of processor, to a call", flush=True)


def added(
    around: Callable[..., object], alone: Callable[..., object], made: Callable[[], object]
) -> tuple[float, float]:
    """Milliseconds that `around` takes longer than `alone`: the medians over the rounds of p50 wall, and mean processor."""
    walls, cpus = list[float](), list[float]()
    for _ in range(ROUNDS):
        (wall, cpu), (bare_wall, bare_cpu) = timed(around, made), timed(alone, made)
        walls.append(wall - bare_wall)
        cpus.append(cpu - bare_cpu)
    return statistics.median(walls), statistics.median(cpus)


def timed(call: Callable[..., object], made: Callable[[], object]) -> tuple[float, float]:
    taken, cpu = list[float](), time.process_time()
    for _ in range(CALLS):
        request = made()
        begun = time.perf_counter()
        call(request)
        taken.append(1000 * (time.perf_counter() - begun))
    return statistics.median(taken), 1000 * (time.process_time() - cpu) / CALLS


def session_of(username: str, store_kind: type) -> str:
    """A browser inside the person's tenants, as the sign-in page would have left it."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.utils import timezone

    from gateway.identity.door_models import ProofKind
    from gateway.identity.local_door import ways_in
    from gateway.identity.middleware import SIGN_INS_IN_SESSION, TENANT_IN_SESSION
    from gateway.identity.models import User
    from gateway.identity.sign_ins import open_sign_in
    from gateway.tenants.scope import in_tenant

    user = User.objects.get(username=username)
    tenant = ways_in(user)[0].tenant
    with in_tenant(tenant):
        now = timezone.now()
        opened = open_sign_in(
            tenant=tenant, user=user, proof=ProofKind.PASSWORD, source="bench", browser="bench", now=now
        )
    store = store_kind()
    store[SESSION_KEY], store[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[SIGN_INS_IN_SESSION], store[TENANT_IN_SESSION] = {str(tenant.pk): str(opened.pk)}, str(tenant.pk)
    store.save()
    return str(store.session_key)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
