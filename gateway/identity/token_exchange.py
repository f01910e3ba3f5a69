"""An outside token (CI runner, Kubernetes) exchanged for an hour's token of a service account (RFC 8693), once.

Checking the token is `web_identity`, its rules are `workload_rules`; OAuth's own words are `hoopweb.api.oauth`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction

from audit.kinds import EventKind
from audit.services import append
from gateway.identity import web_identity, workloads
from gateway.identity.door_models import SeenToken, WorkloadRule
from gateway.identity.door_problems import SignOnRefused
from gateway.identity.oidc import LEEWAY_SECONDS
from gateway.identity.problems import ScopeRefused, SignInThrottled
from gateway.identity.throttle import throttle
from gateway.identity.web_identity import Workload
from gateway.identity.workload_rules import live_rules
from gateway.identity.workloads import Issued, Random
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant

# By address: a build farm behind one of them exchanges many tokens at once, and a right one clears the count.
MOST_FAILURES, WINDOW = 60, timedelta(minutes=1)
# Anybody can send tokens: nobody fills a tenant's ledger from outside.
MOST_WRITTEN_DOWN = 20
LONGEST_LABEL = 300


def exchange(
    *,
    tenant: Tenant,
    subject_token: str,
    account_id: UUID | None,
    scopes: Sequence[str],
    source: str,
    now: datetime,
    random: Random,
) -> Issued:
    """Return an account's token for a token one of the tenant's rules is for; `scopes` narrow what the rule gives.

    Raises SignOnRefused (written down with the check that failed), ScopeRefused, SignInThrottled. Keys are fetched:
    call it outside every transaction.
    """
    counter = f"token-exchange:{tenant.pk}\n{source}"
    throttle().count(counter, most=MOST_FAILURES, window=WINDOW, now=now)
    try:
        workload = web_identity.checked(subject_token, _rules(tenant, subject_token, account_id), now=now)
        with in_tenant(tenant):
            issued = _issue(tenant, workload, scopes, now, random)
    except SignOnRefused as problem:
        _write_down(tenant, problem, now)
        raise
    throttle().forget(counter)
    return issued


def _rules(tenant: Tenant, token: str, account_id: UUID | None) -> list[WorkloadRule]:
    issuer = web_identity.issuer_of(token)
    with in_tenant(tenant):
        # A rule without scopes is for AWS alone.
        return [
            rule
            for rule in live_rules(tenant, issuer=issuer)
            if rule.scopes and account_id in (None, rule.service_account_id)
        ]


def _issue(tenant: Tenant, workload: Workload, scopes: Sequence[str], now: datetime, random: Random) -> Issued:
    rule = workload.rule
    # Read again, and held: the issuer's keys may have taken a while, and somebody may have ended the rule meanwhile.
    rows = WorkloadRule.objects.for_tenant(tenant).select_related("service_account")
    live = rows.select_for_update(of=("self",), no_key=True).filter(pk=rule.pk, revoked_at=None).first()
    if live is None or live.service_account.is_suspended:
        raise SignOnRefused("The rule is revoked, or its service account suspended")
    if not set(scopes) <= set(live.scopes):
        raise ScopeRefused
    _use_up(tenant, workload, now)
    return workloads.issue_token(
        tenant=tenant,
        account=live.service_account,
        scopes=scopes or live.scopes,
        how="token exchange",
        by_label=f"{workload.subject} of {workload.issuer}"[:LONGEST_LABEL],
        now=now,
        random=random,
    )


def _use_up(tenant: Tenant, workload: Workload, now: datetime) -> None:
    """Raise SignOnRefused where the token was exchanged before; the database says so of two at once."""
    SeenToken.objects.for_tenant(tenant).filter(expires_at__lt=now).delete()
    try:
        with transaction.atomic():
            SeenToken.objects.create(
                tenant=tenant,
                digest=workload.token_digest,
                expires_at=workload.expires_at + timedelta(seconds=2 * LEEWAY_SECONDS),
            )
    except IntegrityError:
        raise SignOnRefused("The token was exchanged before") from None


def _write_down(tenant: Tenant, problem: SignOnRefused, now: datetime) -> None:
    with suppress(SignInThrottled):
        throttle().count(f"refused-tokens:{tenant.pk}", most=MOST_WRITTEN_DOWN, window=WINDOW, now=now)
        with in_tenant(tenant):
            data = {"by": "token exchange", "reason": problem.message}
            append(tenant_id=tenant.pk, kind=EventKind.WORKLOAD_TOKEN_REFUSED, at=now, subject=tenant.pk, data=data)
