"""The tasks beat starts: every tenant in its own transaction, each channel on its own, on the workers for jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from approvals.notify.models import Notice, NoticeDelivery
from approvals.tasks import deliver_through, follow_ledgers, tidy_notices
from audit.kinds import EventKind
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from hoopweb.celery import app
from tests.approvals.notify.conftest import Channel
from tests.approvals.notify.receiving import Receiver
from tests.approvals.notify.telling import states
from tests.approvals.notify.test_following import told

OURS = {"approvals.tasks.follow_ledgers", "approvals.tasks.deliver_through", "approvals.tasks.tidy_notices"}


def test_every_tenants_ledger_is_read_inside_that_tenant(acme: Tenant, globex: Tenant) -> None:
    for tenant in (acme, globex):
        told(tenant, EventKind.GLASS_BROKEN, user=tenant.slug)
    assert follow_ledgers() == 2
    for tenant in (acme, globex):
        with in_tenant(tenant):
            (notice,) = Notice.objects.all()
        assert notice.title.startswith(tenant.slug)


def test_one_turn_delivers_what_is_due_by_one_channel(acme: Tenant, hook: Receiver, to_hook: Channel) -> None:
    channel = to_hook("break_glass")
    told(acme, EventKind.GLASS_BROKEN, user="olga")
    follow_ledgers()
    assert deliver_through(str(acme.pk), str(channel.pk)) == 1
    assert deliver_through(str(acme.pk), str(channel.pk)) == 0
    assert (len(hook.posts), states(acme)) == (1, ["delivered"])


def test_tidying_visits_every_tenant(acme: Tenant, hook: Receiver, to_hook: Channel) -> None:
    to_hook("break_glass")
    told(acme, EventKind.GLASS_BROKEN, user="olga")
    follow_ledgers()
    with in_tenant(acme):
        NoticeDelivery.objects.update(created_at=datetime.now(UTC) - timedelta(days=2))
    tidy_notices()
    assert states(acme) == ["given_up"]


def test_beat_knows_them_and_no_approved_call_waits_behind_them() -> None:
    app.loader.import_default_modules()
    assert OURS | {"hoopweb.tasks.keep_access_reviews"} <= set(app.tasks)
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert scheduled >= (OURS | {"hoopweb.tasks.keep_access_reviews"}) - {"approvals.tasks.deliver_through"}
    routed = [app.amqp.router.route({}, name)["queue"].name for name in sorted(OURS)]
    assert routed == ["jobs"] * 3
