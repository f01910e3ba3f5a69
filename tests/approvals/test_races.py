"""Two at the same moment, with real transactions: one question, one vote a person, one grant, one taker."""

from __future__ import annotations

import uuid
from collections import Counter
from functools import partial
from threading import Event

import pytest
from django.db import connection

from approvals.models import ApprovalRequest, ApprovalState
from approvals.problems import AlreadyVoted, NotPending
from approvals.services import expire_due, open_or_join, revoke_all_of, take_granted, take_granted_by_id, vote
from audit.kinds import EventKind
from audit.services import NewEvent, append_all
from gateway.identity.models import User
from gateway.tenants.models import OutboxMessage, Tenant
from gateway.tenants.rights import Role
from gateway.tenants.scope import in_tenant
from tests.approvals.asking import DIGEST, OPERATORS, TWO_OPERATORS, Asking, kinds_of, state_of
from tests.people import NOW, caller_of, member
from tests.races import LONGEST_WAIT_SECONDS, at_once

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 6


def test_identical_calls_at_once_ask_once(asking: Asking, acme: Tenant) -> None:
    found = at_once([asking.open] * THREADS)
    assert len({approval.pk for approval in found if isinstance(approval, ApprovalRequest)}) == 1
    assert not [one for one in found if isinstance(one, Exception)]
    assert kinds_of(acme) == ["approval.opened"]


def test_batches_that_open_the_same_calls_do_not_wait_in_a_ring(asking: Asking, acme: Tenant) -> None:
    digests = [f"{number:064d}" for number in range(5)]

    def batch(wanted: list[str]) -> None:
        later: list[NewEvent] = []
        with in_tenant(acme):
            for digest in sorted(wanted):
                open_or_join(
                    tenant_id=acme.pk,
                    digest=digest,
                    asks=(OPERATORS,),
                    details=asking.details(),
                    now=NOW,
                    later=later,
                )
            later.append(NewEvent(kind=EventKind.SESSION_OPENED, at=NOW, subject=acme.pk))
            append_all(tenant_id=acme.pk, events=later)

    assert at_once([partial(batch, digests), partial(batch, digests[::-1])] * 3) == [None] * 6
    assert Counter(kinds_of(acme)) == {"approval.opened": 5, "session.opened": 6}


def test_one_taker_gets_the_grant(asking: Asking, acme: Tenant) -> None:
    asking.granted()

    def take(request_id: uuid.UUID) -> uuid.UUID | None:
        with in_tenant(acme):
            taken = take_granted(tenant_id=acme.pk, digest=DIGEST, request_id=request_id, now=NOW)
            return taken.used_by_request if taken else None

    calls = [uuid.uuid4() for _ in range(THREADS)]
    won = [one for one in at_once([partial(take, call) for call in calls]) if one is not None]
    assert len(won) == 1
    assert won[0] in calls
    assert kinds_of(acme).count("approval.used") == 1


def test_worker_and_returning_client_do_not_both_take_it(asking: Asking, acme: Tenant) -> None:
    approval = asking.granted()

    def by_digest() -> bool:
        with in_tenant(acme):
            return take_granted(tenant_id=acme.pk, digest=DIGEST, request_id=uuid.uuid4(), now=NOW) is not None

    def by_id() -> bool:
        with in_tenant(acme):
            return (
                take_granted_by_id(tenant_id=acme.pk, approval_id=approval.pk, request_id=uuid.uuid4(), now=NOW)
                is not None
            )

    assert Counter(at_once([by_digest, by_id] * 3)) == {True: 1, False: 5}


def test_a_grant_is_used_or_expires_never_both(asking: Asking, acme: Tenant) -> None:
    approval = asking.granted()

    def take() -> bool:
        with in_tenant(acme):
            return take_granted(tenant_id=acme.pk, digest=DIGEST, request_id=uuid.uuid4(), now=NOW) is not None

    def expire() -> bool:
        with in_tenant(acme):
            return bool(expire_due(tenant_id=acme.pk, now=approval.expires_at))

    assert Counter(at_once([take, expire] * 3))[True] == 1
    assert Counter(kinds_of(acme)[1:]) in ({"approval.used": 1}, {"approval.expired": 1})


