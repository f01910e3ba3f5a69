"""What can go wrong at the edge itself, each with a stable code and the AWS error code a client sees.

How a problem is written in a client's dialect is `gateway.wire.errors`; policy's refusals come ready from the control plane.
"""

from __future__ import annotations

from gateway.problems import Problem


class MalformedRequest(Problem):
    code = "edge.malformed_request"
    status = 400
    title = "The request is not well-formed HTTP/1.1"
    aws_code = "MalformedHttpRequest"


class TruncatedRequest(MalformedRequest):
    code = "edge.truncated_request"
    title = "The connection ended before the request did"
    aws_code = "IncompleteBody"


class VersionRefused(MalformedRequest):
    code = "edge.version_refused"
    status = 505
    title = "Only HTTP/1.1 is spoken here"


class UpgradeRefused(MalformedRequest):
    code = "edge.upgrade_refused"
    title = "Tunnels and protocol upgrades are not spoken here"


class PipeliningRefused(MalformedRequest):
    code = "edge.pipelining_refused"
    title = "A second request arrived before the first was answered"
    remedy = "Send one request at a time on a connection"


class TargetRefused(MalformedRequest):
    code = "edge.target_refused"
    title = "The request target must be a path of printable ASCII without a fragment"


class TargetTooLong(MalformedRequest):
    code = "edge.target_too_long"
    status = 414
    title = "The request target is too long"


class HeadTooLarge(MalformedRequest):
    code = "edge.head_too_large"
    status = 431
    title = "The request's headers are too large or too many"


class HeadTooSlow(MalformedRequest):
    code = "edge.head_too_slow"
    status = 408
    title = "The request's headers did not arrive in time"
    aws_code = "RequestTimeout"


class BodyTooSlow(Problem):
    code = "edge.body_too_slow"
    status = 408
    title = "The request's body stopped arriving"
    aws_code = "RequestTimeout"


class BodyTooLarge(Problem):
    code = "edge.body_too_large"
    status = 413
    title = "The request's parameters are larger than the gateway reads"
    remedy = "Parameters may be 16 MiB; send larger data as an object or a part upload"
    aws_code = "RequestEntityTooLarge"


class TooManyConnections(Problem):
    code = "edge.too_many_connections"
    status = 503
    title = "The edge has as many connections as it may hold"
    remedy = "Try again in a moment"
    aws_code = "SlowDown"


class BuffersFull(Problem):
    code = "edge.buffers_full"
    status = 503
    title = "The edge holds as many request bodies as it may"
    remedy = "Try again in a moment"
    aws_code = "SlowDown"


class NotReady(Problem):
    code = "edge.not_ready"
    status = 503
    title = "The edge is not admitting calls"
    remedy = "Try again in a moment; nothing was sent to AWS"
    aws_code = "ServiceUnavailable"


class ControlUnreachable(Problem):
    code = "edge.control_unreachable"
    status = 503
    title = "The gateway could not record and decide this call"
    remedy = "Try again in a moment; nothing was sent to AWS"
    aws_code = "ServiceUnavailable"


class JournalUnavailable(Problem):
    code = "edge.journal_unavailable"
    status = 503
    title = "The edge cannot write its journal, so it forwards nothing"
    remedy = "The operator must free disk space or repair it; nothing was sent to AWS"
    aws_code = "ServiceUnavailable"


class UpstreamUnreachable(Problem):
    code = "upstream.unreachable"
    status = 503
    title = "AWS could not be reached"
    remedy = "Try again in a moment; nothing was sent to AWS"
    aws_code = "ServiceUnavailable"


class UploadInterrupted(Problem):
    code = "upstream.upload_interrupted"
    status = 503
    title = "AWS closed the connection before the whole body was sent"
    remedy = "Try again in a moment; AWS did not get the whole call"
    aws_code = "ServiceUnavailable"


class OutcomeUnknown(Problem):
    """Not retryable on purpose: the call may have run, so only a person or the agent may repeat it."""

    code = "upstream.outcome_unknown"
    status = 409
    title = "The call was sent to AWS and no whole answer came back; it may have run"
    remedy = "Check its effect before sending it again"
    aws_code = "OutcomeUnknown"


class PayloadMismatch(Problem):
    code = "payload.digest_mismatch"
    status = 400
    title = "The body does not have the SHA-256 that the request was signed with"
    remedy = "The upload was cut before its last bytes left"
    aws_code = "XAmzContentSHA256Mismatch"


class MaskTokenStored(Problem):
    code = "requests.mask_token_stored"
    status = 403
    title = (
        "This upload would store a masked value over a real one; it was cut before it was whole, so nothing is stored"
    )
    remedy = (
        "A value that reads [REDACTED:...] was hidden from you and is unchanged at its source. Leave it out of what you"
        " write; sending the upload again will be refused again."
    )
    aws_code = "AccessDenied"


class DecoyUsed(Problem):
    code = "requests.decoy_used"
    status = 403
    title = "This upload holds a decoy; it was cut before it was whole, so nothing is stored"
    remedy = (
        "A value in it stands in place of a secret that was hidden from you, opens nothing, and its use has been recorded."
        " Leave it out of what you write; sending the upload again will be refused again."
    )
    aws_code = "AccessDenied"


class NamesUnread(Problem):
    """Known before the call leaves: its answer could only be withheld."""

    code = "masking.names_unread"
    status = 403
    title = "Policy has people's names masked in this answer, and this edge has no model that finds them; nothing was sent to AWS"
    remedy = "Ask whoever runs the gateway to set HOOPWEB_NAMES_MODEL, or your security team about the rule"
    aws_code = "AccessDenied"


class ResponseWithheld(Problem):
    """Not retryable on purpose: the call did run."""

    code = "masking.withheld"
    status = 403
    title = "The call ran at AWS, and its answer was withheld because it could not be masked"
    remedy = "Do not repeat the call for its effect; ask your security team about reading this answer"
    aws_code = "ResponseWithheld"


class ResponseHeldBack(ResponseWithheld):
    """Retryable on purpose by whoever reads it, not by an SDK: people are asked the second time."""

    title = "The call ran at AWS, and its answer was withheld because nobody here can read it"
    remedy = "Run the same command again: people will then be asked whether this answer may pass unread"


class RangeOutside(Problem):
    code = "edge.range_outside"
    status = 416
    title = "The requested range is not satisfiable"
    aws_code = "InvalidRange"


class ClientGone(Exception):
    """The client's connection is closed; there is nobody to answer."""
