"""Signature Version 4: read the claim a request makes, verify it with the secret we issued, sign afresh for AWS.

Whose key it is belongs to `gateway.identity`; holding a streamed body to its digest belongs to the edge.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from gateway.wire.canonical import (
    ALGORITHM,
    S3_FAMILY,
    canonical_headers,
    canonical_paths,
    canonical_query,
    signature_of,
    signing_key,
    stamp_of,
)
from gateway.wire.problems import (
    AmbiguousProtocol,
    AnonymousPost,
    BearerToken,
    BodyHashMismatch,
    BodyHashNeeded,
    EventStreamRequest,
    IncompleteSignature,
    MissingAuthentication,
    RequestExpired,
    SignatureDoesNotMatch,
    SignatureVersion2,
    SignatureVersion4A,
    UnsignedHeader,
)
from gateway.wire.request import PRESIGN_NAMES, WireRequest, decode_component

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
# AWS's own tolerance is five minutes for most services; S3's fifteen would only widen the replay window.
SKEW = timedelta(seconds=300)
LONGEST_PRESIGN_SECONDS = 7 * 24 * 3600

_SCOPE = r"(?P<key>[\w.:=@-]{1,256})/(?P<date>\d{8})/(?P<region>[a-z0-9-]{1,64})/(?P<service>[A-Za-z0-9-]{1,64})"
_CREDENTIAL = re.compile(_SCOPE + r"/aws4_request\Z", re.ASCII)
_AUTHORIZATION = re.compile(
    ALGORITHM + r" +Credential=(?P<credential>[^\s,]+), *SignedHeaders=(?P<signed>[a-z0-9;._-]+), *"
    r"Signature=(?P<signature>[0-9a-f]{64})\Z",
    re.ASCII,
)
_SIGNED_HEADERS = re.compile(r"[a-z0-9._-]+(;[a-z0-9._-]+)*\Z", re.ASCII)
_HEX64 = re.compile(r"[0-9a-f]{64}\Z")
_TIMESTAMP = re.compile(r"\d{8}T\d{6}Z\Z", re.ASCII)


class PayloadMode(StrEnum):
    """What the signature says of the body; the names after the first two are AWS's own literals."""

    IMPLICIT = "implicit"
    HASHED = "hashed"
    UNSIGNED = UNSIGNED_PAYLOAD
    STREAMING_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    STREAMING_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    STREAMING_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"


