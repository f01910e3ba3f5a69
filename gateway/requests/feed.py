"""What an edge learns four times a second: how its held calls ended, and what was revoked.

Everything here is read from the tables as they are; nothing waits for anybody. How one hold ended is `resolutions`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from audit.kinds import EventKind
from audit.models import Event, LedgerHead
from audit.refusals import count
from gateway.requests import settle
from gateway.requests.edges import EdgeIdentity, see_boot
from gateway.requests.outcomes import brought_by
from gateway.requests.resolutions import cut_off, resolve
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import FeedAnswer, FeedRequest, Notice, Verdict

# Kinds an edge must hear of: what they name may have calls held or under way there.
NOTICED = (
    EventKind.KEY_REVOKED,
    EventKind.AGENT_SUSPENDED,
    EventKind.MEMBER_SUSPENDED,
    EventKind.SERVICE_ACCOUNT_SUSPENDED,
    EventKind.TENANT_SUSPENDED,
    EventKind.CONNECTION_CHANGED,
    EventKind.REVISION_PUBLISHED,
)
LARGEST_NOTICE_PAGE = 500


def feed(*, edge: EdgeIdentity, asked: FeedRequest, now: datetime) -> FeedAnswer:
    """Answer one turn of an edge's feed; raises BootFenced when this life of the edge is over."""
    if edge.is_revoked:
        return FeedAnswer(cursor=dict(asked.cursor), is_revoked=True)
    see_boot(edge=edge, boot_id=asked.boot, now=now, journal_records=asked.journal)
    if asked.refusals:
        count(edge_id=edge.id, items=list(asked.refusals), now=now)
    resolutions = _held_and_ended(edge, asked, now)
    cursor, notices = _notices(edge.tenants, asked.cursor)
    return FeedAnswer(
        cursor=cursor,
        resolutions=tuple(resolutions),
        notices=tuple(notices),
        is_key_due=edge.is_key_due(now),
    )


def _held_and_ended(edge: EdgeIdentity, asked: FeedRequest, now: datetime) -> list[Verdict]:
    ended = {one.id for one in asked.ended}
    gone = {one.id for one in asked.ended if one.client_is_gone}
    mine: dict[UUID, set[UUID]] = defaultdict(set)
    for one in brought_by(edge_id=edge.id, request_ids={*asked.held, *ended}).values():
        mine[one.tenant_id].add(one.id)
    resolutions: list[Verdict] = []
    for tenant_id, requests in sorted(mine.items()):
        # Two transactions: the first locks approvals after requests, the second runs before them.
        if requests & ended:
            with in_tenant(tenant_id):
                settle.end_holds(tenant_id=tenant_id, request_ids=requests & ended, gone=gone, now=now)
        if requests & set(asked.held):
            cut_off(tenant_id=tenant_id, held=requests & set(asked.held), now=now)
            with in_tenant(tenant_id):
                resolutions.extend(resolve(tenant_id=tenant_id, held=requests & set(asked.held), now=now))
    return resolutions


def _notices(tenants: Collection[UUID], cursor: Mapping[str, int]) -> tuple[dict[str, int], list[Notice]]:
    """What happened in each tenant's ledger past the cursor; an edge without one starts at the head."""
    moved, notices = dict[str, int](), list[Notice]()
    for tenant_id in sorted(tenants):
        with in_tenant(tenant_id):
            head = LedgerHead.objects.filter(tenant_id=tenant_id).values_list("next_sequence", flat=True).first() or 0
            # Where a page was not enough, the next turn goes on behind it: no notice is passed over.
            start = moved[str(tenant_id)] = min(cursor.get(str(tenant_id), head), head)
            if start < head:
                rows = Event.objects.for_tenant(tenant_id).filter(sequence__gte=start, sequence__lt=head)
                wanted = rows.filter(kind__in=[kind.value for kind in NOTICED]).order_by("sequence")
                found = list(wanted.values_list("kind", "subject", "sequence")[:LARGEST_NOTICE_PAGE])
                notices.extend(Notice(kind=kind, subject=subject) for kind, subject, _ in found)
                is_whole = len(found) < LARGEST_NOTICE_PAGE
                moved[str(tenant_id)] = head if is_whole else found[-1][2] + 1
    return moved, notices
