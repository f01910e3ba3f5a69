"""URLs of the web process: pages and the public API."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from hoopweb.api import oauth
from hoopweb.health import healthz

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("api/", include(("hoopweb.api.router", "api"))),
    path("oauth/device_authorization", oauth.device_authorization, name="oauth-device"),
    path("oauth/token", oauth.token, name="oauth-token"),
    path(".well-known/oauth-authorization-server", oauth.metadata, name="oauth-metadata"),
    path("", include(("hoopweb.ui.urls", "ui"))),
]
handler400 = "hoopweb.ui.failures.malformed"
handler403 = "hoopweb.ui.failures.forbidden"
handler404 = "hoopweb.ui.failures.not_found"
handler500 = "hoopweb.ui.failures.server_error"
