"""What can go wrong between a request's arrival and its end. Signature and parse problems are `gateway.wire`'s."""

from gateway.problems import Problem


class UnknownKey(Problem):
    code = "requests.unknown_key"
    status = 403
    title = "This access key id is not one hoopweb issued"
    remedy = "Use keys issued by hoopweb; keys of AWS itself do not work here and are not needed."
    aws_code = "InvalidClientTokenId"


class KeyExpired(Problem):
    code = "requests.key_expired"
    status = 403
    title = "These hoopweb keys have expired or were revoked"
    remedy = "Ask hoopweb for new ones, for instance by running the credential helper again."
    aws_code = "ExpiredToken"


class TokenMismatch(Problem):
    code = "requests.token_mismatch"
    status = 403
    title = "The session token does not belong to this access key"
    remedy = "Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN from one answer."
    aws_code = "InvalidClientTokenId"


class PrincipalSuspended(Problem):
    code = "requests.principal_suspended"
    status = 403
    title = "The person, agent, connection or tenant behind these keys is suspended"
    remedy = "Ask a security administrator of your tenant."
    aws_code = "AccessDenied"


class NotApprovable(Problem):
    code = "requests.not_approvable"
    status = 403
    title = "This call needs approval, and its body carries no digest an approval could be bound to"
    remedy = "Send it with a signed payload (in boto3: Config(s3={'payload_signing_enabled': True}))."
    aws_code = "AccessDenied"


class RangeOfMasked(Problem):
    code = "requests.range_of_masked"
    status = 403
    title = "A part of an object cannot be masked, since a secret may lie across its edge"
    remedy = "Read the whole object, or ask an administrator for a rule that clears it."
    aws_code = "AccessDenied"


class MaskTokenStored(Problem):
    code = "requests.mask_token_stored"
    status = 403
    title = "This call would store a masked value over a real one"
    remedy = (
        "A value that reads [REDACTED:...] was hidden from you and is unchanged at its source. Leave it out of what you"
        " write, or refer to it by its name or ARN; sending the call again will be refused again."
    )
    aws_code = "AccessDenied"


class DecoyUsed(Problem):
    code = "requests.decoy_used"
    status = 403
    title = "This call carries a decoy"
    remedy = (
        "A value in it stands in place of a secret that was hidden from you, opens nothing, and its use has been recorded."
        " Leave it out; sending the call again will be refused again."
    )
    aws_code = "AccessDenied"


class ParametersUnread(Problem):
    code = "requests.parameters_unread"
    status = 400
    title = "The body was taken for an object's, and the call may be another one, whose parameters nobody has read"
    remedy = "Send it with a current AWS SDK; if that is what you did, tell your operator that edge and control plane differ."
    aws_code = "InvalidRequest"


class ReferenceChanged(Problem):
    code = "requests.reference_changed"
    status = 403
    title = "What this call names has changed since people approved it, so it was not sent"
    remedy = "Run the same command again: people will be asked about what it names now."
    aws_code = "AccessDeniedException"


class IdReused(Problem):
    code = "requests.id_reused"
    status = 409
    title = "This admission id was used for another request"
    remedy = "An edge must give each request an id of its own."
    aws_code = "InternalFailure"


class NotExamined(Problem):
    code = "requests.not_examined"
    status = 500
    title = "The gateway could not examine this call, so it was not forwarded"
    remedy = "Tell your administrator the request id; the log of the control plane has the cause."


class AlreadyEnded(Problem):
    code = "requests.already_ended"
    status = 409
    title = "This request has ended already"
    remedy = "Send it again; the client's next attempt is a request of its own."
    aws_code = "RequestAborted"


class RefusedByPolicy(Problem):
    """Rendered from a Decision; the rule is named to administrators, never to the agent."""

    code = "policy.denied"
    status = 403
    title = "Policy refuses this call"
    aws_code = "AccessDenied"


class ApprovalRefused(Problem):
    code = "approval.refused"
    status = 403
    title = "The people asked have refused this call"
    aws_code = "AccessDenied"


class ApprovalLapsed(Problem):
    code = "approval.lapsed"
    status = 403
    title = "Nobody approved this call in time"
    remedy = "Run the same command again to ask anew."
    aws_code = "AccessDenied"


class ApprovalSpent(Problem):
    code = "approval.spent"
    status = 403
    title = "The approval was used by another identical call"
    remedy = "Run the same command again to ask anew."
    aws_code = "AccessDenied"


class ApprovalPending(Problem):
    code = "approval.pending"
    status = 403
    title = "This call waits for a second person's approval"
    remedy = "Run the same command again after approval."
    aws_code = "ApprovalPending"


class NamesUnread(Problem):
    """Known before the call leaves: its answer could only be withheld. The detail says what is wrong with the model."""

    code = "masking.names_unread"
    status = 403
    title = "Policy has people's names masked in this answer, and there is no model here that finds them; nothing was sent to AWS"
    remedy = "Ask whoever runs the gateway to set HOOPWEB_NAMES_MODEL, or your security team about the rule."
    aws_code = "AccessDenied"


class ResultWithheld(Problem):
    code = "masking.withheld"
    status = 403
    title = "The call did run, and its answer was withheld because it could not be masked"
    aws_code = "ResponseWithheld"


class RunFailed(Problem):
    code = "requests.run_failed"
    # No 5xx: SDKs repeat those by themselves, and whether to make this call again is for a person to say.
    status = 409
    title = "The approved call could not be run"
    remedy = "See the request's page in hoopweb for how it ended before asking again."
    aws_code = "ApprovedCallFailed"


class EdgeRefused(Problem):
    code = "edge.refused"
    status = 401
    title = "This edge is unknown, revoked, or did not sign this call with its key"
    remedy = "Enrol the edge with a fresh one-time token."


class KeyOfferRefused(Problem):
    code = "edge.key_offer_refused"
    status = 409
    title = "The offered key did not sign for this edge, or is in use already"
    remedy = "Make a fresh key pair and offer it again; the present key stays good."


class BootFenced(Problem):
    code = "edge.boot_fenced"
    status = 409
    title = "This life of the edge process was fenced"
    remedy = "Start the edge process again; it registers a new boot."


class EnrolmentRefused(Problem):
    code = "edge.enrolment_refused"
    status = 403
    title = "This enrolment token is unknown, used or expired"
    remedy = "Ask an administrator of the installation for a new token."


class MalformedMessage(Problem):
    code = "edge.malformed"
    status = 400
    title = "This is not a message of the admission contract"
    remedy = "Run the edge and the control plane from the same release."
