"""One page of a session, as API and pages both show it.

What a call is told with is `gateway.requests.selectors`; how it looks is `hoopweb.api` and `hoopweb.ui`.
"""

from __future__ import annotations

from audit.models import Session
from gateway.requests import selectors
from gateway.tenants.models import Tenant
from hoopweb.api.pagination import Page, newest

ORDER = newest("timeline", "received_at")


def session_page(
    *, tenant: Tenant, session: Session, limit: int, cursor: str | None = None
) -> tuple[list[selectors.Turn], Page]:
    """Return the newest calls (or those before the cursor), grouped under their prompts, oldest first."""
    rows = selectors.calls_of_session(tenant=tenant, session_id=session.pk)
    page = ORDER.page(rows, cursor=cursor, limit=limit)
    prompts = selectors.prompts_beside(
        tenant=tenant, session=session, requests=page.items, is_oldest=page.next is None, is_newest=cursor is None
    )
    calls = selectors.told(tenant=tenant, requests=page.items, prompts=prompts)
    return selectors.turns(calls=calls, prompts=prompts), page
