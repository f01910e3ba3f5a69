"""The pages' paths."""

from __future__ import annotations

from django.urls import URLPattern, path
from django.views.generic import RedirectView

from hoopweb.ui import approvals, connections, entry, events, policies, sessions, sso

urlpatterns: list[URLPattern] = [
    path("", RedirectView.as_view(pattern_name="ui:sessions"), name="home"),
    path("sign-in/", entry.sign_in_page, name="sign-in"),
    path("sign-in/code/", entry.code_page, name="sign-in-code"),
    path("sso/", sso.choose, name="sso"),
    path("sso/<slug:organisation>/", sso.organisation, name="sso-organisation"),
    path("sso/<slug:organisation>/<slug:name>/oidc/start/", sso.oidc_start, name="oidc-start"),
    path("sso/<slug:organisation>/<slug:name>/oidc/callback/", sso.oidc_callback, name="oidc-callback"),
    path("sign-out/", entry.sign_out, name="sign-out"),
    path("tenant/", entry.switch_tenant, name="switch-tenant"),
    path("sessions/", sessions.session_list, name="sessions"),
    path("sessions/<uuid:session_id>/", sessions.timeline, name="session"),
    path("sessions/<uuid:session_id>/pulse/", sessions.pulse, name="pulse"),
    path("approvals/", approvals.inbox, name="approvals"),
    path("approvals/pulse/", approvals.inbox_pulse, name="inbox-pulse"),
    path("approvals/<uuid:approval_id>/", approvals.detail, name="approval"),
    path("approvals/<uuid:approval_id>/pulse/", approvals.pulse, name="approval-pulse"),
    path("connections/", connections.connection_list, name="connections"),
    path("connections/<uuid:connection_id>/", connections.detail, name="connection"),
    path("connections/<uuid:connection_id>/test/", connections.test, name="connection-test"),
    path("policies/", policies.policy_page, name="policies"),
    path("policies/revisions/<uuid:revision_id>/", policies.revision_page, name="revision"),
    path("events/", events.ledger, name="events"),
]
