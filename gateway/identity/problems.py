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
