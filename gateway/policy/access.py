"""Who may publish under a policy, and keeping it for groups. The rights themselves are `gateway.identity.object_rights`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction

from gateway.identity.caller import Caller
from gateway.identity.object_rights import keep_for, open_to_caller
from gateway.identity.problems import RightMissing
from gateway.policy.models import Policy
from gateway.policy.problems import PolicyUnknown
from gateway.tenants.models import Tenant

CHANGE = "change_policy"


def must_change(caller: Caller, policy_name: str) -> None:
    """Raise RightMissing where a policy of this name is there and kept for groups the caller is not in."""
    rows = Policy.objects.for_tenant(caller.tenant).filter(name=policy_name)
    if rows.exists() and not open_to_caller(rows, caller, CHANGE).exists():
        raise RightMissing(f"Policy `{policy_name}` is kept for groups you are not in")


def policy_of(tenant: Tenant, policy_id: UUID) -> Policy:
    """One policy; raises PolicyUnknown, for another tenant's as for none."""
    found: Policy | None = Policy.objects.for_tenant(tenant).filter(pk=policy_id).first()
    if found is None:
        raise PolicyUnknown
    return found


@transaction.atomic
def keep_policy_for(*, tenant: Tenant, policy_id: UUID, groups: Iterable[str], by_label: str, now: datetime) -> Policy:
    """Let exactly these groups publish, or every role that may where none is named; raises PolicyUnknown, NameRefused."""
    policy_of(tenant, policy_id)
    found: Policy = Policy.objects.for_tenant(tenant).select_for_update(no_key=True).get(pk=policy_id)
    keep_for(found, groups, permission=CHANGE, what=f"policy {found.name}", by_label=by_label, now=now)
    return found
