"""Groups for which a connection or a policy is kept, as lines of a review, and taking one away.

The rights themselves are `gateway.identity.object_rights`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db.models import Max

from audit.models import Session
from gateway.connections.access import keep_connection_for
from gateway.connections.access_models import ConnectionGrant
from gateway.identity.caller import Caller
from gateway.identity.models import Membership
from gateway.identity.object_rights import groups_of
from gateway.policy.access import keep_policy_for
from gateway.policy.access_models import PolicyGrant
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from hoopweb.reviews.lines import Holder
from hoopweb.reviews.models import HolderKind
from hoopweb.reviews.problems import LastGroup

_MOST_NAMES = 10


def held_by_groups(tenant: Tenant) -> Iterator[Holder]:
    """A line for each group something is kept for: which thing, and who is in the group today."""
    for grant in _of(ConnectionGrant, tenant):
        users, names = _people(tenant, _name(grant))
        sessions = Session.objects.for_tenant(tenant).filter(connection_id=grant.content_object.pk, person_id__in=users)
        yield Holder(
            kind=HolderKind.GROUP,
            subject=grant.pk,
            label=f"{_name(grant)} on connection {grant.content_object.name}"[:300],
            access=f"may have keys to the connection; in the group: {names}",
            since=grant.content_object.created_at,
            last_used_at=sessions.aggregate(at=Max("last_at"))["at"],
        )
    for grant in _of(PolicyGrant, tenant):
        yield Holder(
            kind=HolderKind.GROUP,
            subject=grant.pk,
            label=f"{_name(grant)} on policy {grant.content_object.name}"[:300],
            access=f"may publish the policy; in the group: {_people(tenant, _name(grant))[1]}",
            since=grant.content_object.created_at,
        )


def _of(model: type[ConnectionGrant] | type[PolicyGrant], tenant: Tenant) -> Iterator[ConnectionGrant | PolicyGrant]:
    rows = model.objects.for_tenant(tenant).select_related("content_object", "group")
    yield from rows.order_by("content_object__name", "group__name")


def _name(grant: ConnectionGrant | PolicyGrant) -> str:
    return str(grant.group.name).partition(":")[2]


def _people(tenant: Tenant, group: str) -> tuple[list[UUID], str]:
    rows = Membership.objects.for_tenant(tenant).filter(groups__contains=[group], is_active=True)
    found = list(rows.select_related("user").order_by("user__username"))
    names = [member.user.get_username() for member in found[:_MOST_NAMES]]
    more = [f"and {len(found) - _MOST_NAMES} more"] if len(found) > _MOST_NAMES else []
    return [member.user_id for member in found], ", ".join([*names, *more]) or "nobody"


def take_from_group(by: Caller, grant_id: UUID, now: datetime) -> None:
    """Keep the thing for its other groups alone; keys of who is in none of those end at once.

    Raises LastGroup where there are no others, and RightMissing. A grant that is gone already has nothing to take.
    """
    tenant = by.tenant
    connection = ConnectionGrant.objects.for_tenant(tenant).filter(pk=grant_id).first()
    policy = PolicyGrant.objects.for_tenant(tenant).filter(pk=grant_id).first()
    if connection is not None:
        by.must(Right.CONNECTIONS_WRITE)
        keep_connection_for(
            tenant=tenant,
            connection_id=connection.content_object.pk,
            groups=_others(connection),
            by_label=by.label,
            now=now,
        )
    elif policy is not None:
        by.must(Right.PROVIDERS_WRITE)
        keep_policy_for(
            tenant=tenant, policy_id=policy.content_object.pk, groups=_others(policy), by_label=by.label, now=now
        )


def _others(grant: ConnectionGrant | PolicyGrant) -> list[str]:
    others = [group for group in groups_of(grant.content_object) if group != _name(grant)]
    if not others:
        raise LastGroup
    return others
