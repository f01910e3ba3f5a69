"""What can go wrong when somebody says who they are."""

from gateway.problems import Problem


class NotSignedIn(Problem):
    code = "identity.not_signed_in"
    status = 401
    title = "You are not signed in"
    remedy = "Sign in, or send an API key as `Authorization: Bearer hwk_...`."


class KeyRefused(Problem):
    code = "identity.key_refused"
    status = 401
    title = "This API key is unknown, expired or revoked"
    remedy = "Ask an administrator of your tenant for a new one."


class RightMissing(Problem):
    code = "identity.right_missing"
    status = 403
    title = "You may not do this"
    remedy = "Ask an administrator of your tenant for the role that can."


class TenantSuspended(Problem):
    code = "identity.tenant_suspended"
    status = 403
    title = "This tenant is suspended"
    remedy = "Ask the operator of this installation."


class NameRefused(Problem):
    code = "identity.name_refused"
    status = 400
    title = "This name cannot be used"
    remedy = "Choose another."


class NameTaken(Problem):
    code = "identity.name_taken"
    status = 409
    title = "This name is taken"
    remedy = "Choose another."


class PasswordRefused(Problem):
    code = "identity.password_refused"
    status = 400
    title = "This password is too easy to guess"
    remedy = "Use a longer one, best from a password manager."


class ScopeRefused(Problem):
    code = "identity.scope_refused"
    status = 400
    title = "These roles or scopes cannot be given"
    remedy = "Ask for fewer, or have the person's role changed first."


class LifetimeRefused(Problem):
    code = "identity.lifetime_refused"
    status = 400
    title = "A key cannot live that long, or that short"
    remedy = "Ask for a lifetime inside the bounds."


class NotAMember(Problem):
    code = "identity.not_a_member"
    status = 404
    title = "There is no such active member in this tenant"
    remedy = "Add the person as a member first."


class AgentUnknown(Problem):
    code = "identity.agent_unknown"
    status = 404
    title = "There is no such agent in this tenant"
    remedy = "List the tenant's agents."


class AgentSuspended(Problem):
    code = "identity.agent_suspended"
    status = 403
    title = "This agent is suspended"
    remedy = "Ask an administrator of your tenant why."
    aws_code = "AccessDeniedException"


class KeyUnknown(Problem):
    code = "identity.key_unknown"
    status = 404
    title = "There is no such key in this tenant"
    remedy = "List the tenant's keys."


class SignInRefused(Problem):
    code = "identity.sign_in_refused"
    status = 401
    title = "User name and password do not match a member"
    remedy = "Check both and try again."


class SignInThrottled(Problem):
    code = "identity.sign_in_throttled"
    status = 429
    title = "Too many attempts to sign in"
    remedy = "Wait a few minutes and try again."


class ServiceAccountUnknown(Problem):
    code = "identity.service_account_unknown"
    status = 404
    title = "There is no such service account in this tenant"
    remedy = "List the tenant's service accounts."


class ReasonRefused(Problem):
    code = "identity.reason_refused"
    status = 400
    title = "This reason cannot be kept as evidence"
    remedy = "Give at most 500 characters in one line."


class WouldLockOut(Problem):
    """Suspending oneself or the whole tenant asks for a second word."""

    code = "identity.would_lock_out"
    status = 409
    title = "This would lock you out"
    remedy = "Send the name again as `confirm`, if that is what you want."
