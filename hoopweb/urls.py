"""URLs of the web process: pages and the public API."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from hoopweb.health import healthz

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("api/", include(("hoopweb.api.router", "api"))),
    path("", include(("hoopweb.ui.urls", "ui"))),
]
handler400 = "hoopweb.ui.failures.malformed"
handler403 = "hoopweb.ui.failures.forbidden"
handler404 = "hoopweb.ui.failures.not_found"
handler500 = "hoopweb.ui.failures.server_error"
