"""Rules by which an outside token stands for a service account: made, listed and revoked.

Checking a token against them is `gateway.identity.web_identity`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import jwt
from django.db import transaction
from django.db.models import QuerySet

from audit.kinds import EventKind
from audit.services import append
from gateway.identity import selectors
from gateway.identity.door_models import WorkloadRule
from gateway.identity.door_problems import WorkloadRuleRefused
from gateway.identity.problems import KeyUnknown, ServiceAccountUnknown
from gateway.identity.workloads import workload_scopes
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right

_ISSUER = re.compile(r"https://[\x21-\x7e]{1,990}")
_PLAIN = re.compile(r"[\x20-\x7e]+")
# Issuers publish two or three keys; past this somebody pasted something else.
MOST_KEYS, MOST_CLAIMS, LONGEST_CLAIM = 20, 20, 300
_PRIVATE = frozenset(("d", "p", "q", "dp", "dq", "qi", "k"))


def workload_rules(tenant: Tenant | UUID) -> QuerySet[WorkloadRule]:
    """All rules of a tenant, revoked ones too."""
    found: QuerySet[WorkloadRule] = WorkloadRule.objects.for_tenant(tenant).select_related("service_account")
    return found


def live_rules(tenant: Tenant | UUID, *, issuer: str) -> list[WorkloadRule]:
    """The rules in force for one issuer, eldest first."""
    return list(workload_rules(tenant).filter(issuer=issuer, revoked_at=None).order_by("created_at", "id"))


@transaction.atomic
def add_workload_rule(
    *,
    tenant: Tenant,
    service_account_id: UUID,
    issuer: str,
    audience: str,
    subject: str,
    claims: Mapping[str, str],
    jwks_uri: str,
    jwks: Mapping[str, Any] | None,
    by_label: str,
    now: datetime,
    scopes: Iterable[str] = (),
    granter_rights: frozenset[Right] = frozenset(),
) -> WorkloadRule:
    """Let an issuer's tokens stand for a service account; raises WorkloadRuleRefused, ServiceAccountUnknown, ScopeRefused.

    `scopes` are what an exchanged token may do over REST: none the granter lacks. Its keys are fetched from `jwks_uri` when needed, or stand in `jwks` for an issuer that cannot be reached from here.
    """
    account = selectors.service_accounts(tenant).filter(pk=service_account_id).first()
    if account is None:
        raise ServiceAccountUnknown
    _check(issuer, audience, subject, claims)
    _check_keys(jwks_uri, jwks)
    made: WorkloadRule = WorkloadRule.objects.create(
        tenant=tenant,
        service_account=account,
        issuer=issuer,
        jwks_uri=jwks_uri,
        jwks=jwks,
        audience=audience,
        subject=subject,
        claims=dict(claims),
        scopes=workload_scopes(scopes, granter_rights) if scopes else [],
        created_at=now,
    )
    _record(EventKind.WORKLOAD_RULE_ADDED, made, by_label, now)
    return made


def _check(issuer: str, audience: str, subject: str, claims: Mapping[str, str]) -> None:
    if not _ISSUER.fullmatch(issuer):
        raise WorkloadRuleRefused("An issuer is named by its https URL, exactly as its tokens say")
    if not _PLAIN.fullmatch(audience) or len(audience) > 300:
        raise WorkloadRuleRefused("The audience is 1 to 300 plain characters")
    # A rule that takes every subject would take every customer of a shared issuer.
    if not _PLAIN.fullmatch(subject) or len(subject) > 500 or not re.search(r"[A-Za-z0-9]", subject):
        raise WorkloadRuleRefused("The subject is 1 to 500 plain characters, and more than a wildcard")
    if len(claims) > MOST_CLAIMS or not all(0 < len(value) <= LONGEST_CLAIM for value in claims.values()):
        raise WorkloadRuleRefused(
            f"At most {MOST_CLAIMS} claims, each with a value of up to {LONGEST_CLAIM} characters"
        )


def _check_keys(jwks_uri: str, jwks: Mapping[str, Any] | None) -> None:
    if bool(jwks_uri) == bool(jwks):
        raise WorkloadRuleRefused("Name either where the issuer's keys are, or the keys themselves")
    if jwks_uri and (not _ISSUER.fullmatch(jwks_uri)):
        raise WorkloadRuleRefused("A key set is fetched over https")
    keys = jwks.get("keys") if jwks else []
    if not isinstance(keys, list) or len(keys) > MOST_KEYS or (jwks and not keys):
        raise WorkloadRuleRefused(f'A key set is {{"keys": [...]}} with 1 to {MOST_KEYS} keys')
    for key in keys:
        if not isinstance(key, dict) or _PRIVATE & key.keys():
            raise WorkloadRuleRefused("A key set holds public keys only")
        try:
            jwt.PyJWK(key)
        except (jwt.PyJWKError, jwt.InvalidKeyError, ValueError):
            raise WorkloadRuleRefused("A key of the set cannot be used") from None


@transaction.atomic
def revoke_workload_rule(*, tenant: Tenant, rule_id: UUID, by_label: str, now: datetime) -> WorkloadRule:
    """End a rule for new tokens at once; raises KeyUnknown. Revoking twice is one event."""
    rows = WorkloadRule.objects.for_tenant(tenant).select_for_update(no_key=True)
    found: WorkloadRule | None = rows.filter(pk=rule_id).first()
    if found is None:
        raise KeyUnknown
    if found.revoked_at is None:
        found.revoked_at = now
        found.save(update_fields=("revoked_at",))
        _record(EventKind.WORKLOAD_RULE_REVOKED, found, by_label, now)
    return found


def _record(kind: EventKind, rule: WorkloadRule, by_label: str, now: datetime) -> None:
    what = f"{rule.issuer} for {rule.audience}: {rule.subject}"
    data = {"by": by_label, "name": rule.service_account.name, "what": what}
    append(tenant_id=rule.tenant_id, kind=kind, at=now, subject=rule.pk, data=data)
