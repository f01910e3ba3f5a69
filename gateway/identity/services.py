"""Making people, agents and keys, and taking their rights away again.

The caller has entered the tenant and asked whether this may be done; each change leaves its event.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from audit.kinds import EventKind
from audit.services import append
from gateway.identity import keys, selectors
from gateway.identity.keys import IssuedGatewayKey
from gateway.identity.models import Agent, ApiKey, Device, GatewayKey, Membership, ServiceAccount, User
from gateway.identity.problems import (
    AgentSuspended,
    KeyUnknown,
    LifetimeRefused,
    NameRefused,
    NameTaken,
    NotAMember,
    PasswordRefused,
    ScopeRefused,
)
from gateway.identity.proving import Cap
from gateway.sealing import services as sealing
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant

Random = Callable[[int], bytes]
SECRET_COLUMN = "identity_gatewaykey.sealed_secret"  # noqa: S105 - the name of a column
SHORTEST_GATEWAY_KEY, LONGEST_GATEWAY_KEY = timedelta(minutes=1), timedelta(hours=12)
SHORTEST_API_KEY, LONGEST_API_KEY = timedelta(minutes=1), timedelta(days=366)
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_USERNAME = re.compile(r"[A-Za-z0-9_.@+-]{1,150}")
GROUP_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
# What an agent's hook names: shown to people, so no control characters and no spaces that hide.
_REFERENCE = re.compile(r"[\x21-\x7e]{0,200}")


def create_tenant(*, slug: str, title: str, keys_may_vote: bool = False, password_alone: bool = False) -> Tenant:
    """Make a tenant. Only the owner role may: the serving role cannot add tenants. Raises NameRefused, NameTaken."""
    if not _SLUG.fullmatch(slug) or not 1 <= len(title) <= 120:
        raise NameRefused("A tenant's name is lower-case letters, digits and dashes, at most 40")
    tenant = Tenant(id=uuid.uuid4(), slug=slug, title=title, keys_may_vote=keys_may_vote, password_alone=password_alone)
    # Entered before it is there: row-level security checks the new row too, the owner's included.
    with _taken(f"Tenant `{slug}`"), in_tenant(tenant):
        tenant.save(force_insert=True)
    return tenant


@contextmanager
def _taken(what: str) -> Iterator[None]:
    """Let the database say whether a name is free: of two that ask for it at once, the second is told so."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        raise NameTaken(what) from None


@transaction.atomic
def create_member(
    *,
    tenant: Tenant,
    username: str,
    password: str,
    roles: Sequence[str],
    groups: Sequence[str],
    by_label: str,
    now: datetime,
) -> Membership:
    """Make a local person and the membership; raises NameRefused, NameTaken, PasswordRefused or ScopeRefused.

    A user name in use is refused, whichever tenant made it: nobody sets another tenant's person's password.
    """
    if not _USERNAME.fullmatch(username):
        raise NameRefused("A user name is letters, digits and @ . + - _, at most 150")
    # Compared without case: `Bob` beside `bob` would be taken for him on every approval page.
    if User.objects.filter(username__iexact=username).exists():
        raise NameTaken(f"User name `{username}`")
    user = User(username=username)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise PasswordRefused(" ".join(error.messages)) from None
    user.set_password(password)
    with _taken(f"User name `{username}`"):
        user.save(force_insert=True)
    return add_membership(tenant=tenant, user=user, roles=roles, groups=groups, by_label=by_label, now=now)


@transaction.atomic
def add_membership(
    *, tenant: Tenant, user: User, roles: Sequence[str], groups: Sequence[str], by_label: str, now: datetime
) -> Membership:
    """Make an existing person a member; raises NameTaken when he is one, NameRefused or ScopeRefused."""
    unknown = set(roles) - {role.value for role in Role}
    if unknown or not roles:
        raise ScopeRefused(f"Roles are {', '.join(Role)}")
    if not all(GROUP_NAME.fullmatch(group) for group in groups):
        raise NameRefused("A group is lower-case letters, digits and . _ -, at most 80")
    with _taken(f"Member `{user.get_username()}`"):
        made: Membership = Membership.objects.create(
            tenant=tenant, user=user, roles=_each_once(roles), groups=_each_once(groups)
        )
    data = {"by": by_label, "user": user.get_username(), "roles": list(made.roles)}
    append(tenant_id=tenant.pk, kind=EventKind.MEMBER_ADDED, at=now, subject=user.pk, data=data)
    return made


def _each_once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


