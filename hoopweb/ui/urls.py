"""The pages' paths."""

from __future__ import annotations

from django.urls import URLPattern, path
from django.views.generic import RedirectView

from hoopweb.ui import (
    access,
    api_keys,
    approvals,
    connections,
    devices,
    entry,
    events,
    policies,
    prompts,
    saml,
    sessions,
    sso,
)

urlpatterns: list[URLPattern] = [
    path("", RedirectView.as_view(pattern_name="ui:sessions"), name="home"),
    path("sign-in/", entry.sign_in_page, name="sign-in"),
    path("sign-in/code/", entry.code_page, name="sign-in-code"),
    path("sso/", sso.choose, name="sso"),
    path("sso/<slug:organisation>/", sso.organisation, name="sso-organisation"),
    path("sso/<slug:organisation>/<slug:name>/oidc/start/", sso.oidc_start, name="oidc-start"),
    path("sso/<slug:organisation>/<slug:name>/oidc/callback/", sso.oidc_callback, name="oidc-callback"),
    path("sso/<slug:organisation>/<slug:name>/saml/metadata/", saml.metadata, name="saml-metadata"),
    path("sso/<slug:organisation>/<slug:name>/saml/start/", saml.start, name="saml-start"),
    path("sso/<slug:organisation>/<slug:name>/saml/acs/", saml.consume, name="saml-acs"),
    path("sso/<slug:organisation>/<slug:name>/saml/finish/<uuid:seen_id>/", saml.finish, name="saml-finish"),
    path("device/", devices.device_page, name="device"),
    path("sign-out/", entry.sign_out, name="sign-out"),
    path("tenant/", entry.switch_tenant, name="switch-tenant"),
    path("sessions/", sessions.session_list, name="sessions"),
    path("sessions/<uuid:session_id>/", sessions.timeline, name="session"),
    path("sessions/<uuid:session_id>/pulse/", sessions.pulse, name="pulse"),
    path("prompts/", prompts.prompt_list, name="prompts"),
    path("prompts/<uuid:prompt_id>/", prompts.prompt, name="prompt"),
    path("prompts/<uuid:prompt_id>/exact/", prompts.exact, name="prompt-exact"),
    path("approvals/", approvals.inbox, name="approvals"),
    path("approvals/pulse/", approvals.inbox_pulse, name="inbox-pulse"),
    path("approvals/<uuid:approval_id>/", approvals.detail, name="approval"),
    path("approvals/<uuid:approval_id>/pulse/", approvals.pulse, name="approval-pulse"),
    path("connections/", connections.connection_list, name="connections"),
    path("connections/<uuid:connection_id>/", connections.detail, name="connection"),
    path("connections/<uuid:connection_id>/test/", connections.test, name="connection-test"),
    path("connections/<uuid:connection_id>/switch/", access.throw_connection, name="connection-throw"),
    path("access/", access.listed, name="access"),
    path("access/tenant/suspend/", access.suspend_tenant, name="tenant-suspend"),
    path("access/tenant/resume/", access.resume_tenant, name="tenant-resume"),
    path("access/<slug:kind>/", access.listed, name="access-kind"),
    path("access/<slug:kind>/<uuid:subject>/", access.throw, name="access-throw"),
    path("api-keys/", api_keys.api_keys, name="api-keys"),
    path("api-keys/<uuid:key_id>/revoke/", api_keys.revoke, name="api-key-revoke"),
    path("policies/", policies.policy_page, name="policies"),
    path("policies/approval-rules/", policies.new_approval_rule, name="approval-rules"),
    path("policies/approval-rules/<uuid:approval_rule_id>/", policies.change_approval_rule, name="approval-rule"),
    path("policies/revisions/<uuid:revision_id>/", policies.revision_page, name="revision"),
    path("events/", events.ledger, name="events"),
]
