"""Who a person becomes when a provider has identified him: found by (provider, subject), never by name or e-mail.

Verifying what the provider said is `oidc` and `saml`; the browser's session is `sign_ins`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from audit.kinds import EventKind
from audit.services import append
from gateway.identity.door_models import IdentityProvider
from gateway.identity.door_problems import NoRoleFromProvider, SignOnRefused
from gateway.identity.models import ExternalIdentity, Membership, User
from gateway.identity.services import add_membership
from gateway.tenants.models import Tenant

_UNFIT = re.compile(r"[^A-Za-z0-9_.@+-]")
# Far above what any provider sends for one person; beyond it a token is an attack or a mistake.
MOST_GROUPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A verified person at a tenant's door. `groups` are the provider's own names."""

    subject: str
    name: str
    groups: tuple[str, ...] = field(default=())


def arrival_of_claims(provider: IdentityProvider, claims: Mapping[str, Any]) -> Arrival:
    """Read name and groups out of verified claims; raises SignOnRefused for groups of no known form."""
    name = next((str(claims[key]) for key in ("preferred_username", "email", "upn") if claims.get(key)), "")
    return Arrival(
        subject=str(claims["sub"]), name=name or str(claims["sub"]), groups=_groups(claims.get(provider.group_claim))
    )


def _groups(claimed: Any) -> tuple[str, ...]:
    if claimed is None:
        return ()
    many = [claimed] if isinstance(claimed, str) else claimed
    if not isinstance(many, list) or len(many) > MOST_GROUPS or not all(isinstance(one, str) for one in many):
        raise SignOnRefused("The group claim is not a list of names")
    return tuple(many)


@transaction.atomic
def arrive(*, tenant: Tenant, provider: IdentityProvider, arrival: Arrival, now: datetime) -> Membership:
    """Return the person's membership as the provider's groups make it today; raises NoRoleFromProvider or SignOnRefused.

    Roles and groups follow the provider at each sign-in. A member an administrator switched off stays off.
    """
    roles, groups = _mapped(provider, arrival.groups)
    user = _person(tenant, provider, arrival)
    # Locked: of two first sign-ins at once, the second finds what the first one made.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    member: Membership | None = Membership.objects.for_tenant(tenant).filter(user=user).first()
    if (member is not None and not member.is_active) or not user.is_active:
        raise SignOnRefused("This member was switched off here")
    label = f"provider {provider.name}"
    if member is None:
        if not roles:
            raise NoRoleFromProvider
        return add_membership(tenant=tenant, user=user, roles=roles, groups=groups, by_label=label, now=now)
    _follow(member, roles, groups, label, now)
    return member


def _mapped(provider: IdentityProvider, names: Iterable[str]) -> tuple[list[str], list[str]]:
    entries = [provider.group_map[name] for name in names if name in provider.group_map]
    roles = dict.fromkeys([*provider.default_roles, *(role for entry in entries for role in entry["roles"])])
    return list(roles), list(dict.fromkeys(group for entry in entries for group in entry["groups"]))


def _follow(member: Membership, roles: list[str], groups: list[str], label: str, now: datetime) -> None:
    if set(member.roles) == set(roles) and set(member.groups) == set(groups):
        if not roles:
            raise NoRoleFromProvider
        return
    member.roles, member.groups = roles, groups
    member.save(update_fields=("roles", "groups"))
    data = {"by": label, "user": member.user.get_username(), "roles": roles}
    append(tenant_id=member.tenant_id, kind=EventKind.MEMBER_CHANGED, at=now, subject=member.user_id, data=data)


def identity_name(provider: IdentityProvider) -> str:
    """How ExternalIdentity names a provider: by its row, so that two tenants with one issuer share no account."""
    return f"{provider.tenant_id}/{provider.pk}"


def _person(tenant: Tenant, provider: IdentityProvider, arrival: Arrival) -> User:
    key = {"provider": identity_name(provider), "subject": arrival.subject}
    known = ExternalIdentity.objects.filter(**key).select_related("user").first()
    if known is not None:
        return known.user
    try:
        with transaction.atomic():
            user = _new_user(provider, arrival)
            ExternalIdentity.objects.create(user=user, **key)
            return user
    except IntegrityError:
        # The same person's other browser was first, by a moment.
        raced = ExternalIdentity.objects.filter(**key).select_related("user").first()
        if raced is None:
            raise
        return raced.user


def _new_user(provider: IdentityProvider, arrival: Arrival) -> User:
    mark = hashlib.sha256(f"{identity_name(provider)}\n{arrival.subject}".encode()).hexdigest()[:10]
    plain = _UNFIT.sub("-", arrival.name)[:120] or "person"
    # A name in use belongs to somebody else, whoever claims it now: this one is told apart, never merged.
    taken = User.objects.filter(username__iexact=plain).exists()
    user = User(username=f"{plain}+{mark}" if taken else plain)
    user.set_unusable_password()
    user.save(force_insert=True)
    return user
