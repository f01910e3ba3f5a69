"""What can go wrong between us and a tenant's AWS account. Texts never carry a credential or an ExternalId."""

from __future__ import annotations

from gateway.problems import Problem


class ConnectionMalformed(Problem):
    code = "connections.malformed"
    status = 400
    title = "This does not describe an AWS account we can reach"
    remedy = "Check the account id, the role ARN and the regions."


class ConnectionNameTaken(Problem):
    code = "connections.name_taken"
    status = 409
    title = "The tenant already has a connection of this name"
    remedy = "Choose another name."


class ConnectionUnknown(Problem):
    code = "connections.unknown"
    status = 404
    title = "There is no such connection"
    remedy = "List the tenant's connections."


class ConnectionNotActive(Problem):
    code = "connections.not_active"
    status = 403
    title = "This connection is not active"
    remedy = "Ask a security administrator to test it, or to lift its suspension."
    aws_code = "AccessDeniedException"


class AssumeRoleFailed(Problem):
    """Retryable: the control plane could not get a session for the role; nothing was forwarded."""

    code = "connections.assume_role_failed"
    status = 503
    title = "The connection's role could not be assumed"
    remedy = "Try again; if it stays, ask a security administrator to test the connection."
    aws_code = "ServiceUnavailable"


class RoleRefused(AssumeRoleFailed):
    """AWS itself said no: asking again changes nothing."""

    code = "connections.role_refused"
    status = 403
    title = "AWS does not let this connection assume the role"
    remedy = (
        "The role must trust the connection's role for sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity, "
        "and that role must be allowed to assume it."
    )
    aws_code = "AccessDenied"


class SessionPolicyMalformed(Problem):
    code = "connections.session_policy_malformed"
    status = 400
    title = "The session policy is not a policy document"
    remedy = "Send JSON with a Statement, each name once."
    aws_code = "MalformedPolicyDocument"


class SessionPolicyTooLarge(Problem):
    code = "connections.session_policy_too_large"
    status = 400
    title = "This call touches more than a session policy can name"
    remedy = "Ask for fewer resources in one call."
    aws_code = "AccessDeniedException"


class EndpointUnknown(Problem):
    code = "connections.endpoint_unknown"
    status = 400
    title = "AWS's endpoint rules give no address for this service and region"
    remedy = "Check the region; services outside the `aws` partition are not reached."
    aws_code = "AccessDeniedException"


class RegionNotAllowed(Problem):
    code = "connections.region_not_allowed"
    status = 403
    title = "The connection is not open for this region"
    remedy = "Use one of the connection's regions, or ask a security administrator to add this one."
    aws_code = "AccessDeniedException"


class ForeignAccount(Problem):
    code = "connections.foreign_account"
    status = 403
    title = "This call reaches for another AWS account than the connection's"
    remedy = (
        "Use keys of that account's own connection, or ask a security administrator to add the account to those this "
        "connection may reach; where it was named by mistake, leave it out."
    )
    aws_code = "AccessDeniedException"
