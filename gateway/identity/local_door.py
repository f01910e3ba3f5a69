"""What a right password opens: nothing where an organisation has its own sign-in, except to its owners in an emergency.

Checking the password is `sign_in`, the one-time code `mfa`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateway.identity import mfa
from gateway.identity.models import Membership, User
from gateway.identity.providers import has_single_sign_on
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Role
from gateway.tenants.scope import as_user, in_tenant


class Way(StrEnum):
    """What must follow the password before a tenant opens."""

    AT_ONCE = "at-once"
    WITH_CODE = "with-code"
    BREAK_GLASS = "break-glass"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class WayIn:
    tenant: Tenant
    way: Way


def ways_in(user: User) -> list[WayIn]:
    """Every tenant the person is an active member of, oldest membership first. Call outside a tenant's transaction."""
    with as_user(user.pk):
        rows = Membership.objects.filter(user=user, is_active=True, tenant__is_suspended=False)
        members = list(rows.select_related("tenant").order_by("created_at"))
    return [WayIn(tenant=member.tenant, way=_way(member, user)) for member in members]


def _way(member: Membership, user: User) -> Way:
    with in_tenant(member.tenant):
        if not has_single_sign_on(member.tenant):
            return Way.AT_ONCE if member.tenant.password_alone else Way.WITH_CODE
        # Enrolling a second factor now would make the password enough: only one enrolled before counts.
        is_prepared = Role.OWNER.value in member.roles and mfa.is_enrolled(member.tenant, user)
    return Way.BREAK_GLASS if is_prepared else Way.CLOSED


def first_with_code(ways: Iterable[WayIn]) -> WayIn | None:
    """The tenant a one-time code is asked for: everyday ways before emergencies."""
    for wanted in (Way.WITH_CODE, Way.BREAK_GLASS):
        for one in ways:
            if one.way == wanted:
                return one
    return None
