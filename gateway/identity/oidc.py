"""OpenID Connect, hardened: every claim the standard names is required and compared, every call bounded and pinned.

Which provider a tenant has is `providers`; who the person becomes here is `arrivals`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus, urlencode

import jwt
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.utils import generate_code_challenge

from gateway.identity.door_problems import SignOnRefused
from gateway.identity.proof import UNTOLD
from gateway.problems import Problem
from gateway.tenants.egress import Answer, fetch

# Asymmetric ones only: with HS256 whoever can check a token can also make one.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
REQUIRED_CLAIMS = ["iss", "aud", "sub", "exp", "iat", "nonce"]
# Clocks of two well-kept machines differ by less.
LEEWAY_SECONDS = 30
LONGEST_TOKEN = 32 * 1024
# A code is spent within moments of the sign-in; an older token was kept by somebody.
OLDEST_TOKEN_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One tenant's provider as a flow needs it."""

    issuer: str
    client_id: str
    plaintext_client_secret: str = field(repr=False)
    algorithm: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    end_session_endpoint: str
    posts_secret: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One attempt: what the browser carries out, and what must come back to this browser alone."""

    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect_uri: str
    # Asked for a fresh proof: the provider must say it happened no longer ago than this.
    max_age_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """What a provider said of a person, all of it verified. `id_token` is kept for its sign-out."""

    claims: Mapping[str, Any] = field(repr=False)
    id_token: str = field(repr=False)

    @property
    def subject(self) -> str:
        return str(self.claims["sub"])


def authorization_url(provider: Provider, flow: Flow, *, scope: str = "openid profile email") -> str:
    """Where to send the browser."""
    query = {
        "response_type": "code",
        "scope": scope,
        "client_id": provider.client_id,
        "redirect_uri": flow.redirect_uri,
        "state": flow.state,
        "nonce": flow.nonce,
        "code_challenge": generate_code_challenge(flow.verifier, "S256"),
        "code_challenge_method": "S256",
    }
    if flow.max_age_seconds is not None:
        query |= {"max_age": str(flow.max_age_seconds), "prompt": "login"}
    return _with_query(provider.authorization_endpoint, query)


def sign_out_url(provider: Provider, *, id_token: str, back_to: str) -> str | None:
    """Where the browser ends the provider's own session (RP-initiated logout), or None where it offers no such place."""
    if not provider.end_session_endpoint:
        return None
    query = {"id_token_hint": id_token, "client_id": provider.client_id, "post_logout_redirect_uri": back_to}
    return _with_query(provider.end_session_endpoint, query)


