"""Signing in with a local password: checked, throttled, written down.

Opening the browser's session afterwards is the page's; OIDC and SAML have doors of their own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth import authenticate

from audit.kinds import EventKind
from audit.services import append
from gateway.identity.models import Membership, User
from gateway.identity.problems import SignInRefused
from gateway.identity.throttle import throttle
from gateway.tenants.scope import as_user, in_tenant

# Per user name and address, so that nobody locks another person out from elsewhere.
MOST_FAILURES = 8
WINDOW = timedelta(minutes=5)
# Longer input is refused unread: a password hash over megabytes is a cheap way to keep a server busy.
LONGEST_USERNAME, LONGEST_PASSWORD = 150, 1024


def sign_in(*, username: str, password: str, source: str, now: datetime) -> User:
    """Return the person; raises SignInRefused or SignInThrottled. Which tenants it opens is `local_door`'s to say.

    Call outside a tenant's transaction. A wrong password for a known person is an event there too, at most
    MOST_FAILURES times a window: past that nothing is checked, and nothing is written.
    """
    counter = _counter(username, source)
    throttle().count(counter, most=MOST_FAILURES, window=WINDOW, now=now)
    user = _checked(username, password)
    if user is None or not _tenants_of(user):
        _record_refusal(username, now)
        raise SignInRefused
    throttle().forget(counter)
    return user


def _checked(username: str, password: str) -> User | None:
    if not _may_be_a_name(username) or len(password) > LONGEST_PASSWORD:
        return None
    user = authenticate(request=None, username=username, password=password)
    return user if isinstance(user, User) else None


def _may_be_a_name(username: str) -> bool:
    # PostgreSQL's text holds no NUL: asking for such a name would be an error, not a refusal.
    return 0 < len(username) <= LONGEST_USERNAME and username.isprintable()


def _counter(username: str, source: str) -> str:
    return f"sign-in:{username.casefold()}\n{source}"


def _tenants_of(user: User) -> list[UUID]:
    with as_user(user.pk):
        rows = Membership.objects.filter(user=user, is_active=True, tenant__is_suspended=False)
        return list(rows.values_list("tenant_id", flat=True))


def _record_refusal(username: str, now: datetime) -> None:
    known = User.objects.filter(username=username).first() if _may_be_a_name(username) else None
    if known is None:
        return
    for tenant_id in _tenants_of(known):
        _record(tenant_id, EventKind.SIGN_IN_REFUSED, known, now)


def _record(tenant_id: UUID, kind: EventKind, user: User, now: datetime) -> None:
    with in_tenant(tenant_id):
        append(tenant_id=tenant_id, kind=kind, at=now, subject=user.pk, data={"user": user.get_username()})
