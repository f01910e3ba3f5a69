"""The names of what one may do, and which role may do it. `docs/security.md` tabulates the same."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Right(StrEnum):
    SESSIONS_READ = "sessions:read"
    PROMPTS_READ = "prompts:read"
    PROMPTS_WRITE = "prompts:write"
    REQUESTS_READ = "requests:read"
    EVENTS_READ = "events:read"
    APPROVALS_READ = "approvals:read"
    APPROVALS_VOTE = "approvals:vote"
    POLICIES_READ = "policies:read"
    POLICIES_WRITE = "policies:write"
    CONNECTIONS_READ = "connections:read"
    CONNECTIONS_WRITE = "connections:write"
    AGENTS_READ = "agents:read"
    AGENTS_WRITE = "agents:write"
    KEYS_ISSUE = "keys:issue"
    KEYS_REVOKE = "keys:revoke"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    PROVIDERS_WRITE = "providers:write"
    MEMBERS_SUSPEND = "members:suspend"
    TENANT_SUSPEND = "tenant:suspend"
    API_KEYS_WRITE = "api-keys:write"
    NOTICES_WRITE = "notices:write"
    JOBS_RUN = "masking-jobs:run"


class Role(StrEnum):
    OWNER = "owner"
    SECURITY_ADMIN = "security-admin"
    APPROVER = "approver"
    AUDITOR = "auditor"
    DEVELOPER = "developer"


_READ = frozenset(
    {
        Right.SESSIONS_READ,
        Right.PROMPTS_READ,
        Right.REQUESTS_READ,
        Right.EVENTS_READ,
        Right.APPROVALS_READ,
        Right.POLICIES_READ,
        Right.CONNECTIONS_READ,
        Right.AGENTS_READ,
        Right.MEMBERS_READ,
    }
)
RIGHTS_OF: dict[Role, frozenset[Right]] = {
    Role.OWNER: frozenset(Right) - {Right.APPROVALS_VOTE},
    Role.SECURITY_ADMIN: frozenset(Right) - {Right.APPROVALS_VOTE, Right.MEMBERS_WRITE, Right.PROVIDERS_WRITE},
    Role.APPROVER: frozenset({Right.APPROVALS_READ, Right.APPROVALS_VOTE, Right.SESSIONS_READ, Right.REQUESTS_READ}),
    Role.AUDITOR: _READ,
    Role.DEVELOPER: frozenset(
        {
            Right.SESSIONS_READ,
            Right.REQUESTS_READ,
            Right.PROMPTS_WRITE,
            Right.KEYS_ISSUE,
            Right.APPROVALS_READ,
            Right.CONNECTIONS_READ,
            Right.AGENTS_READ,
        }
    ),
}


def rights_of(roles: Iterable[str]) -> frozenset[Right]:
    """Return the union of rights of the named roles; an unknown role gives nothing."""
    names = set(roles)
    return frozenset(right for role in Role if role.value in names for right in RIGHTS_OF[role])