# Each chunk has a signature of its own, made with the client's key (see `aws_chunked`).
STREAMING_SIGNED = frozenset((PayloadMode.STREAMING_SIGNED, PayloadMode.STREAMING_SIGNED_TRAILER))


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a request says of itself, not yet believed. `date` is the signed timestamp, UTC.

    `payload_sha256` is the signed digest (mode HASHED only); `expires_seconds` is set for presigned requests.
    """

    access_key_id: str
    date: datetime
    region: str
    service: str
    signed_headers: tuple[str, ...]
    payload_mode: PayloadMode
    payload_sha256: str | None = None
    is_presigned: bool = False
    expires_seconds: int | None = None
    signature: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


# --- reading the claim


def claim_of(request: WireRequest) -> Claim:
    """Read the signature a request carries; raises a SignatureProblem that says what to do where there is none."""
    authorization = request.header("authorization")
    is_presigned = bool(request.presign)
    _refuse_other_schemes(request, authorization)
    if authorization is not None and is_presigned:
        raise AmbiguousProtocol("It carries an Authorization header and presign parameters")
    if authorization is not None:
        return _claim_of_header(request, authorization)
    if is_presigned:
        return _claim_of_query(request)
    raise MissingAuthentication


def _refuse_other_schemes(request: WireRequest, authorization: str | None) -> None:
    names = {name.lower() for name, _ in request.query}
    scheme = (authorization or "").partition(" ")[0]
    algorithm = request.presign.get("x-amz-algorithm", "")
    if scheme.startswith("AWS4-ECDSA") or algorithm.startswith("AWS4-ECDSA") or "x-amz-region-set" in names:
        raise SignatureVersion4A
    if scheme in ("AWS", "AWS3-HTTPS", "AWS3") or {"awsaccesskeyid", "signature"} <= names:
        raise SignatureVersion2
    if scheme.lower() == "bearer":
        raise BearerToken
    content_type = (request.header("content-type") or "").lower()
    if authorization is None and content_type.startswith("multipart/form-data"):
        raise AnonymousPost
    is_form = authorization is None and content_type.startswith("application/x-www-form-urlencoded")
    if is_form and b"AWSAccessKeyId=" in request.body[:4096]:
        raise SignatureVersion2


def _claim_of_header(request: WireRequest, authorization: str) -> Claim:
    match = _AUTHORIZATION.match(authorization)
    if match is None:
        raise IncompleteSignature("The Authorization header is not a Signature Version 4 header")
    scope = _scope_of(match["credential"])
    mode, digest = _payload_of(request.header("x-amz-content-sha256"), scope["service"])
    return Claim(
        access_key_id=scope["key"],
        date=_date_of(request.header("x-amz-date"), scope["date"]),
        region=scope["region"],
        service=scope["service"],
        signed_headers=_signed_headers_of(match["signed"]),
        signature=match["signature"],
        payload_mode=mode,
        payload_sha256=digest,
        # S3 Express has a header of its own for the token of a bucket's session.
        session_token=request.header("x-amz-security-token") or request.header("x-amz-s3session-token"),
    )


def _claim_of_query(request: WireRequest) -> Claim:
    presign = request.presign
    signature = presign.get("x-amz-signature", "")
    if presign.get("x-amz-algorithm") != ALGORITHM or not _HEX64.match(signature):
        raise IncompleteSignature("The presign parameters are not whole")
    scope = _scope_of(presign.get("x-amz-credential", ""))
    is_s3 = scope["service"] in S3_FAMILY
    header = request.header("x-amz-content-sha256") or presign.get("x-amz-content-sha256")
    mode, digest = _payload_of(header or (UNSIGNED_PAYLOAD if is_s3 else None), scope["service"])
    return Claim(
        access_key_id=scope["key"],
        date=_date_of(presign.get("x-amz-date"), scope["date"]),
        region=scope["region"],
        service=scope["service"],
        signed_headers=_signed_headers_of(presign.get("x-amz-signedheaders", "")),
        signature=signature,
        payload_mode=mode,
        payload_sha256=digest,
        is_presigned=True,
        expires_seconds=_expiry_of(presign.get("x-amz-expires", "")),
        session_token=presign.get("x-amz-security-token"),
    )


def _scope_of(credential: str) -> re.Match[str]:
    match = _CREDENTIAL.match(credential)
    if match is None:
        raise IncompleteSignature("The credential is not key/date/region/service/aws4_request")
    return match


def _date_of(timestamp: str | None, scope_date: str) -> datetime:
    if timestamp is None or not _TIMESTAMP.match(timestamp):
        raise IncompleteSignature("There is no X-Amz-Date of the form YYYYMMDDTHHMMSSZ")
    if timestamp[:8] != scope_date:
        raise IncompleteSignature("The date in the credential is not the day of X-Amz-Date")
    try:
        # By hand: strptime takes as long as the whole rest of reading a claim.
        day, clock = timestamp[:8], timestamp[9:]
        year, month, date = int(day[:4]), int(day[4:6]), int(day[6:])
        return datetime(year, month, date, int(clock[:2]), int(clock[2:4]), int(clock[4:6]), tzinfo=UTC)
    except ValueError as error:
        raise IncompleteSignature("X-Amz-Date is not a date") from error


def _expiry_of(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 6 and 0 < int(value) <= LONGEST_PRESIGN_SECONDS):
        raise IncompleteSignature("X-Amz-Expires is not a number of seconds up to seven days")
    return int(value)


def _signed_headers_of(value: str) -> tuple[str, ...]:
    names = tuple(value.split(";"))
    if not _SIGNED_HEADERS.match(value) or list(names) != sorted(set(names)):
        raise IncompleteSignature("SignedHeaders is not a sorted list of lower-case names without repeats")
    return names


def _payload_of(value: str | None, service: str) -> tuple[PayloadMode, str | None]:
    if value is None:
        return PayloadMode.IMPLICIT, None
    if _HEX64.match(value):
        return PayloadMode.HASHED, value
    if value.startswith("STREAMING-AWS4-ECDSA"):
        raise SignatureVersion4A
    if value == "STREAMING-AWS4-HMAC-SHA256-EVENTS":
        raise EventStreamRequest
    if value.startswith("STREAMING-") and service not in S3_FAMILY:
        raise IncompleteSignature("Only S3 takes a body in signed or unsigned chunks")
    try:
        mode = PayloadMode(value)
    except ValueError as error:
        raise IncompleteSignature("x-amz-content-sha256 is neither a digest nor a mode AWS defines") from error
    if mode in (PayloadMode.IMPLICIT, PayloadMode.HASHED):
        raise IncompleteSignature("x-amz-content-sha256 is neither a digest nor a mode AWS defines")
    return mode, None


# --- verifying


def verify(request: WireRequest, claim: Claim, secret: str, *, now: datetime, body_sha256: str | None) -> None:
    """Return when `secret` made this signature over this request, and raise a SignatureProblem otherwise.

    `body_sha256` is the lower-case hex digest of the body as received, or None while it still streams: then
    a HASHED body is taken at its word, and whoever streams it must hold it to `claim.payload_sha256`.
    """
    _check_date(claim, now)
    _check_coverage(request, claim)
    payload = _payload_line(claim, body_sha256)
    stamp = stamp_of(claim.date)
    key = signing_key(secret, stamp[:8], claim.region, claim.service)
    headers = canonical_headers(request, claim.signed_headers)
    query = canonical_query(request)
    for path in canonical_paths(request.path, claim.service):
        canonical = "\n".join((request.method, path, query, *headers, "", ";".join(claim.signed_headers), payload))
        expected = signature_of(key, canonical, stamp, claim.region, claim.service)
        if hmac.compare_digest(expected, claim.signature):
            return
    raise SignatureDoesNotMatch


def _check_date(claim: Claim, now: datetime) -> None:
    latest = claim.date + (timedelta(seconds=claim.expires_seconds) if claim.expires_seconds is not None else SKEW)
    if not claim.date - SKEW <= now <= latest:
        raise RequestExpired


def _check_coverage(request: WireRequest, claim: Claim) -> None:
    """An unsigned x-amz-* header could be changed or added by anyone; an unsigned host sent elsewhere."""
    signed = set(claim.signed_headers)
    if "host" not in signed:
        raise UnsignedHeader("host")
    for name in request.header_values:
        if name.startswith("x-amz-") and name not in signed:
            raise UnsignedHeader(name)


def _payload_line(claim: Claim, body_sha256: str | None) -> str:
    match claim.payload_mode:
        case PayloadMode.IMPLICIT:
            if body_sha256 is None:
                raise BodyHashNeeded
            return body_sha256
        case PayloadMode.HASHED:
            digest = claim.payload_sha256 or ""
            if body_sha256 is not None and not hmac.compare_digest(digest, body_sha256):
                raise BodyHashMismatch
            return digest
        case mode:
            return mode.value


# --- signing afresh

_HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
    )
)
_REPLACED = frozenset(
    (
        "authorization",
        "x-amz-date",
        "date",
        "x-amz-security-token",
        "x-amz-s3session-token",
        "x-amz-content-sha256",
        "host",
        "expect",
        "accept-encoding",
    )
)
_SIGNED_BESIDE_AMZ = frozenset(("host", "content-type", "content-md5"))


def forwardable_headers(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The client's headers that may travel on, names lower-cased, with `accept-encoding: identity` at the end.

    Dropped: everything the new signature replaces, hop-by-hop headers and those named by Connection,
    Content-Length (the sender of the body sets it), and Expect (the gateway answers it itself).
    """
    received = [(name.lower(), value) for name, value in headers]
    named = {token.strip().lower() for name, value in received if name == "connection" for token in value.split(",")}
    dropped = _HOP_BY_HOP | _REPLACED | named
    kept = tuple((name, value) for name, value in received if name not in dropped)
    # A compressed answer could not be masked.
    return (*kept, ("accept-encoding", "identity"))


