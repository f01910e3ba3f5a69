"""Notices by webhook: signed, tried again with patience, under one id, through the egress guard, never without an end."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from approvals.notify.delivery import GIVEN_UP_AFTER, MOST_ATTEMPTS, wait_after
from approvals.notify.following import MOST_WAITING
from approvals.notify.models import Notice, NoticeChannel, NoticeDelivery
from approvals.notify.tidying import KEPT, forget_old, give_up_old
from audit.kinds import EventKind
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.api.asking import Api, is_problem
from tests.approvals.notify.conftest import Channel
from tests.approvals.notify.receiving import Receiver
from tests.approvals.notify.telling import channel_named, delivered, followed, notices, states
from tests.approvals.notify.test_following import told
from tests.identity.test_members import events

DAY = timedelta(days=1)
KIND = "break_glass"


def glass(tenant: Tenant, times: int = 1) -> None:
    for number in range(times):
        told(tenant, EventKind.GLASS_BROKEN, user=f"olga{number or ''}")
    followed(tenant)


def is_signed(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Checked as the specification's libraries do."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, signed, "sha256").digest()).decode()
    return any(hmac.compare_digest(f"v1,{wanted}", one) for one in headers["webhook-signature"].split())


def test_a_notice_arrives_signed_with_the_secret_that_was_shown_once(acme: Tenant, hook: Receiver, olgas: Api) -> None:
    body = {"name": "team red", "way": "webhook", "target": hook.url, "kinds": [KIND]}
    secret = olgas.post("notice-channels/", body).json()["secret"]
    glass(acme)
    assert delivered(acme) == 1
    ((headers, sent),) = hook.posts
    assert is_signed(secret, headers, sent)
    assert abs(int(headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 600
    said = json.loads(sent)
    assert (said["type"], said["tenant"], said["id"]) == (KIND, "acme", headers["webhook-id"])
    assert said["event"]["kind"] == "person.broke_glass"
    shown = olgas.get("notice-channels/")
    assert "secret" not in shown.json()["items"][0]
    assert secret not in shown.content.decode()
    with in_tenant(acme):
        stored = NoticeChannel.objects.for_tenant(acme).get()
    assert base64.b64decode(secret.removeprefix("whsec_")) not in bytes(stored.sealed_secret or b"")


def test_only_the_kinds_that_were_chosen_are_sent(acme: Tenant, hook: Receiver, to_hook: Channel) -> None:
    to_hook("device")
    glass(acme)
    assert (delivered(acme), hook.posts) == (0, [])


def test_a_receiver_that_refuses_is_asked_again_later_under_the_same_id(
    acme: Tenant, hook: Receiver, to_hook: Channel
) -> None:
    to_hook(KIND)
    hook.statuses = [500]
    glass(acme)
    assert (delivered(acme), delivered(acme)) == (0, 0)
    assert len(hook.posts) == 1
    assert delivered(acme, later=timedelta(minutes=1)) == 1
    first, second = (headers["webhook-id"] for headers, _ in hook.posts)
    assert first == second


def test_waiting_grows_to_an_hour() -> None:
    waits = [wait_after(number).total_seconds() for number in range(1, 9)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (10, 3600)


def test_a_failing_channel_is_seen_and_written_down_once_and_recovers(
    acme: Tenant, hook: Receiver, olgas: Api, to_hook: Channel
) -> None:
    channel = to_hook(KIND)
    hook.statuses = [503, 503]
    glass(acme)
    delivered(acme)
    delivered(acme, later=timedelta(minutes=1))
    assert len(events(acme, "notice_channel.failing")) == 1
    seen = olgas.get(f"notice-channels/{channel.pk}/").json()
    assert (seen["last_error"], seen["failing_since"] is None) == ("it answered 503", False)
    delivered(acme, later=timedelta(hours=1))
    seen = olgas.get(f"notice-channels/{channel.pk}/").json()
    assert (seen["last_error"], seen["failing_since"], seen["delivered_at"] is None) == ("", None, False)


def test_one_notice_a_receiver_cannot_bear_does_not_stop_the_others_and_is_given_up(
    acme: Tenant, hook: Receiver, to_hook: Channel
) -> None:
    to_hook(KIND)
    glass(acme, 2)
    for number in range(MOST_ATTEMPTS):
        hook.unbearable = b"olga1"
        delivered(acme, later=timedelta(hours=2 * number))
    assert sorted(states(acme)) == ["delivered", "given_up"]
    assert len(events(acme, "notice.undelivered")) == 1


def test_a_dead_receiver_is_given_up_after_a_day_with_one_event(acme: Tenant, hook: Receiver, to_hook: Channel) -> None:
    to_hook(KIND)
    glass(acme, 3)
    later = datetime.now(UTC) + GIVEN_UP_AFTER + timedelta(minutes=1)
    with in_tenant(acme):
        assert (give_up_old(tenant_id=acme.pk, now=later), give_up_old(tenant_id=acme.pk, now=later)) == (3, 0)
    (event,) = events(acme, "notice.undelivered")
    assert event["data"]["count"] == 3


def test_a_queue_has_an_end_and_people_are_told_once(acme: Tenant, hook: Receiver, to_hook: Channel) -> None:
    channel = to_hook(KIND)
    followed(acme)
    with in_tenant(acme):
        made = Notice.objects.bulk_create(
            Notice(
                tenant=acme, kind=KIND, subject=acme.pk, title="x", at=datetime.now(UTC), noticed_at=datetime.now(UTC)
            )
            for _ in range(MOST_WAITING)
        )
        NoticeDelivery.objects.bulk_create(
            NoticeDelivery(
                tenant=acme, channel=channel, notice=one, created_at=datetime.now(UTC), due_at=datetime.now(UTC)
            )
            for one in made
        )
    glass(acme, 2)
    glass(acme)
    assert len(states(acme)) == MOST_WAITING
    assert len(events(acme, "notice.dropped")) == 1
    assert channel_named(acme, "team red").dropped == 3


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:80/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:169.254.169.254]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://2130706433/",
        "ftp://example.com/",
        "javascript:alert(1)",
        "https://user:pass@example.com/",
    ],
)
def test_a_webhook_into_our_own_house_is_refused(acme: Tenant, olgas: Api, target: str) -> None:
    body = {"name": "x", "way": "webhook", "target": target, "kinds": [KIND]}
    assert is_problem(olgas.post("notice-channels/", body), 400, "tenants.destination_refused")


def test_a_webhook_whose_address_moved_into_our_house_later_is_not_dialled(
    acme: Tenant, hook: Receiver, to_hook: Channel, settings: Settings
) -> None:
    to_hook(KIND)
    settings.EGRESS_ALLOWED = []
    glass(acme)
    assert (delivered(acme), hook.posts) == (0, [])
    assert "loopback" in channel_named(acme, "team red").last_error


def test_a_receiver_that_leads_elsewhere_is_not_followed(acme: Tenant, hook: Receiver, to_hook: Channel) -> None:
    to_hook(KIND)
    hook.statuses = [307]
    glass(acme)
    assert delivered(acme) == 0
    assert "redirects" in channel_named(acme, "team red").last_error


def test_a_new_secret_and_the_one_before_both_sign_for_a_day(acme: Tenant, hook: Receiver, olgas: Api) -> None:
    body = {"name": "team red", "way": "webhook", "target": hook.url, "kinds": [KIND]}
    made = olgas.post("notice-channels/", body).json()
    changed = olgas.post(f"notice-channels/{made['id']}/secret/", {}).json()
    assert changed["secret"] != made["secret"]
    glass(acme)
    delivered(acme)
    headers, sent = hook.posts[-1]
    assert is_signed(made["secret"], headers, sent)
    assert is_signed(changed["secret"], headers, sent)
    glass(acme)
    delivered(acme, later=timedelta(hours=25))
    headers, sent = hook.posts[-1]
    assert not is_signed(made["secret"], headers, sent)
    assert is_signed(changed["secret"], headers, sent)


def test_a_tried_channel_gets_a_notice_that_says_so_and_no_other_does(
    acme: Tenant, hook: Receiver, olgas: Api, to_hook: Channel
) -> None:
    channel = to_hook(KIND)
    to_hook(KIND, name="another")
    assert olgas.post(f"notice-channels/{channel.pk}/test/", {}).status_code == 202
    assert delivered(acme) == 1
    assert json.loads(hook.posts[0][1])["type"] == "test"


def test_a_channel_that_is_switched_off_sends_nothing_and_forgets_what_waited(
    acme: Tenant, hook: Receiver, olgas: Api, to_hook: Channel
) -> None:
    channel = to_hook(KIND)
    glass(acme)
    assert olgas.patch(f"notice-channels/{channel.pk}/", {"is_enabled": False}).status_code == 200
    glass(acme)
    assert (delivered(acme), states(acme)) == (0, ["given_up"])
    olgas.patch(f"notice-channels/{channel.pk}/", {"is_enabled": True})
    assert (delivered(acme), hook.posts) == (0, [])


def test_a_removed_channel_is_gone_with_what_it_had_to_deliver(
    acme: Tenant, hook: Receiver, olgas: Api, to_hook: Channel
) -> None:
    channel = to_hook(KIND)
    glass(acme)
    assert olgas.delete(f"notice-channels/{channel.pk}/").status_code == 204
    assert (delivered(acme), states(acme), hook.posts) == (0, [], [])
    assert len(notices(acme)) == 1


def test_no_event_tells_a_channels_address(acme: Tenant, hook: Receiver, olgas: Api, to_hook: Channel) -> None:
    channel = to_hook(KIND)
    hook.statuses = [500]
    glass(acme)
    delivered(acme)
    olgas.delete(f"notice-channels/{channel.pk}/")
    told_of = [json.dumps(event) for kind in EventKind if "notice" in kind for event in events(acme, kind)]
    assert len(told_of) == 3
    assert not [text for text in told_of if "a-token-of-the-receivers" in text]


def test_notices_of_last_quarter_are_forgotten(acme: Tenant, to_hook: Channel) -> None:
    to_hook(KIND)
    glass(acme)
    with in_tenant(acme):
        assert forget_old(tenant_id=acme.pk, now=datetime.now(UTC) + KEPT - DAY) == 0
        assert forget_old(tenant_id=acme.pk, now=datetime.now(UTC) + KEPT + DAY) == 1
    assert (notices(acme), states(acme)) == ([], [])
