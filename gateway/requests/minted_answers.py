"""Answers that carry gateway keys, in the shape AWS gives them, and the same without what must not be kept. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import escape

from gateway.identity.keys import IssuedGatewayKey
from gateway.wire.aws.redaction import redacted
from gateway.wire.contract import Answer, SensitivityClass

_STS = "https://sts.amazonaws.com/doc/2011-06-15/"
_S3 = "http://s3.amazonaws.com/doc/2006-03-01/"
_S3_CREDENTIALS = ("SessionToken", "SecretAccessKey", "AccessKeyId", "Expiration")
_STS_CREDENTIALS = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """What an answer says: the keys, their end, and the further members of its result by name (nested by `/`)."""

    operation: str
    keys: IssuedGatewayKey
    expires_at: datetime
    further: Sequence[tuple[str, str]] = ()


def answer_of(minted: Minted, *, request_id: str) -> Answer:
    """The whole answer, as the client's SDK reads it."""
    return _answer(minted, minted.keys, request_id)


def recorded(minted: Minted, *, request_id: str) -> bytes:
    """The body as it may be kept: secret and token replaced."""
    mark = redacted(SensitivityClass.BEARER)
    kept = IssuedGatewayKey(access_key_id=minted.keys.access_key_id, plaintext_secret=mark, plaintext_token=mark)
    return _answer(minted, kept, request_id).body


def _answer(minted: Minted, keys: IssuedGatewayKey, request_id: str) -> Answer:
    is_s3 = minted.operation == "CreateSession"
    values = {
        "AccessKeyId": keys.access_key_id,
        "SecretAccessKey": keys.plaintext_secret,
        "SessionToken": keys.plaintext_token,
        "Expiration": f"{minted.expires_at:%Y-%m-%dT%H:%M:%SZ}",
    }
    names = _S3_CREDENTIALS if is_s3 else _STS_CREDENTIALS
    credentials = "".join(f"<{name}>{escape(values[name])}</{name}>" for name in names)
    inner = f"<Credentials>{credentials}</Credentials>{_further(minted.further)}"
    body = _in_s3(inner) if is_s3 else _in_sts(minted.operation, inner, request_id)
    kind = "application/xml" if is_s3 else "text/xml"
    header = "x-amz-request-id" if is_s3 else "x-amzn-RequestId"
    return Answer(status=200, headers=(("Content-Type", kind), (header, request_id)), body=body.encode())


def _further(members: Sequence[tuple[str, str]]) -> str:
    """Members in order; `A/B` is B within A, and neighbours within A share it."""
    written, home = "", ""
    for path, value in members:
        above, _, name = path.rpartition("/")
        if above != home:
            written += (f"</{home}>" if home else "") + (f"<{above}>" if above else "")
            home = above
        written += f"<{name}>{escape(value)}</{name}>"
    return written + (f"</{home}>" if home else "")


def _in_sts(operation: str, inner: str, request_id: str) -> str:
    result = f"<{operation}Result>{inner}</{operation}Result>"
    metadata = f"<ResponseMetadata><RequestId>{escape(request_id)}</RequestId></ResponseMetadata>"
    return f'<{operation}Response xmlns="{_STS}">{result}{metadata}</{operation}Response>'


def _in_s3(inner: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<CreateSessionResult xmlns="{_S3}">{inner}</CreateSessionResult>'