@transaction.atomic
def create_agent(*, tenant: Tenant, name: str, kind: str, owner: User | None, by_label: str, now: datetime) -> Agent:
    """Make an agent known; its owner must be a member. Raises NameRefused, NameTaken or NotAMember."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}", name) or not re.fullmatch(r"[a-z0-9-]{1,40}", kind):
        raise NameRefused("An agent's name is letters, digits, spaces and . _ -, at most 80")
    if owner is not None:
        selectors.active_membership(tenant, owner)
    with _taken(f"Agent `{name}`"):
        made: Agent = Agent.objects.create(tenant=tenant, name=name, kind=kind, owner=owner)
    _record(tenant, EventKind.AGENT_CREATED, made.pk, now, by=by_label, agent=name)
    return made


@transaction.atomic
def create_service_account(*, tenant: Tenant, name: str, by_label: str, now: datetime) -> ServiceAccount:
    """Make a workload known that acts without a person at hand; raises NameRefused or NameTaken."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}", name):
        raise NameRefused("A service account's name is letters, digits, spaces and . _ -, at most 80")
    with _taken(f"Service account `{name}`"):
        made: ServiceAccount = ServiceAccount.objects.create(tenant=tenant, name=name)
    _record(tenant, EventKind.SERVICE_ACCOUNT_CREATED, made.pk, now, by=by_label, name=name)
    return made


@transaction.atomic
def issue_api_key(
    *,
    tenant: Tenant,
    name: str,
    user: User | None,
    scopes: Iterable[str],
    lifetime: timedelta,
    by_label: str,
    now: datetime,
    random: Random,
    granter_rights: frozenset[Right] | None = None,
    service_account: ServiceAccount | None = None,
    by_key: UUID | None = None,
) -> tuple[ApiKey, str]:
    """Issue a key for the REST API; the plaintext is returned once and kept nowhere.

    A person's key has no right the person lacks, and no key one its granter lacks where those are given: nobody
    makes himself a key to vote as another. Raises ScopeRefused, LifetimeRefused, NameRefused or NotAMember.
    """
    if not re.fullmatch(r"[\x20-\x7e]{1,80}", name):
        raise NameRefused("A key's name is 1 to 80 plain characters")
    if not SHORTEST_API_KEY <= lifetime <= LONGEST_API_KEY:
        raise LifetimeRefused("An API key lives from a minute to a year")
    rights = _scopes(tenant, user, set(scopes), granter_rights)
    key_id = uuid.uuid4()
    issued = keys.issue_api_key(tenant_id=tenant.pk, key_id=key_id, random=random)
    made: ApiKey = ApiKey.objects.create(
        id=key_id,
        tenant=tenant,
        name=name,
        user=user,
        service_account=service_account,
        digest=issued.digest,
        scopes=sorted(rights),
        expires_at=now + lifetime,
    )
    _record_api_key(made, by_label=by_label, by_key=by_key, now=now)
    return made, issued.plaintext_key


def _record_api_key(made: ApiKey, *, by_label: str, by_key: UUID | None, now: datetime) -> None:
    data = {"by": by_label, "name": made.name, "scopes": list(made.scopes), "expires_at": made.expires_at.isoformat()}
    if made.user is not None:
        data["user"] = made.user.get_username()
    if made.service_account is not None:
        data["what"] = f"service account {made.service_account.name}"
    if by_key is not None:
        data["key"] = str(by_key)
    append(tenant_id=made.tenant_id, kind=EventKind.API_KEY_ISSUED, at=now, subject=made.pk, data=data)


def _scopes(
    tenant: Tenant, user: User | None, wanted: set[str], granter_rights: frozenset[Right] | None
) -> frozenset[Right]:
    rights = frozenset(right for right in Right if right.value in wanted)
    if not wanted or len(rights) != len(wanted):
        raise ScopeRefused("A scope is the name of a right, such as `requests:read`")
    if user is None and Right.APPROVALS_VOTE in rights:
        raise ScopeRefused("Only a person's key may vote")
    ceilings = [] if user is None else [selectors.active_membership(tenant, user).rights]
    if granter_rights is not None:
        ceilings.append(granter_rights)
    for ceiling in ceilings:
        if missing := sorted(rights - ceiling):
            raise ScopeRefused(f"Beyond what may be given: {', '.join(missing)}")
    return rights


@transaction.atomic
def revoke_api_key(*, tenant: Tenant, key_id: UUID, by_label: str, now: datetime) -> ApiKey:
    """End an API key at once; raises KeyUnknown. Revoking twice is one event."""
    key: ApiKey | None = ApiKey.objects.for_tenant(tenant).select_for_update().filter(pk=key_id).first()
    if key is None:
        raise KeyUnknown
    if key.revoked_at is None:
        key.revoked_at = now
        key.save(update_fields=("revoked_at",))
        _record(tenant, EventKind.API_KEY_REVOKED, key.pk, now, by=by_label, name=key.name)
    return key


