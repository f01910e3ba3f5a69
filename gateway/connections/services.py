"""Adding an AWS account, trying it out, and taking it out of service.

Who may do this is asked by the caller; assuming the role for calls is `gateway.connections.sessions`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from audit.kinds import EventKind
from audit.services import append
from gateway.connections import selectors, trial
from gateway.connections.endpoints import known_regions
from gateway.connections.models import Connection, ConnectionState, Credential, OpaquePayloads
from gateway.connections.problems import ConnectionMalformed, ConnectionNameTaken
from gateway.sealing import services as sealing
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant

Random = Callable[[int], bytes]
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,78}[a-z0-9])?")
_ACCOUNT = re.compile(r"[0-9]{12}")
_ROLE = re.compile(r"arn:aws:iam::([0-9]{12}):role/[A-Za-z0-9_+=,.@/-]{0,120}[A-Za-z0-9_+=,.@-]")
_LONG_LIVED_KEY = re.compile(r"AKIA[A-Z2-7]{16}")
# Every region is text in each session policy, which holds 2,048 characters.
MOST_REGIONS = 20
# So are they; with more of both, a writing session's policy would not fit.
MOST_FURTHER_ACCOUNTS = 8


@transaction.atomic
def create_connection(
    *,
    tenant: Tenant,
    name: str,
    account_id: str,
    role_arn: str,
    regions: Sequence[str],
    observe_only: bool,
    by_label: str,
    now: datetime,
    random: Random,
) -> Connection:
    """Add an AWS account as a draft with an ExternalId of ours; raises ConnectionMalformed or ConnectionNameTaken."""
    _check(name=name, account_id=account_id, role_arn=role_arn, regions=regions)
    try:
        # Its own savepoint: of two that ask for one name at once, the second is told so and loses nothing else.
        with transaction.atomic():
            made: Connection = Connection.objects.create(
                tenant=tenant,
                name=name,
                account_id=account_id,
                role_arn=role_arn,
                regions=list(dict.fromkeys(regions)),
                observe_only=observe_only,
                external_id="hoopweb-" + base64.urlsafe_b64encode(random(24)).decode(),
            )
    except IntegrityError:
        raise ConnectionNameTaken(f"Connection `{name}`") from None
    _record(EventKind.CONNECTION_CREATED, made, by_label, now, name=name, what=role_arn)
    return made


def _check(*, name: str, account_id: str, role_arn: str, regions: Sequence[str]) -> None:
    if not _NAME.fullmatch(name):
        raise ConnectionMalformed("The name is lower-case letters, digits and dashes, at most 80")
    if not _ACCOUNT.fullmatch(account_id):
        raise ConnectionMalformed("An account id is 12 digits")
    role = _ROLE.fullmatch(role_arn)
    if role is None or role.group(1) != account_id:
        raise ConnectionMalformed(f"The role must be arn:aws:iam::{account_id}:role/NAME")
    unknown = sorted(set(regions) - known_regions())
    if unknown:
        raise ConnectionMalformed(f"`{unknown[0][:40]}` is no region of AWS's standard partition")
    if not 1 <= len(set(regions)) <= MOST_REGIONS:
        raise ConnectionMalformed(f"Name 1 to {MOST_REGIONS} regions")


def test_connection(*, tenant: Tenant, connection_id: UUID, by_label: str, now: datetime) -> Connection:
    """Try the connection out; it becomes active exactly when everything passed. A suspended one stays suspended.

    Opens its own transactions, with AWS asked between them: call it outside the tenant's transaction. Raises
    ConnectionUnknown; what AWS refused is in the stored report.
    """
    with in_tenant(tenant):
        target = selectors.role_target(tenant, selectors.connection(tenant, connection_id))
    report = trial.try_out(target, is_standin=bool(settings.UPSTREAM_AWS_URL))
    with in_tenant(tenant):
        tested = _locked(tenant, connection_id)
        # Changed meanwhile: the report speaks of another role.
        is_same = selectors.role_target(tenant, tested) == target
        tested.tested_at, tested.test_report = now, report.as_json()
        if tested.state != ConnectionState.SUSPENDED:
            tested.state = ConnectionState.ACTIVE if report.is_passed and is_same else ConnectionState.DRAFT
        tested.save(update_fields=("tested_at", "test_report", "state"))
        failed = [step.name for step in report.steps if not step.is_passed]
        _record(EventKind.CONNECTION_TESTED, tested, by_label, now, result=", ".join(failed) or "passed")
        return tested


# The verb is the product's; it is no test of ours.
test_connection.__test__ = False  # type: ignore[attr-defined]  # pytest reads this attribute


@transaction.atomic
def keep_credential(
    *, tenant: Tenant, connection_id: UUID, access_key_id: str, plaintext_secret: str, by_label: str, now: datetime
) -> Connection:
    """Assume this connection's role with the tenant's own long-lived keys, sealed; it must be tested again."""
    if not _LONG_LIVED_KEY.fullmatch(access_key_id) or not 16 <= len(plaintext_secret) <= 128:
        raise ConnectionMalformed("Long-lived access keys begin with AKIA")
    sealed = sealing.seal(tenant_id=tenant.pk, column=selectors.SECRET_COLUMN, plaintext=plaintext_secret.encode())
    changed = _locked(tenant, connection_id)
    changed.credential = Credential.objects.create(
        tenant=tenant, name=changed.name, access_key_id=access_key_id, sealed_secret=sealed
    )
    return _changed(changed, ConnectionState.DRAFT, by_label, now, what="credential")


@transaction.atomic
def switch_connection(
    *, tenant: Tenant, connection_id: UUID, is_suspended: bool, reason: str = "", by_label: str, now: datetime
) -> Connection:
    """Stop all use of the connection at once, or make a suspended one a draft: it must pass its test to be used again.

    Thrown twice, it is one event; a connection that is not suspended stays as it is.
    """
    found = _locked(tenant, connection_id)
    if is_suspended == (found.state == ConnectionState.SUSPENDED):
        return found
    state = ConnectionState.SUSPENDED if is_suspended else ConnectionState.DRAFT
    what = "suspended" if is_suspended else "suspension lifted"
    return _changed(found, state, by_label, now, what=what, reason=reason)


@transaction.atomic
def set_observe_only(
    *, tenant: Tenant, connection_id: UUID, observe_only: bool, by_label: str, now: datetime
) -> Connection:
    """Say whether policy decides on this connection, or only records what it would have decided."""
    changed = _locked(tenant, connection_id)
    changed.observe_only = observe_only
    what = "observes only" if observe_only else "enforces"
    return _changed(changed, ConnectionState(changed.state), by_label, now, what=what)


@transaction.atomic
def choose_opaque_payloads(
    *, tenant: Tenant, connection_id: UUID, choice: OpaquePayloads, by_label: str, now: datetime, approvers: str = ""
) -> Connection:
    """Say what becomes of payloads that cannot be read; said again, it is no second event.

    `approvers` names the approval rule whose people are asked, where they are: the caller has seen that there is one.
    """
    changed = _locked(tenant, connection_id)
    approvers = approvers if choice is OpaquePayloads.ASK else ""
    if (changed.opaque_payloads, changed.opaque_approvers) == (choice, approvers):
        return changed
    changed.opaque_payloads, changed.opaque_approvers = choice, approvers
    what = f"payloads that cannot be read: {choice.value}{' ' * bool(approvers)}{approvers}"
    return _changed(changed, ConnectionState(changed.state), by_label, now, what=what)


@transaction.atomic
def open_accounts(
    *, tenant: Tenant, connection_id: UUID, account_ids: Sequence[str], by_label: str, now: datetime
) -> Connection:
    """Say which accounts the connection may reach beside its own; none ends what was open. Raises ConnectionMalformed.

    Said again, it is no second event. Keys that were given for roles in an account taken away open nothing any more.
    """
    changed = _locked(tenant, connection_id)
    accounts = sorted(set(account_ids) - {changed.account_id})
    if not all(map(_ACCOUNT.fullmatch, accounts)):
        raise ConnectionMalformed("An account id is 12 digits")
    if len(accounts) > MOST_FURTHER_ACCOUNTS:
        raise ConnectionMalformed(f"At most {MOST_FURTHER_ACCOUNTS} further accounts")
    if changed.further_accounts == accounts:
        return changed
    changed.further_accounts = accounts
    what = f"may also reach {', '.join(accounts)}" if accounts else "reaches its own account only"
    return _changed(changed, ConnectionState(changed.state), by_label, now, what=what)


def _locked(tenant: Tenant, connection_id: UUID) -> Connection:
    # One look for the problem, one for the lock: FOR UPDATE cannot follow the optional credential.
    selectors.connection(tenant, connection_id)
    # Not against references: calls refer to the connection, and are checked while they hold the ledger's head.
    row: Connection = Connection.objects.for_tenant(tenant).select_for_update(no_key=True).get(pk=connection_id)
    return row


_CHANGING = ("state", "observe_only", "opaque_payloads", "opaque_approvers", "credential", "further_accounts")


def _changed(
    connection: Connection, state: ConnectionState, by_label: str, now: datetime, *, what: str, reason: str = ""
) -> Connection:
    connection.state = state
    connection.save(update_fields=_CHANGING)
    _record(
        EventKind.CONNECTION_CHANGED, connection, by_label, now, what=what, **({"reason": reason} if reason else {})
    )
    return connection


def _record(kind: EventKind, connection: Connection, by_label: str, now: datetime, **facts: str) -> None:
    append(
        tenant_id=connection.tenant_id,
        kind=kind,
        at=now,
        subject=connection.pk,
        data={"by": by_label, "connection": connection.name, **facts},
    )