def _with_query(url: str, query: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"


def identify(provider: Provider, flow: Flow, *, code: str, now: datetime) -> Identified:
    """Exchange a code and verify all it brings; raises SignOnRefused with the check that failed."""
    return HardenedBackend(provider).identify(flow, code, now)


class HardenedBackend(OIDCAuthenticationBackend):  # type: ignore[misc]  # the library has no types
    """mozilla-django-oidc's backend for one provider. It checks neither `iss` nor `aud`, and waits for ever: this does.

    It is made for each flow from the tenant's provider, and stands in no AUTHENTICATION_BACKENDS: accounts are found
    by (provider, subject) in `arrivals`, never by e-mail.
    """

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        super().__init__()

    def get_settings(self, attr: str, *args: Any) -> Any:
        ours = {
            "OIDC_OP_TOKEN_ENDPOINT": self._provider.token_endpoint,
            "OIDC_OP_USER_ENDPOINT": self._provider.userinfo_endpoint,
            "OIDC_OP_JWKS_ENDPOINT": self._provider.jwks_uri,
            "OIDC_RP_CLIENT_ID": self._provider.client_id,
            "OIDC_RP_CLIENT_SECRET": self._provider.plaintext_client_secret,
            "OIDC_RP_SIGN_ALGO": self._provider.algorithm,
        }
        # The installation's settings have no say: a default of the library is all there is besides ours.
        return ours[attr] if attr in ours else (args[0] if args else None)

    def identify(self, flow: Flow, code: str, now: datetime) -> Identified:
        tokens = self.get_token(self._token_request(flow, code))
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str) or len(id_token) > LONGEST_TOKEN:
            raise SignOnRefused("The provider's answer holds no tokens")
        claims = self.verify_token(id_token, nonce=flow.nonce, access_token=access_token)
        _must_be_fresh(claims, flow.max_age_seconds, now)
        info = self.get_userinfo(access_token, id_token, claims)
        # What the token says wins: userinfo is not signed.
        return Identified(claims={**info, "auth_time": None, **claims}, id_token=id_token)

    def _token_request(self, flow: Flow, code: str) -> dict[str, str]:
        return {
            "grant_type": "authorization_code",
            "client_id": self._provider.client_id,
            "code": code,
            "redirect_uri": flow.redirect_uri,
            "code_verifier": flow.verifier,
        }

    def get_token(self, payload: Mapping[str, str]) -> dict[str, Any]:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        body = dict(payload)
        if self._provider.posts_secret:
            body["client_secret"] = self._provider.plaintext_client_secret
        else:
            headers["Authorization"] = _basic(self._provider.client_id, self._provider.plaintext_client_secret)
        answer = _ask(self._provider.token_endpoint, method="POST", headers=headers, body=urlencode(body).encode())
        return _document(answer, "token endpoint")

    def retrieve_matching_jwk(self, token: str) -> jwt.PyJWK:
        keys = _document(_ask(self._provider.jwks_uri), "key set").get("keys")
        return matching_key(keys, _header(token), self._provider.algorithm)

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        """Return the claims of an ID token that is for us, from the provider, of this attempt, and of now."""
        header = _header(token)
        if header.get("alg") != self._provider.algorithm:
            raise SignOnRefused("The token is not signed with the algorithm agreed on")
        claims = self._verify_jws(token, self.retrieve_matching_jwk(token))
        _must_be_for(claims, self._provider.client_id)
        if not hmac.compare_digest(str(claims["nonce"]).encode(), str(kwargs["nonce"]).encode()):
            raise SignOnRefused("The nonce is of another attempt")
        _must_match_access_token(claims, kwargs["access_token"], self._provider.algorithm)
        return claims

    def _verify_jws(self, payload: str, key: jwt.PyJWK) -> dict[str, Any]:
        return verified(
            payload,
            key=key,
            algorithm=self._provider.algorithm,
            issuer=self._provider.issuer,
            audience=self._provider.client_id,
            required=REQUIRED_CLAIMS,
        )

    def get_userinfo(self, access_token: str, id_token: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return what userinfo adds, of the very person the token names; nothing where there is no such endpoint."""
        if not self._provider.userinfo_endpoint:
            return {}
        answer = _ask(self._provider.userinfo_endpoint, headers={"Authorization": f"Bearer {access_token}"})
        info = _document(answer, "userinfo")
        if not hmac.compare_digest(str(info.get("sub", "")).encode(), str(payload["sub"]).encode()):
            raise SignOnRefused("Userinfo speaks of another person than the token")
        return info


def verified(
    token: str, *, key: jwt.PyJWK, algorithm: str, issuer: str, audience: str, required: list[str]
) -> dict[str, Any]:
    """Return the claims of a signed token; raises SignOnRefused naming the check it failed."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[algorithm],
            audience=audience,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": required, "verify_signature": True},
        )
    # Overflow: a time of `Infinity`, which JSON as Python reads it allows.
    except (jwt.InvalidTokenError, jwt.PyJWKError, OverflowError) as error:
        raise SignOnRefused(f"The token is refused: {type(error).__name__}") from None
    if not isinstance(claims.get("sub"), str) or not 0 < len(claims["sub"]) <= 255:
        raise SignOnRefused("The token names nobody")
    return claims


