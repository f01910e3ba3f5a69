"""Rights on single connections and policies, held by groups (django-guardian): who may see, use or change this one.

A role says what one may do at all; this narrows it. Groups are a tenant's own, named `<tenant id>:<group>` so that equal
names never meet; which people are in them is the membership's to say, as the identity provider said it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from django.contrib.auth.models import Group
from django.db import models, transaction
from guardian.managers import GroupObjectPermissionManager
from guardian.models import GroupObjectPermissionBase
from guardian.shortcuts import assign_perm, remove_perm

from audit.kinds import EventKind
from audit.services import append
from gateway.identity.caller import Caller
from gateway.identity.problems import NameRefused
from gateway.identity.services import GROUP_NAME
from gateway.tenants.models import Tenant, TenantScoped, TenantScopedQuerySet

MOST_GROUPS = 50
M = TypeVar("M", bound=TenantScoped)


class GrantManager(GroupObjectPermissionManager.from_queryset(TenantScopedQuerySet)):  # type: ignore[misc]  # made at run time
    """guardian's manager; each row it makes is of the tenant of what it is about."""

    def get_or_create(self, defaults: Any = None, **named: Any) -> Any:
        made_with = {"tenant_id": named["content_object"].tenant_id, **(defaults or {})}
        return super().get_or_create(defaults=made_with, **named)


class ObjectGrant(TenantScoped, GroupObjectPermissionBase):
    """One group's right on one object. Rooms make it their own with a `content_object`, which guardian finds."""

    objects: ClassVar[Any] = GrantManager()

    class Meta(GroupObjectPermissionBase.Meta):
        abstract = True


def groups_of(thing: models.Model) -> list[str]:
    """The groups a thing is kept for, by name; none where it is open to whoever's role opens its kind."""
    names = thing.grants.values_list("group__name", flat=True)  # type: ignore[attr-defined]  # the grants' related name
    return sorted({name.partition(":")[2] for name in names})


def open_to(rows: models.QuerySet[M], groups: Sequence[str], tenant: Tenant, permission: str) -> models.QuerySet[M]:
    """Those of the rows that are kept for nobody, or for one of these groups."""
    grants: Any = rows.model._meta.get_field("grants").related_model
    held = grants.objects.for_tenant(tenant).filter(
        content_object=models.OuterRef("pk"), permission__codename=permission
    )
    names = [_name(tenant, group) for group in groups]
    return rows.filter(~models.Exists(held) | models.Exists(held.filter(group__name__in=names)))


def open_to_caller(rows: models.QuerySet[M], caller: Caller, permission: str) -> models.QuerySet[M]:
    """Those the caller may use; a key that is nobody's is in no group."""
    groups = caller.membership.groups if caller.membership else []
    return open_to(rows, groups, caller.tenant, permission)


def _name(tenant: Tenant, group: str) -> str:
    return f"{tenant.pk}:{group}"


@transaction.atomic
def keep_for(
    thing: TenantScoped, groups: Iterable[str], *, permission: str, what: str, by_label: str, now: datetime
) -> list[str]:
    """Keep a thing for exactly these groups, or for nobody in particular where none is named; returns who lost it.

    The caller has locked the thing. Raises NameRefused. What was so already is no event.
    """
    wanted, had = set(groups), set(groups_of(thing))
    if len(wanted) > MOST_GROUPS or not all(GROUP_NAME.fullmatch(group) for group in wanted):
        raise NameRefused(f"At most {MOST_GROUPS} groups, each lower-case letters, digits and . _ -, at most 80")
    for group in wanted - had:
        assign_perm(permission, Group.objects.get_or_create(name=_name(thing.tenant, group))[0], thing)
    for group in had - wanted:
        remove_perm(permission, Group.objects.get(name=_name(thing.tenant, group)), thing)
    if wanted != had:
        told = f"kept for {', '.join(sorted(wanted))}" if wanted else "open to every role that may"
        data = {"by": by_label, "what": what, "result": told}
        append(tenant_id=thing.tenant_id, kind=EventKind.ACCESS_CHANGED, at=now, subject=thing.pk, data=data)
    return sorted(had - wanted)