@transaction.atomic
def issue_gateway_key(
    *,
    tenant: Tenant,
    user: User | None,
    agent: Agent | None,
    connection_id: UUID,
    service_account: ServiceAccount | None = None,
    conversation: str = "",
    generation: str = "",
    prompt_id: UUID | None = None,
    lifetime: timedelta,
    by_label: str,
    issued_by_key: UUID | None,
    now: datetime,
    random: Random,
    device: Device | None = None,
    cap: Cap | None = None,
    how: str = "",
) -> tuple[GatewayKey, IssuedGatewayKey]:
    """Issue AWS-shaped keys for one person or workload, agent and connection; secret and token are returned once.

    With a device, its token follows from its secret, so that the keys can be given again while they live; `how` is its
    word on how it found the prompt, kept in the event. Raises LifetimeRefused, NameRefused, NotAMember or
    AgentSuspended; the commit refuses a foreign connection.
    """
    holder = user or service_account
    if holder is None or (user and service_account):
        raise NotAMember("A gateway key is one person's or one workload's")
    _check_gateway_key(tenant, holder, agent, references=(conversation, generation), lifetime=lifetime)
    key_id = uuid.uuid4()
    issue = keys.issue_gateway_key if device is None else keys.issue_derived_key
    issued = issue(tenant_id=tenant.pk, key_id=key_id, random=random)
    made: GatewayKey = GatewayKey.objects.create(
        id=key_id,
        tenant=tenant,
        access_key_id=issued.access_key_id,
        sealed_secret=_sealed(tenant, issued.plaintext_secret),
        token_digest=keys.digest(issued.plaintext_token),
        user=user,
        service_account=service_account,
        agent=agent,
        connection_id=connection_id,
        conversation=conversation,
        generation=generation,
        prompt_id=prompt_id,
        issued_at=now,
        expires_at=now + lifetime,
        issued_by_key=issued_by_key,
        device=device,
        link_cap=cap.level.value if cap is not None else "",
        cap_reason=cap.reason[:200] if cap is not None else "",
    )
    _record_issue(made, holder, agent, by_label, now, how=how)
    return made, issued


def _check_gateway_key(
    tenant: Tenant,
    holder: User | ServiceAccount,
    agent: Agent | None,
    *,
    references: Iterable[str],
    lifetime: timedelta,
) -> None:
    """Who will hold the key may act today, what it names can be shown to people, and it ends soon enough."""
    if not SHORTEST_GATEWAY_KEY <= lifetime <= LONGEST_GATEWAY_KEY:
        raise LifetimeRefused("A gateway key lives from a minute to 12 hours")
    if not all(_REFERENCE.fullmatch(reference) for reference in references):
        raise NameRefused("Conversation and generation are at most 200 visible ASCII characters")
    if isinstance(holder, User):
        selectors.active_membership(tenant, holder)
    # The database is asked: the row in the caller's hand may be older than a suspension.
    if agent is not None and selectors.agent(tenant, agent.pk).is_suspended:
        raise AgentSuspended(f"Agent `{agent.name}`")


def _sealed(tenant: Tenant, plaintext_secret: str) -> bytes:
    return sealing.seal(tenant_id=tenant.pk, column=SECRET_COLUMN, plaintext=plaintext_secret.encode())


def _record_issue(
    key: GatewayKey, holder: User | ServiceAccount, agent: Agent | None, by_label: str, now: datetime, *, how: str
) -> None:
    data = {
        "by": by_label,
        "key": key.access_key_id,
        **_named(holder),
        "connection": str(key.connection_id),
        "expires_at": key.expires_at.isoformat(),
    }
    if agent is not None:
        data["agent"] = agent.name
    if key.device is not None:
        data |= {"what": f"device {key.device.name}", "result": f"at most {key.link_cap}", "reason": key.cap_reason}
    if how:
        data["link_reason"] = how
    append(tenant_id=key.tenant_id, kind=EventKind.KEY_ISSUED, at=now, subject=key.pk, data=data)


def _named(holder: User | ServiceAccount) -> dict[str, str]:
    return {"user": holder.get_username()} if isinstance(holder, User) else {"what": f"service account {holder.name}"}


@transaction.atomic
def revoke_gateway_key(*, tenant: Tenant, key_id: UUID, by_label: str, now: datetime) -> GatewayKey:
    """End a gateway key at once; raises KeyUnknown. Revoking twice is one event."""
    # Not against references: calls made with the key refer to it, and are checked while they hold the ledger's head.
    rows = GatewayKey.objects.for_tenant(tenant).select_for_update(no_key=True)
    key: GatewayKey | None = rows.filter(pk=key_id).first()
    if key is None:
        raise KeyUnknown
    if key.revoked_at is None:
        key.revoked_at = now
        key.save(update_fields=("revoked_at",))
        _record(tenant, EventKind.KEY_REVOKED, key.pk, now, by=by_label, key=key.access_key_id)
    return key


def _record(tenant: Tenant, kind: EventKind, subject: UUID, now: datetime, **facts: str) -> None:
    append(tenant_id=tenant.pk, kind=kind, at=now, subject=subject, data=facts)
