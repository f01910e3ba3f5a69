"""What can be wrong with bytes from a client, each with one stable code and a sentence that says what to do.

Refusals by policy are Decisions, not problems; rendering in the client's protocol is `gateway.wire.errors`.
"""

from __future__ import annotations

from gateway.problems import Problem


class WireProblem(Problem):
    """Base of everything this room raises about a request."""

    code = "wire.malformed"
    status = 400
    title = "The request could not be read"
    remedy = "Send it with a current AWS SDK or CLI."
    aws_code = "InvalidRequest"


class TablesMissing(Problem):
    code = "wire.tables_missing"
    status = 500
    title = "The compiled AWS tables are absent or stale"
    remedy = "Run `python -m gateway.wire.tables_compiler gateway/wire/tables` and start again."
    aws_code = "InternalFailure"


# --- the request as such


class RepeatedHeader(WireProblem):
    code = "wire.repeated_header"
    title = "A header that may appear once was sent twice"
    remedy = "Send each of these headers once; two readers could take different ones."


class MalformedHeader(WireProblem):
    code = "wire.malformed_header"
    title = "A header holds a character that no header may hold"
    remedy = "Send header names as tokens and values without control characters."


class OddEncoding(WireProblem):
    code = "wire.odd_encoding"
    title = "The request target is encoded in a way that two servers could read differently"
    remedy = "Encode as AWS SDKs do: unreserved characters plain, a space as %20, no dot segments."


class MisplacedHost(WireProblem):
    code = "wire.misplaced_host"
    title = "The request's Host and its parameters do not fit together"
    remedy = "Use a bucket name or the operation's own prefix before the gateway's name, or the gateway's name alone."


class AmbiguousProtocol(WireProblem):
    code = "wire.ambiguous_protocol"
    title = "The request speaks more than one AWS protocol at once"
    remedy = "Name the operation in one place only."


class RepeatedParameter(WireProblem):
    code = "wire.repeated_parameter"
    title = "A parameter was given more than once"
    remedy = "Give each parameter once, either in the query string or in the form."
    aws_code = "InvalidParameterCombination"


class DuplicateKey(WireProblem):
    code = "wire.duplicate_key"
    title = "A key appears twice in one object of the body"
    remedy = "Remove the duplicate; two readers could take different values."
    aws_code = "SerializationException"


class MalformedBody(WireProblem):
    code = "wire.malformed_body"
    title = "The body cannot be read in the protocol it claims"
    remedy = "Send it with a current AWS SDK or CLI."
    aws_code = "SerializationException"


class UnreadableParameter(WireProblem):
    code = "wire.unreadable_parameter"
    title = "A parameter does not have the type its operation declares"
    remedy = "Correct the parameter named here."
    aws_code = "SerializationException"


class BodyTooLarge(WireProblem):
    code = "wire.body_too_large"
    status = 413
    title = "The parameters are larger than any AWS operation accepts"
    remedy = "Send large data as an S3 object instead."
    aws_code = "RequestEntityTooLarge"


class UnknownOperation(WireProblem):
    code = "wire.unknown_operation"
    status = 403
    title = "No operation known to this gateway matches the request"
    remedy = "Check the service and path; if the operation is new, ask your administrator to update the gateway."
    aws_code = "UnknownOperationException"


class UnknownService(WireProblem):
    code = "wire.unknown_service"
    status = 403
    title = "The service the request is signed for is not known to this gateway"
    remedy = "Check the client's service; if it is new, ask your administrator to update the gateway."
    aws_code = "UnknownOperationException"


# --- the signature


class SignatureProblem(WireProblem):
    """Base of what is wrong with a signature; always 403 unless the request is malformed."""

    code = "wire.signature"
    status = 403
    aws_code = "SignatureDoesNotMatch"


class MissingAuthentication(SignatureProblem):
    code = "wire.unsigned"
    title = "The request is not signed"
    remedy = "Give the client the gateway's access key; unsigned AWS operations do not pass the gateway."
    aws_code = "MissingAuthenticationToken"


class IncompleteSignature(SignatureProblem):
    code = "wire.incomplete_signature"
    status = 400
    title = "The signature cannot be read"
    remedy = "Sign with Signature Version 4 as a current AWS SDK does."
    aws_code = "IncompleteSignature"


class SignatureVersion2(SignatureProblem):
    code = "wire.signature_v2"
    status = 400
    title = "The request is signed with Signature Version 2"
    remedy = (
        "Use Signature Version 4: for boto3 presigned URLs set Config(signature_version='s3v4'), "
        "for `aws s3 presign` run `aws configure set default.s3.signature_version s3v4` once."
    )
    aws_code = "InvalidRequest"


class SignatureVersion4A(SignatureProblem):
    code = "wire.signature_v4a"
    status = 400
    title = "The request is signed with Signature Version 4A"
    remedy = "Use a regional endpoint and Signature Version 4: set AWS_SIGV4A_SIGNING_REGION_SET to nothing."
    aws_code = "InvalidRequest"


class BearerToken(SignatureProblem):
    code = "wire.bearer_token"
    status = 400
    title = "The request carries a bearer token instead of a signature"
    remedy = "Remove the token (for instance AWS_BEARER_TOKEN_BEDROCK) and use the gateway's access key."
    aws_code = "InvalidRequest"


class EventStreamRequest(SignatureProblem):
    code = "wire.event_stream_request"
    status = 400
    title = "The request opens a two-way event stream, which needs HTTP/2"
    remedy = "Use the service's one-way operation, for instance StartTranscriptionJob or InvokeModelWithResponseStream."
    aws_code = "InvalidRequest"


class AnonymousPost(SignatureProblem):
    code = "wire.form_upload"
    status = 400
    title = "Browser form uploads do not pass the gateway"
    remedy = "Upload with PutObject or a presigned PUT URL."
    aws_code = "InvalidRequest"


class UnsignedHeader(SignatureProblem):
    code = "wire.unsigned_header"
    title = "A header that changes the meaning of the request is not covered by its signature"
    remedy = "Sign host and every x-amz-* header."


class SignatureDoesNotMatch(SignatureProblem):
    code = "wire.signature_mismatch"
    title = "The signature does not match the request"
    remedy = "Check the secret key, and that no proxy between client and gateway changes the request."


class BodyHashMismatch(SignatureProblem):
    code = "wire.body_hash_mismatch"
    status = 400
    title = "The body does not have the digest that was signed"
    remedy = "Check that no proxy between client and gateway changes the body."
    aws_code = "XAmzContentSHA256Mismatch"


class TruncatedBody(SignatureProblem):
    code = "wire.truncated_body"
    status = 400
    title = "The body ended before its last signature"
    remedy = "Send the request again."
    aws_code = "IncompleteBody"


class BodyHashNeeded(SignatureProblem):
    code = "wire.body_hash_needed"
    status = 400
    title = "The signature covers the body, and its digest is not known"
    remedy = "Send x-amz-content-sha256, or a body small enough to be read before it is forwarded."
    aws_code = "InvalidRequest"


class RequestReplayed(SignatureProblem):
    code = "wire.request_replayed"
    title = "A request that changes something came a second time with the same signature"
    remedy = "Sign each request anew, as every AWS SDK does; a signature is good for one change."
    aws_code = "InvalidSignatureException"


class RequestExpired(SignatureProblem):
    code = "wire.request_expired"
    title = "The request's date is too far from now"
    remedy = "Set the client's clock; the gateway accepts five minutes of difference."
    aws_code = "RequestExpired"
