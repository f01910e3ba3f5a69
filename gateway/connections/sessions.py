"""Pools of role sessions, one per (connection, person, access class): assumed once, used until shortly before expiry.

Call outside any database transaction: STS may take seconds. Asking STS itself is `gateway.connections.sts`.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from gateway.connections import sts
from gateway.connections.chain import narrowing_of, steps_of
from gateway.connections.problems import AssumeRoleFailed, RoleRefused
from gateway.connections.session_policies import SessionPolicy, for_class, for_hop, narrowed
from gateway.connections.sts import RoleSession, RoleTarget, StsRefused
from gateway.terms import AccessClass

log = logging.getLogger(__name__)

# A new session is fetched this long before the old one ends, so that no call meets an expired one on the way.
REFRESH_AHEAD = timedelta(minutes=5)
# What a session must still last to be given out while its refresh fails or is under way.
LEAST_LEFT = timedelta(minutes=1)
# A refusal is remembered this long: a thousand waiting calls must not become a thousand calls to STS.
REMEMBERED_REFUSAL = timedelta(seconds=2)
# Longer than both attempts at STS may take.
LONGEST_WAIT_SECONDS = 25.0
# People x access classes x connections in use at once; the least recently used pool goes first.
LARGEST_POOL = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionAsk:
    """Which role session is wanted: for whom (`person` is a source identity), and for calls of which class."""

    target: RoleTarget
    person: str
    access: AccessClass
    # Of a session its maker narrowed, what its calls do: each set is a pool of its own.
    actions: tuple[str, ...] = ()
    # A session that does nothing but assume this next role of a chain.
    towards: str = ""


@dataclass(slots=True)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    session: RoleSession | None = None
    refused_at: datetime | None = None
    refusal: str = ""


Assume = Callable[[SessionAsk], RoleSession]


class RoleSessions:
    """A bounded, thread-safe cache of role sessions; each is fetched by one thread at a time."""

    def __init__(self, assume: Assume, *, largest: int = LARGEST_POOL) -> None:
        self._assume = assume
        self._largest = largest
        self._slots: OrderedDict[SessionAsk, _Slot] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._slots)

    def get(self, ask: SessionAsk, now: datetime) -> RoleSession:
        """Return a session that lasts at least LEAST_LEFT; raises AssumeRoleFailed."""
        slot = self._slot(ask)
        session = slot.session
        if session and session.expires_at - now > REFRESH_AHEAD:
            return session
        usable = session if session and session.expires_at - now > LEAST_LEFT else None
        # Whoever can go on with the old session does not wait for the thread that fetches the next.
        if not slot.lock.acquire(timeout=0 if usable else LONGEST_WAIT_SECONDS):
            return _usable(usable, "Timeout", ask)
        try:
            return self._refreshed(slot, ask, usable, now)
        finally:
            slot.lock.release()

    def _slot(self, ask: SessionAsk) -> _Slot:
        with self._lock:
            slot = self._slots.get(ask)
            if slot is None:
                slot = self._slots[ask] = _Slot()
            else:
                self._slots.move_to_end(ask)
            while len(self._slots) > self._largest:
                self._slots.popitem(last=False)
            return slot

    def _refreshed(self, slot: _Slot, ask: SessionAsk, usable: RoleSession | None, now: datetime) -> RoleSession:
        """In the slot's lock: the session another thread fetched meanwhile, or a new one."""
        if slot.session and slot.session.expires_at - now > REFRESH_AHEAD:
            return slot.session
        if slot.refused_at and now - slot.refused_at < REMEMBERED_REFUSAL:
            return _usable(usable, slot.refusal, ask)
        try:
            slot.session = self._assume(ask)
        except StsRefused as refusal:
            slot.refused_at, slot.refusal = now, refusal.code
            log.warning("AssumeRole for connection %s refused: %s", ask.target.connection_id, refusal.code)
            return _usable(usable, refusal.code, ask)
        slot.refused_at = None
        return slot.session


def _usable(session: RoleSession | None, code: str, ask: SessionAsk) -> RoleSession:
    if session is not None:
        return session
    # The connection's own role is ours to mend, so a client may try again; a role of its choice is not.
    is_chained = len(steps_of(ask.target.role_arn, ask.target.hops)) > 1
    raise (RoleRefused if is_chained and code == "AccessDenied" else AssumeRoleFailed)(f"STS answered `{code}`")


def _session_name(ask: SessionAsk) -> str:
    return f"{ask.person[:40]}.{ask.access.value.replace(' ', '-')}"


def _policy(ask: SessionAsk) -> SessionPolicy:
    """The ceiling of a pool."""
    target = ask.target
    narrowing, account, further = narrowing_of(target.hops), target.end_account, target.beside
    if ask.towards:
        return for_hop(ask.towards, narrowing, account=account, regions=target.regions, further=further)
    if narrowing:
        return narrowed(narrowing, ask.actions, account=account, regions=target.regions, further=further)
    return for_class(ask.access, account=account, regions=target.regions, further=further)


def _assume(ask: SessionAsk) -> RoleSession:
    return _assumed(ask, _policy(ask))


def _assumed(ask: SessionAsk, policy: SessionPolicy) -> RoleSession:
    """The session at the end of the ask's chain, under this policy; raises StsRefused, and AssumeRoleFailed on the way."""
    *before, last = steps_of(ask.target.role_arn, ask.target.hops)
    if not before:
        return sts.assume_role(
            ask.target,
            source=ask.person,
            session_name=last.session_name or _session_name(ask),
            policy=policy,
            tags=last.tags,
            transitive=last.transitive,
        )
    way = replace(ask.target, hops=tuple(step for step in before if step.session_name))
    towards = SessionAsk(target=way, person=ask.person, access=AccessClass.CREDENTIAL, towards=last.role_arn)
    # Not as of the caller's moment: asking STS for what stands before may have taken seconds.
    by = _SESSIONS.get(towards, datetime.now(UTC))
    return sts.assume_next(ask.target, last, by=by, source=ask.person, policy=policy)


_SESSIONS = RoleSessions(_assume)


def role_session(request: SessionAsk, now: datetime) -> RoleSession:
    """Return a role session of the right pool, assumed if need be; raises AssumeRoleFailed, RoleRefused."""
    return _SESSIONS.get(request, now)


def one_call_session(request: SessionAsk, policy: SessionPolicy) -> RoleSession:
    """Assume a session for one approved call under its own policy; it is never pooled.

    Raises AssumeRoleFailed, RoleRefused.
    """
    try:
        return _assumed(request, policy)
    except StsRefused as refusal:
        return _usable(None, refusal.code, request)
