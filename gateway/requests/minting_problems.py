"""What can be wrong with a call that asks for credentials."""

from gateway.problems import Problem


class MintingMalformed(Problem):
    code = "minting.malformed"
    status = 400
    title = "The parameters of this call are not what AWS takes"
    remedy = "Correct them and call again."
    aws_code = "ValidationError"


class ForeignRole(Problem):
    code = "minting.foreign_role"
    status = 403
    title = "This connection does not reach the account of that role"
    remedy = (
        "Ask hoopweb for keys of that account's own connection, or a security administrator to add the account to "
        "those this connection may reach."
    )
    aws_code = "AccessDenied"


class ChainTooLong(Problem):
    code = "minting.chain_too_long"
    status = 403
    title = "These keys stand at the end of too long a chain of roles"
    remedy = "Assume the role you need from the keys hoopweb gave you first."
    aws_code = "AccessDenied"


class NarrowedAlready(Problem):
    code = "minting.narrowed_already"
    status = 403
    title = "These keys were narrowed by a session policy, and asking again for the same role would undo it"
    remedy = "Assume the role from the keys you had before."
    aws_code = "AccessDenied"


class MfaNotPassed(Problem):
    code = "minting.mfa"
    status = 403
    title = "One-time codes of AWS are not passed on: hoopweb renews the role's session itself, and a code is good once"
    remedy = "Remove mfa_serial from the profile; where a second person should agree, have a policy rule ask for it."
    aws_code = "AccessDenied"


class IdentityIsSet(Problem):
    code = "minting.identity_is_set"
    status = 403
    title = "The source identity of a session is the person hoopweb knows, and cannot be chosen"
    remedy = "Leave SourceIdentity and ProvidedContexts out."
    aws_code = "AccessDenied"


class NotForApproval(Problem):
    code = "minting.not_for_approval"
    status = 403
    title = "People are not asked about credentials themselves"
    remedy = "Have a rule permit the role, and another ask about the calls that are made with it."
    aws_code = "AccessDenied"


class EndsTooSoon(Problem):
    code = "minting.ends_too_soon"
    status = 403
    title = "The keys this call is made with end in less than a minute, and derived keys end no later"
    remedy = "Ask hoopweb for new keys first."
    aws_code = "ExpiredToken"


class SamlNotTaken(Problem):
    code = "minting.saml"
    status = 403
    title = "hoopweb does not answer AssumeRoleWithSAML"
    remedy = (
        "Sign in to hoopweb with your organisation's provider and use the keys it gives you; a workload sends "
        "AssumeRoleWithWebIdentity."
    )
    aws_code = "AccessDenied"


class WebIdentityRefused(Problem):
    """The same for every reason a stranger could learn from; the reason is in the tenant's ledger where one is known."""

    code = "minting.web_identity"
    status = 400
    title = "This web identity token opens no role here"
    remedy = (
        "The issuer, audience and subject must match a workload rule of the tenant, the token must be in force, and "
        "RoleArn must be the role of an active connection."
    )
    aws_code = "InvalidIdentityToken"