def matching_key(keys: Any, header: Mapping[str, Any], algorithm: str) -> jwt.PyJWK:
    """Return the one key of a set that a token's header names; raises SignOnRefused where it is not exactly one."""
    fitting = (
        [key for key in keys if isinstance(key, dict) and _fits(key, header, algorithm)]
        if isinstance(keys, list)
        else []
    )
    if len(fitting) != 1:
        raise SignOnRefused("The provider's key set has no one key for this token")
    try:
        return jwt.PyJWK(fitting[0], algorithm=algorithm)
    except (jwt.PyJWKError, jwt.InvalidKeyError, ValueError):
        raise SignOnRefused("The provider's key cannot be used") from None


def _fits(key: Mapping[str, Any], header: Mapping[str, Any], algorithm: str) -> bool:
    if key.get("kty") == "oct" or key.get("use", "sig") != "sig" or key.get("alg", algorithm) != algorithm:
        return False
    return "kid" not in header or key.get("kid") == header["kid"]


def _header(token: str) -> dict[str, Any]:
    try:
        return dict(jwt.get_unverified_header(token))
    except jwt.InvalidTokenError:
        raise SignOnRefused("What the provider sent is no token") from None


def _must_be_for(claims: Mapping[str, Any], client_id: str) -> None:
    """`aud` holds us, as PyJWT saw; where it holds others too, `azp` must say the token was made for us."""
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if ("azp" in claims or len(audiences) > 1) and claims.get("azp") != client_id:
        raise SignOnRefused("The token was issued to another client")


def _must_match_access_token(claims: Mapping[str, Any], access_token: str, algorithm: str) -> None:
    """OpenID Connect Core 3.1.3.8: where the token names its access token, it must be the one that came with it."""
    if "at_hash" not in claims or algorithm == "EdDSA":
        return
    digest = hashlib.new(f"sha{algorithm[-3:]}", access_token.encode()).digest()
    expected = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    if not hmac.compare_digest(str(claims["at_hash"]).encode(), expected):
        raise SignOnRefused("The access token is not the one the ID token names")


def _must_be_fresh(claims: Mapping[str, Any], max_age_seconds: int | None, now: datetime) -> None:
    if _age(claims["iat"], now) > OLDEST_TOKEN_SECONDS:
        raise SignOnRefused("The token is not of this attempt")
    if max_age_seconds is not None and claims.get("auth_time") is None:
        raise SignOnRefused("The provider does not say when it asked the person; a one-time code of his own proves it")
    if max_age_seconds is not None and _age(claims.get("auth_time"), now) > max_age_seconds + LEEWAY_SECONDS:
        raise SignOnRefused("The provider did not ask the person again")


def proved_at(claims: Mapping[str, Any], now: datetime) -> datetime:
    """When the provider last asked the person, by its own word; UNTOLD where it does not say. Never after `now`."""
    told = claims.get("auth_time")
    if not isinstance(told, int | float) or not 0 < told < now.timestamp() + LEEWAY_SECONDS:
        return UNTOLD
    return min(now, datetime.fromtimestamp(told, tz=UTC))


def _age(since: Any, now: datetime) -> float:
    """How many seconds ago a moment was; one that is not told was before all others."""
    return now.timestamp() - float(since) if isinstance(since, int | float) else float("inf")


def _basic(name: str, secret: str) -> str:
    # RFC 6749 2.3.1: each is form-encoded before they are joined, or a colon would move the border.
    return "Basic " + base64.b64encode(f"{quote_plus(name)}:{quote_plus(secret)}".encode()).decode()


def _ask(url: str, **options: Any) -> Answer:
    try:
        return fetch(url, **options)
    except Problem as problem:
        raise SignOnRefused(f"The provider cannot be asked. {problem.message}") from None


def _document(answer: Answer, what: str) -> dict[str, Any]:
    """Read a JSON object; what a failed answer says is not repeated, for it may repeat our secret."""
    if answer.status != 200:
        raise SignOnRefused(f"The provider's {what} answered {answer.status}")
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise SignOnRefused(f"The provider's {what} did not answer with a JSON object")
    return found
