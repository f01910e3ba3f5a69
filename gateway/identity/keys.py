"""The written form of keys. Pure: the tenant is read from the key's own text, the rest is compared in constant time.

An API key is `hwk_<tenant><key>_<secret>`; an access key id is `HWIA<tenant><key>`: ids in base32, lower or upper case.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from uuid import UUID

_ID_CHARS = 26
_API_KEY = re.compile(r"^hwk_([a-z2-7]{26})([a-z2-7]{26})_([A-Za-z0-9_-]{43})$")
_ACCESS_KEY = re.compile(r"^HWIA([A-Z2-7]{26})([A-Z2-7]{26})$")
Random = Callable[[int], bytes]


def _encode(value: UUID) -> str:
    return base64.b32encode(value.bytes).decode().rstrip("=")


def _decode(text: str) -> UUID | None:
    try:
        return UUID(bytes=base64.b32decode(text.upper() + "======"))
    except ValueError:
        return None


def _secret(random: Random, size: int) -> str:
    return base64.urlsafe_b64encode(random(size)).decode().rstrip("=")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyName:
    """What a key says of itself: its tenant and its row. Worth nothing until the secret is checked."""

    tenant_id: UUID
    key_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedApiKey:
    plaintext_key: str
    digest: bytes


def api_key_prefix(*, tenant_id: UUID, key_id: UUID) -> str:
    """What stands before an API key's secret: the names of its tenant and row."""
    return f"hwk_{_encode(tenant_id).lower()}{_encode(key_id).lower()}"


def issue_api_key(*, tenant_id: UUID, key_id: UUID, random: Random) -> IssuedApiKey:
    """Make an API key of 256 random bits and the digest to keep."""
    secret = _secret(random, 32)
    text = f"{api_key_prefix(tenant_id=tenant_id, key_id=key_id)}_{secret}"
    return IssuedApiKey(plaintext_key=text, digest=digest(text))


def digest(plaintext: str) -> bytes:
    """SHA-256: right for random keys, where a slow password hash would only slow every call."""
    return hashlib.sha256(plaintext.encode()).digest()


def matches(plaintext: str, kept_digest: bytes | memoryview) -> bool:
    return hmac.compare_digest(digest(plaintext), bytes(kept_digest))


def _named(match: re.Match[str] | None) -> KeyName | None:
    if match is None:
        return None
    tenant_id, key_id = _decode(match.group(1)), _decode(match.group(2))
    return KeyName(tenant_id=tenant_id, key_id=key_id) if tenant_id and key_id else None


def read_api_key(text: str) -> KeyName | None:
    """Return what a well-formed API key names, or None."""
    return _named(_API_KEY.match(text))


@lru_cache(maxsize=4096)
def read_access_key_id(text: str) -> KeyName | None:
    """Return what a well-formed gateway access key id names, or None."""
    return _named(_ACCESS_KEY.match(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedGatewayKey:
    access_key_id: str
    plaintext_secret: str = field(repr=False)
    plaintext_token: str = field(repr=False)


def issue_derived_key(*, tenant_id: UUID, key_id: UUID, random: Random) -> IssuedGatewayKey:
    """Make AWS-shaped keys whose token follows from the secret: the answer that carries them can be given again."""
    return derived_key(access_key_id=access_key_id(tenant_id=tenant_id, key_id=key_id), secret=_secret(random, 30))


def derived_key(*, access_key_id: str, secret: str) -> IssuedGatewayKey:
    """The whole of a derived key, from the half that is kept. The token tells nothing of the secret."""
    mac = hmac.new(secret.encode(), b"hoopweb session token", hashlib.sha256).digest()
    token = base64.urlsafe_b64encode(mac).decode().rstrip("=")
    return IssuedGatewayKey(access_key_id=access_key_id, plaintext_secret=secret, plaintext_token=token)


def access_key_id(*, tenant_id: UUID, key_id: UUID) -> str:
    """How a gateway key is named: its tenant and row."""
    return f"HWIA{_encode(tenant_id)}{_encode(key_id)}"


def issue_gateway_key(*, tenant_id: UUID, key_id: UUID, random: Random) -> IssuedGatewayKey:
    """Make AWS-shaped keys: an id that names tenant and row, a 240-bit secret, a 256-bit session token."""
    return IssuedGatewayKey(
        access_key_id=access_key_id(tenant_id=tenant_id, key_id=key_id),
        plaintext_secret=_secret(random, 30),
        plaintext_token=_secret(random, 32),
    )
