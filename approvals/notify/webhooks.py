"""A notice as a signed HTTP request, after the Standard Webhooks specification (standardwebhooks.com). Pure.

`webhook-id` is the same however often one notice is sent, `webhook-timestamp` is of the attempt, and the signature is
HMAC-SHA256 over `id.timestamp.body`. Sending is `delivery`.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256

SECRET_BYTES = 32
_PREFIX = "whsec_"


def shown(secret: bytes) -> str:
    """A secret as its receiver is given it, and as the libraries of the specification take it."""
    return _PREFIX + base64.b64encode(secret).decode()


def headers(*, message_id: str, at: datetime, body: bytes, secrets: Iterable[bytes]) -> Mapping[str, str]:
    """What goes with a body; one signature a secret, the newest first."""
    timestamp = str(int(at.timestamp()))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    signatures = [f"v1,{base64.b64encode(hmac.digest(one, signed, sha256)).decode()}" for one in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "hoopweb",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }
