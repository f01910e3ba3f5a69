"""The paths of /api/v1/. What each answers is in the module of its name."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, URLResolver
from django.urls.resolvers import RoutePattern
from django.views import View

from hoopweb.api import (
    access,
    access_reviews,
    agent_credentials,
    agents,
    api_keys,
    approval_rules,
    approvals,
    connections,
    detectors,
    devices,
    docs,
    events,
    human_proof,
    keys,
    me,
    members,
    notices,
    own_device,
    packs,
    periods,
    policies,
    prompt_keeping,
    prompts,
    providers,
    requests,
    service_accounts,
    sessions,
    sign_ins,
    standing,
    tool_uses,
    workload_rules,
    workloads,
)


class _SlashOptional(RoutePattern):
    """Takes a path with or without its last slash: a redirect would turn a client's POST into a GET."""

    def match(self, path: str) -> Any:
        return super().match(path) or super().match(f"{path}/")


def route(path: str, view: type[View], name: str) -> URLPattern:
    return URLPattern(_SlashOptional(path, name=name, is_endpoint=True), view.as_view(), {}, name)


urlpatterns: list[URLPattern | URLResolver] = [
    route("v1/me/", me.Me, "me"),
    route("v1/sessions/", sessions.Sessions, "sessions"),
    route("v1/sessions/<uuid:session_id>/", sessions.OneSession, "session"),
    route("v1/sessions/<uuid:session_id>/timeline/", sessions.Timeline, "timeline"),
    route("v1/prompts/", prompts.Prompts, "prompts"),
    route("v1/prompts/<uuid:prompt_id>/", prompts.OnePrompt, "prompt"),
    route("v1/prompts/<uuid:prompt_id>/exact/", prompts.ExactPrompt, "prompt-exact"),
    route("v1/prompt-keeping/", prompt_keeping.PromptKeepings, "prompt-keeping"),
    route("v1/human-proof/", human_proof.HumanProof, "human-proof"),
    route("v1/tool-uses/", tool_uses.ToolUses, "tool-uses"),
    route("v1/agent-credentials/", agent_credentials.AgentCredentials, "agent-credentials"),
    route("v1/device/", own_device.OwnDevice, "own-device"),
    route("v1/requests/", requests.Requests, "requests"),
    route("v1/requests/<uuid:request_id>/", requests.OneRequest, "request"),
    route("v1/requests/<uuid:request_id>/masked-value/", requests.MaskedValue, "request-masked-value"),
    route("v1/approvals/", approvals.Approvals, "approvals"),
    route("v1/approvals/<uuid:approval_id>/", approvals.OneApproval, "approval"),
    route("v1/approvals/<uuid:approval_id>/votes/", approvals.Votes, "votes"),
    route("v1/approval-rules/", approval_rules.ApprovalRules, "approval-rules"),
    route("v1/approval-rules/<uuid:approval_rule_id>/", approval_rules.OneApprovalRule, "approval-rule"),
    route("v1/packs/", packs.Packs, "packs"),
    route("v1/detectors/", detectors.Detectors, "detectors"),
    route("v1/detectors/trial/", detectors.DetectorTrial, "detector-trial"),
    route("v1/detectors/<uuid:detector_id>/", detectors.OneDetector, "detector"),
    route("v1/detectors/<uuid:detector_id>/versions/", detectors.DetectorVersions, "detector-versions"),
    route("v1/policies/", policies.Policies, "policies"),
    route("v1/policies/<uuid:policy_id>/revisions/", policies.Revisions, "revisions"),
    route("v1/connections/", connections.Connections, "connections"),
    route("v1/connections/<uuid:connection_id>/", connections.OneConnection, "connection"),
    route("v1/connections/<uuid:connection_id>/test/", connections.Test, "connection-test"),
    route("v1/connections/<uuid:connection_id>/payloads/", connections.Payloads, "connection-payloads"),
    route("v1/connections/<uuid:connection_id>/accounts/", connections.Accounts, "connection-accounts"),
    route("v1/connections/<uuid:connection_id>/suspend/", standing.SuspendConnection, "connection-suspend"),
    route("v1/connections/<uuid:connection_id>/resume/", standing.ResumeConnection, "connection-resume"),
    route("v1/connections/<uuid:connection_id>/access/", access.ConnectionAccess, "connection-access"),
    route("v1/policies/<uuid:policy_id>/access/", access.PolicyAccess, "policy-access"),
    route("v1/connections/<uuid:connection_id>/session-deny/", connections.SessionDeny, "session-deny"),
    route("v1/connections/<uuid:connection_id>/trust-policy/", connections.TrustPolicy, "trust-policy"),
    route("v1/agents/", agents.Agents, "agents"),
    route("v1/agents/<uuid:agent_id>/", agents.OneAgent, "agent"),
    route("v1/agents/<uuid:agent_id>/suspend/", standing.SuspendAgent, "agent-suspend"),
    route("v1/agents/<uuid:agent_id>/resume/", standing.ResumeAgent, "agent-resume"),
    route("v1/service-accounts/", service_accounts.ServiceAccounts, "service-accounts"),
    route("v1/service-accounts/<uuid:account_id>/suspend/", standing.SuspendServiceAccount, "service-account-suspend"),
    route("v1/service-accounts/<uuid:account_id>/resume/", standing.ResumeServiceAccount, "service-account-resume"),
    route("v1/workload-rules/", workload_rules.WorkloadRules, "workload-rules"),
    route("v1/workload-rules/<uuid:rule_id>/", workload_rules.OneWorkloadRule, "workload-rule"),
    route("v1/service-accounts/<uuid:account_id>/secrets/", workloads.Secrets, "account-secrets"),
    route("v1/service-accounts/<uuid:account_id>/secrets/<uuid:secret_id>/", workloads.OneSecret, "account-secret"),
    route("v1/api-keys/", api_keys.ApiKeys, "api-keys"),
    route("v1/api-keys/<uuid:key_id>/", api_keys.OneApiKey, "api-key"),
    route("v1/keys/", keys.Keys, "keys"),
    route("v1/keys/<uuid:key_id>/", keys.OneKey, "key"),
    route("v1/access-reviews/", access_reviews.AccessReviews, "access-reviews"),
    route("v1/access-reviews/<uuid:review_id>/", access_reviews.OneAccessReview, "access-review"),
    route("v1/access-reviews/<uuid:review_id>/export/", access_reviews.ReviewExport, "access-review-export"),
    route(
        "v1/access-reviews/<uuid:review_id>/items/<uuid:item_id>/", access_reviews.ReviewAnswers, "access-review-answer"
    ),
    route("v1/access-review-schedule/", access_reviews.Schedule, "access-review-schedule"),
    route("v1/members/", members.Members, "members"),
    route("v1/members/<uuid:user_id>/suspend/", standing.SuspendMember, "member-suspend"),
    route("v1/members/<uuid:user_id>/resume/", standing.ResumeMember, "member-resume"),
    route("v1/members/<uuid:user_id>/second-factor/", members.MemberSecondFactor, "member-second-factor"),
    route("v1/members/<uuid:user_id>/period/", periods.MemberPeriod, "member-period"),
    route("v1/operator-access/", periods.OperatorAccesses, "operator-accesses"),
    route("v1/operator-access/<uuid:access_id>/", periods.OneOperatorAccess, "operator-access"),
    route("v1/notices/", notices.Notices, "notices"),
    route("v1/notices/seen/", notices.SeenNotices, "notices-seen"),
    route("v1/notice-channels/", notices.NoticeChannels, "notice-channels"),
    route("v1/notice-channels/<uuid:channel_id>/", notices.OneNoticeChannel, "notice-channel"),
    route("v1/notice-channels/<uuid:channel_id>/secret/", notices.NewSecret, "notice-channel-secret"),
    route("v1/notice-channels/<uuid:channel_id>/test/", notices.TryChannel, "notice-channel-test"),
    route("v1/notice-channels/<uuid:channel_id>/deliveries/", notices.Deliveries, "notice-channel-deliveries"),
    route("v1/tenant/suspend/", standing.SuspendTenant, "tenant-suspend"),
    route("v1/tenant/resume/", standing.ResumeTenant, "tenant-resume"),
    route("v1/events/", events.Events, "events"),
    route("v1/events/<int:sequence>/", events.OneEvent, "event"),
    route("v1/events/<int:sequence>/proof/", events.Proof, "proof"),
    route("v1/identity-providers/", providers.Providers, "identity-providers"),
    route("v1/identity-providers/saml/", providers.SamlProviders, "identity-providers-saml"),
    route("v1/identity-providers/<uuid:provider_id>/enable/", providers.EnableProvider, "provider-enable"),
    route("v1/identity-providers/<uuid:provider_id>/disable/", providers.DisableProvider, "provider-disable"),
    route("v1/sign-ins/", sign_ins.SignIns, "sign-ins"),
    route("v1/sign-ins/<uuid:sign_in_id>/", sign_ins.OneSignIn, "sign-in"),
    route("v1/devices/", devices.Devices, "devices"),
    route("v1/devices/<uuid:device_id>/", devices.OneDevice, "device"),
    route("schema/", docs.Schema, "schema"),
    route("docs/", docs.Docs, "docs"),
]