def without_presign(request: WireRequest) -> WireRequest:
    """The same request as a header-signed client would send it, for parsing and forwarding.

    Presign parameters leave the query; what a presigner hoisted into it (`x-amz-acl`, ...) becomes a header
    again. Raises AmbiguousProtocol when a hoisted header also came as one. Other requests come back unchanged.
    """
    if not request.presign:
        return request
    kept: list[str] = []
    hoisted: list[tuple[str, str]] = []
    for part in request.raw_query.split("&"):
        name, _, value = part.partition("=")
        lowered = decode_component(name).lower()
        if lowered in PRESIGN_NAMES:
            continue
        if not lowered.startswith("x-amz-"):
            kept.append(part)
        elif lowered in request.header_values:
            raise AmbiguousProtocol(f"{lowered} stands in the query and in a header")
        else:
            hoisted.append((lowered, decode_component(value)))
    target = "?".join(filter(None, (request.path, "&".join(filter(None, kept)))))
    return WireRequest(method=request.method, target=target, headers=(*request.headers, *hoisted), body=request.body)


def sign(
    *,
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]],
    payload_hash: str,
    access_key_id: str,
    secret: str,
    session_token: str | None,
    region: str,
    service: str,
    now: datetime,
) -> tuple[tuple[str, str], ...]:
    """Sign a request for AWS: the given headers (`host` among them) plus date, token, digest and authorization.

    `payload_hash` is a hex digest or one of AWS's payload literals. Raises ValueError without exactly one host.
    """
    stamp = stamp_of(now.astimezone(UTC))
    added = [("x-amz-date", stamp), ("x-amz-content-sha256", payload_hash)]
    if session_token:
        added.append(("x-amz-security-token", session_token))
    whole = (*((name.lower(), value) for name, value in headers), *added)
    if sum(name == "host" for name, _ in whole) != 1:
        raise ValueError("a request is signed for exactly one host")
    request = WireRequest(method=method, target=target, headers=whole)
    signed = tuple(sorted({name for name, _ in whole if name.startswith("x-amz-") or name in _SIGNED_BESIDE_AMZ}))
    # AWS re-encodes an S3 path itself, so the last canonical form is the one that it will compute.
    path = canonical_paths(request.path, service)[-1]
    lines = canonical_headers(request, signed)
    canonical = "\n".join((method, path, canonical_query(request), *lines, "", ";".join(signed), payload_hash))
    key = signing_key(secret, stamp[:8], region, service)
    signature = signature_of(key, canonical, stamp, region, service)
    scope = f"{access_key_id}/{stamp[:8]}/{region}/{service}/aws4_request"
    authorization = f"{ALGORITHM} Credential={scope}, SignedHeaders={';'.join(signed)}, Signature={signature}"
    return (*whole, ("authorization", authorization))
