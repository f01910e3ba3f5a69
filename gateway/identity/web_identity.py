"""Tokens of outside issuers (Kubernetes, GitHub Actions, any OpenID provider), checked strictly against a tenant's rules.

Making rules is `workload_rules`; what a workload gets for its token is `token_exchange` and `gateway.requests.unsigned`.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from gateway.identity.door_models import WorkloadRule
from gateway.identity.door_problems import SignOnRefused
from gateway.identity.oidc import ALGORITHMS, matching_key, verified
from gateway.problems import Problem
from gateway.tenants.egress import fetch

LONGEST_TOKEN = 16 * 1024
REQUIRED_CLAIMS = ["iss", "aud", "sub", "exp", "iat"]
# Runners' tokens live minutes, a pod's a day at most: an older one was kept by somebody.
OLDEST_TOKEN = timedelta(hours=24)
LONGEST_JTI = 500
# Issuers announce a key before they sign with it; a set this old is asked for again.
KEPT_FOR = timedelta(minutes=5)
# A token with a key nobody knows has the set fetched again, and a thousand such tokens do not.
ASKED_AGAIN_AFTER = timedelta(seconds=30)
MOST_KEPT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Whom a token stands for: the rule it met, and its own words."""

    rule: WorkloadRule
    subject: str
    issuer: str
    # By which the token is known again until then, when it counts no longer.
    token_digest: bytes
    expires_at: datetime


def issuer_of(token: str) -> str:
    """Who a token says issued it, not yet believed; raises SignOnRefused where it is no token of a kind we take."""
    if not 0 < len(token) <= LONGEST_TOKEN:
        raise SignOnRefused("The token is missing or too long")
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.InvalidTokenError, RecursionError):
        raise SignOnRefused("This is no signed token") from None
    # `crit` names what must be understood: nothing of it is.
    if header.get("alg") not in ALGORITHMS or "crit" in header or not isinstance(claims.get("iss"), str):
        raise SignOnRefused("The token is signed in a way we do not take")
    return str(claims["iss"])


def checked(token: str, rules: Iterable[WorkloadRule], *, now: datetime) -> Workload:
    """Return whom a token stands for by the first rule it meets; raises SignOnRefused with the last rule's reason.

    Issuers' keys are fetched: call it outside every transaction.
    """
    refusal = SignOnRefused("No rule is for this issuer")
    header = jwt.get_unverified_header(token)
    for rule in rules:
        try:
            return _by_rule(token, header, rule, now)
        except SignOnRefused as problem:
            refusal = problem
    raise refusal


def _by_rule(token: str, header: Mapping[str, Any], rule: WorkloadRule, now: datetime) -> Workload:
    algorithm = str(header["alg"])
    claims = verified(
        token,
        key=_key(rule, header, algorithm, now),
        algorithm=algorithm,
        issuer=rule.issuer,
        audience=rule.audience,
        required=REQUIRED_CLAIMS,
    )
    if not subject_fits(rule.subject, claims["sub"]):
        raise SignOnRefused("The subject is not the rule's")
    if not all(_says(claims.get(name), value) for name, value in rule.claims.items()):
        raise SignOnRefused("A claim is not what the rule demands")
    if now - _time(claims["iat"]) > OLDEST_TOKEN:
        raise SignOnRefused("The token was issued more than a day ago")
    return Workload(
        rule=rule,
        subject=claims["sub"],
        issuer=rule.issuer,
        token_digest=_digest(token, claims),
        expires_at=min(_time(claims["exp"]), _time(claims["iat"]) + OLDEST_TOKEN),
    )


def _time(seconds: Any) -> datetime:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        raise SignOnRefused("A time of the token cannot be read") from None


def _digest(token: str, claims: Mapping[str, Any]) -> bytes:
    """Name one token: by the issuer's own id for it, else by what was signed; the signature's text may be varied."""
    if "jti" not in claims:
        return hashlib.sha256(b"signed\0" + token.rpartition(".")[0].encode()).digest()
    name = claims["jti"]
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_JTI:
        raise SignOnRefused("The token's own id is no text")
    return hashlib.sha256(f"jti\0{claims['iss']}\0{name}".encode("utf-8", "surrogatepass")).digest()


def subject_fits(pattern: str, subject: str) -> bool:
    """Whether a subject is the pattern's; `*` stands for a run of characters other than `:`, `/` and control ones."""
    return re.fullmatch(r"[^:/\x00-\x1f\x7f-\x9f]*".join(map(re.escape, pattern.split("*"))), subject) is not None


def _says(claim: Any, value: str) -> bool:
    return str(claim).lower() == value if isinstance(claim, bool) else isinstance(claim, str) and claim == value


def _key(rule: WorkloadRule, header: Mapping[str, Any], algorithm: str, now: datetime) -> jwt.PyJWK:
    if rule.jwks is not None:
        return matching_key(rule.jwks.get("keys"), header, algorithm)
    try:
        return matching_key(_KEY_SETS.get(rule.jwks_uri, now), header, algorithm)
    except SignOnRefused:
        return matching_key(_KEY_SETS.get(rule.jwks_uri, now, not_older=ASKED_AGAIN_AFTER), header, algorithm)


@dataclass(slots=True)
class _KeySets:
    """Issuers' keys by where they are, fetched through the egress guard; bounded, the least recently used goes first."""

    kept: OrderedDict[str, tuple[datetime, Any]] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, uri: str, now: datetime, *, not_older: timedelta = KEPT_FOR) -> Any:
        with self.lock:
            known = self.kept.get(uri)
        if known is not None and now - known[0] < not_older:
            return known[1]
        keys = _fetched(uri)
        with self.lock:
            self.kept[uri] = (now, keys)
            self.kept.move_to_end(uri)
            while len(self.kept) > MOST_KEPT:
                self.kept.popitem(last=False)
        return keys


_KEY_SETS = _KeySets()


def _fetched(uri: str) -> Any:
    try:
        answer = fetch(uri)
        found = json.loads(answer.body) if answer.status == 200 else None
    except Problem as problem:
        raise SignOnRefused(f"The issuer's keys cannot be had. {problem.message}") from None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise SignOnRefused("The issuer's key set is none")
    return found.get("keys")