def test_a_grant_is_used_or_revoked_never_both(asking: Asking, acme: Tenant) -> None:
    approval = asking.granted()
    is_taken, suspension_is_done = Event(), Event()

    def take() -> bool:
        with in_tenant(acme):
            taken = take_granted(tenant_id=acme.pk, digest=DIGEST, request_id=uuid.uuid4(), now=NOW) is not None
            is_taken.set()
            # Held open: the suspension must wait for this commit, so its being done never comes first.
            assert not suspension_is_done.wait(0.5)
        return taken

    def suspend() -> bool:
        assert is_taken.wait(LONGEST_WAIT_SECONDS)
        with in_tenant(acme):
            ended = revoke_all_of(tenant_id=acme.pk, by="root", reason="suspended", now=NOW, asker_id=approval.asker_id)
        suspension_is_done.set()
        return bool(ended)

    assert at_once([take, suspend]) == [True, False]
    assert state_of(approval) == ApprovalState.USED
    assert kinds_of(acme) == ["approval.opened", "approval.used"]


def test_a_person_voting_twice_at_once_votes_once(asking: Asking, acme: Tenant, bob: User) -> None:
    approval = asking.open(TWO_OPERATORS)
    caller = caller_of(acme, bob)

    def cast() -> str:
        with in_tenant(acme):
            return vote(tenant=acme, approval_id=approval.pk, caller=caller, answer="approve", reason="", now=NOW).state

    results = at_once([cast] * THREADS)
    assert [one for one in results if one == ApprovalState.PENDING] == [ApprovalState.PENDING]
    assert sum(isinstance(one, AlreadyVoted) for one in results) == THREADS - 1
    assert state_of(approval) == ApprovalState.PENDING
    assert kinds_of(acme) == ["approval.opened", "approval.voted"]


def test_more_approvers_than_needed_grant_once(asking: Asking, acme: Tenant) -> None:
    approval = asking.open(TWO_OPERATORS)
    names = [f"operator{number}" for number in range(THREADS)]
    callers = [
        caller_of(acme, member(acme, name, roles=[Role.APPROVER], groups=["operators", "security"])) for name in names
    ]

    def cast(caller: object) -> str:
        with in_tenant(acme):
            return vote(
                tenant=acme,
                approval_id=approval.pk,
                caller=caller,  # type: ignore[arg-type]  # partial hides the type
                answer="approve",
                reason="",
                now=NOW,
            ).state

    results = at_once([partial(cast, caller) for caller in callers])
    assert sum(one == ApprovalState.GRANTED for one in results) == 1
    assert sum(isinstance(one, NotPending) for one in results) == THREADS - 2
    assert Counter(kinds_of(acme)) == {"approval.opened": 1, "approval.voted": 2, "approval.granted": 1}
    with in_tenant(acme):
        assert OutboxMessage.objects.filter(subject=approval.pk).count() == 1


def test_approve_and_refuse_at_once_end_in_one_state(asking: Asking, acme: Tenant, bob: User, carol: User) -> None:
    approval = asking.open()

    def cast(caller: object, answer: str) -> str:
        with in_tenant(acme):
            return vote(
                tenant=acme,
                approval_id=approval.pk,
                caller=caller,  # type: ignore[arg-type]  # partial hides the type
                answer=answer,
                reason="",
                now=NOW,
            ).state

    results = at_once([partial(cast, caller_of(acme, bob), "approve"), partial(cast, caller_of(acme, carol), "refuse")])
    assert sum(isinstance(one, NotPending) for one in results) == 1
    assert state_of(approval) in {ApprovalState.GRANTED, ApprovalState.REFUSED}
    assert len(kinds_of(acme)) == 3


def test_the_threads_have_connections_of_their_own_under_the_app_role(acme: Tenant) -> None:
    def who() -> tuple[str, int]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user, pg_backend_pid()")
            name, pid = cursor.fetchone()
            return name, pid

    found = at_once([who] * 3)
    assert {name for name, _ in found} == {"hoopweb_app"}  # type: ignore[misc]  # none of them raised
    assert len(set(found)) == 3
