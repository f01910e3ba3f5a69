"""The feed: notices in order and none passed over, refusals counted, and the end of a revoked or fenced edge."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from audit.kinds import EventKind
from audit.services import NewEvent, append_all
from gateway.identity.services import revoke_gateway_key
from gateway.identity.standing import Switch, switch_agent
from gateway.requests import edges
from gateway.requests import feed as feeding
from gateway.requests.models import Edge
from gateway.requests.problems import BootFenced
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import FeedAnswer, FeedRequest, HoldEnd, Refusal
from tests.connections.strict_sts import StrictSts
from tests.people import admin_of
from tests.requests.asking import Asking
from tests.requests.world import EdgeLife, Keys, enrolled, publish_text, refusal_counts, row_of


def feed(edge: EdgeLife, cursor: dict[str, int] | None = None, **told: object) -> FeedAnswer:
    asked = FeedRequest(boot=edge.boot, cursor=cursor or {}, **told)  # type: ignore[arg-type]  # as a test tells it
    return feeding.feed(edge=edge.identity, asked=asked, now=datetime.now(UTC))


def test_an_edge_without_a_cursor_begins_at_the_head(edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    first = feed(edge)
    assert first.notices == ()
    assert set(first.cursor) == {str(acme.pk)}


def test_a_revoked_key_and_a_suspended_agent_are_told_once(edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    cursor = feed(edge).cursor
    with in_tenant(acme):
        revoke_gateway_key(tenant=acme, key_id=keys.row.pk, by_label="bob", now=keys.now)
        assert keys.row.agent_id is not None
        switch_agent(by=admin_of(acme), agent_id=keys.row.agent_id, switch=Switch(is_suspended=True), now=keys.now)
    answer = feed(edge, cursor)
    assert [(one.kind, one.subject) for one in answer.notices] == [
        ("key.revoked", keys.row.pk),
        ("agent.suspended", keys.row.agent_id),
    ]
    assert feed(edge, answer.cursor).notices == ()
    # An answer that was lost is given again.
    assert feed(edge, cursor).notices == answer.notices


def test_a_publish_is_told(edge: EdgeLife, acme: Tenant) -> None:
    cursor = feed(edge).cursor
    publish_text(acme, '@id("none") forbid (principal, action, resource);')
    assert [one.kind for one in feed(edge, cursor).notices] == ["revision.published"]


def test_what_is_nobodys_business_is_not_told(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    cursor = feed(edge).cursor
    edge.admit(keys.call("secretsmanager", "list_secrets"))
    assert feed(edge, cursor).notices == ()


def test_more_notices_than_a_page_holds_come_in_pages(
    edge: EdgeLife, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "LARGEST_NOTICE_PAGE", 3)
    cursor = feed(edge).cursor
    subjects = [uuid.uuid4() for _ in range(8)]
    with in_tenant(acme):
        now = datetime.now(UTC)
        append_all(
            tenant_id=acme.pk,
            events=[NewEvent(kind=EventKind.KEY_REVOKED, at=now, subject=subject) for subject in subjects],
        )
    heard: list[uuid.UUID] = []
    for _ in range(4):
        answer = feed(edge, cursor)
        cursor = answer.cursor
        heard.extend(one.subject for one in answer.notices)
    assert heard == subjects


@pytest.mark.parametrize("said", [-(2**63), -1, 2**62, 2**63 - 1])
def test_a_cursor_from_nowhere_does_no_harm(edge: EdgeLife, acme: Tenant, said: int) -> None:
    head = feed(edge).cursor[str(acme.pk)]
    assert feed(edge, {str(acme.pk): said, "made up": 7}).cursor == {str(acme.pk): head}


def test_another_tenants_notices_are_not_told(edge: EdgeLife, acme: Tenant, globex: Tenant) -> None:
    publish_text(globex, '@id("none") forbid (principal, action, resource);')
    answer = feed(edge, {str(acme.pk): 0, str(globex.pk): 0})
    assert set(answer.cursor) == {str(acme.pk)}
    assert [one.kind for one in answer.notices if one.kind == "revision.published"] == []


def test_what_the_edge_refused_itself_is_counted(edge: EdgeLife) -> None:
    feed(edge, refusals=(Refusal(source="203.0.113.9", code="edge.malformed", count=3),))
    feed(edge, refusals=(Refusal(source="203.0.113.9", code="edge.malformed", count=2),))
    assert refusal_counts() == {"edge.malformed": 5}


def test_a_revoked_edge_is_told_so_and_nothing_else(edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    cursor = feed(edge).cursor
    with in_tenant(acme):
        revoke_gateway_key(tenant=acme, key_id=keys.row.pk, by_label="bob", now=keys.now)
    Edge.objects.filter(pk=edge.identity.id).update(revoked_at=datetime.now(UTC))
    edge.look_again()
    answer = feed(edge, cursor, refusals=(Refusal(source="x", code="y", count=1),))
    assert answer == FeedAnswer(cursor=cursor, is_revoked=True)
    assert refusal_counts() == {}


def test_a_fenced_life_is_told_so(edge: EdgeLife) -> None:
    earlier = EdgeLife(identity=edge.identity, key=edge.key, boot=edge.boot)
    edge.start()
    with pytest.raises(BootFenced):
        feed(earlier)


def test_a_feed_says_that_its_edge_lives(edge: EdgeLife) -> None:
    now = datetime.now(UTC)
    feed(edge)
    assert edges.fence_silent(now=now) == 0


def test_another_edge_ends_none_of_these_holds_and_hears_of_none(asking: Asking, acme: Tenant) -> None:
    admission = asking.terminate()
    approval = asking.hold(admission)
    asking.answer(approval, "refuse")
    other = enrolled(acme, name="edge-2")
    answer = feed(other, held=(admission.id,), ended=(HoldEnd(id=admission.id, client_is_gone=True),))
    assert answer.resolutions == ()
    assert row_of(acme, admission).state == "held"


def test_a_hold_that_ends_twice_ends_once(asking: Asking, acme: Tenant) -> None:
    admission = asking.terminate()
    asking.hold(admission)
    asking.leave(admission)
    asking.leave(admission, gone=False)
    assert row_of(acme, admission).state == "not_sent"


def test_many_holds_end_in_one_turn(asking: Asking, acme: Tenant) -> None:
    calls = [asking.terminate(f"i-{number}") for number in range(5)]
    for call in calls:
        asking.hold(call)
    asking.feed(ended=tuple(HoldEnd(id=call.id, client_is_gone=True) for call in calls))
    assert {row_of(acme, call).state for call in calls} == {"not_sent"}
