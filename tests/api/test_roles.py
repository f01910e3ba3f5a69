"""Every action of the API and every page, tried in every role: each opens exactly to whom docs/security.md's table says.

That the table is `RIGHTS_OF`'s is tested in tests/house; here, that nothing opens past it, and nothing less.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern

from gateway.tenants.models import Tenant
from gateway.tenants.rights import RIGHTS_OF, Right, Role
from hoopweb.api.base import ApiView
from hoopweb.api.router import urlpatterns as api_paths
from hoopweb.ui.urls import urlpatterns as pages
from tests.people import member
from tests.tenants.test_every_url import BODIES, PARAMETER
from tests.ui.browsing import browser_of

ANY = {"sequence": "999999", "kind": "agents"}
NOBODY = "00000000-0000-4000-8000-000000000001"
# Open to each member: what they show or change is the caller's own, unless a further right is there. A device's own
# address takes the device's signature and nothing else.
EACH_MEMBERS_OWN = (
    "/api/v1/me/",
    "/api/v1/notices/",
    "/notices/",
    "/api/v1/api-keys/",
    "/api/v1/devices/",
    "/api/v1/device/",
    "/api-keys/",
    "/prove/",
    "/second-factor/",
)
# Doors and frames: they look at no right, since nobody is known yet, or they lead elsewhere.
NO_PAGE = {"", "sign-in/", "sign-in/code/", "device/", "sign-out/", "tenant/", "access/tenant/resume/"}
# Where the address alone does not say which right it takes.
BY_KIND = {
    f"/access/agents/{NOBODY}/": Right.AGENTS_WRITE,
}


def filled(path: str) -> str:
    return "/" + PARAMETER.sub(lambda found: ANY.get(found.group(2), NOBODY), path)


def actions() -> Iterator[tuple[str, str, Right | None]]:
    """Method, address and the right it takes, of every action there is."""
    for route in api_paths:
        assert isinstance(route, URLPattern)
        view: Any = getattr(route.callback, "view_class", None)
        if view is not None and issubclass(view, ApiView):
            for method, right in view.rights.items():
                if method != "HEAD":
                    yield method, filled(f"api/{route.pattern}"), right
    for route in pages:
        path = str(route.pattern)
        if path not in NO_PAGE and not path.startswith("sso/"):
            view = route.callback
            assert hasattr(view, "rights"), f"the page {path} is opened by no right"
            address = filled(path)
            yield "GET", address, view.right
            yield "POST", address, BY_KIND.get(address, view.rights.get("POST", view.right))


ACTIONS = list(actions())


def test_the_walk_is_of_the_whole_house() -> None:
    assert len(ACTIONS) >= 110
    assert {right for _, _, right in ACTIONS} >= set(Right) - {Right.MEMBERS_WRITE}
    assert [
        address for _, address, right in ACTIONS if right is None and not address.startswith(EACH_MEMBERS_OWN)
    ] == []


def is_missing_a_right(answer: Any) -> bool:
    if answer.status_code != 403:
        return False
    if answer["Content-Type"] == "application/problem+json":
        return bool(answer.json()["code"] == "identity.right_missing")
    return b"You may not do this" in answer.content


def ask(client: Client, method: str, address: str) -> Any:
    body = next((body for ending, body in BODIES.items() if address.endswith(ending)), {})
    is_api = address.startswith("/api/")
    # Each attempt is undone, so that none changes what the next one meets.
    with transaction.atomic():
        sent = getattr(client, method.lower())
        answer = sent(address, body, content_type="application/json") if is_api and method != "GET" else sent(address)
        transaction.set_rollback(True)
    return answer


@pytest.mark.parametrize("role", Role)
def test_each_role_opens_exactly_what_its_column_says(acme: Tenant, role: Role) -> None:
    client = browser_of(member(acme, f"one-{role}", roles=[role]))
    opened, wrong = 0, []
    for method, address, right in ACTIONS:
        if right is None:
            continue
        answer = ask(client, method, address)
        # A method the page does not take says nothing of rights.
        may = right in RIGHTS_OF[role]
        if answer.status_code != 405 and is_missing_a_right(answer) == may:
            wrong.append((method, address, right, answer.status_code))
        assert answer.status_code < 500, (method, address)
        opened += may
    assert wrong == []
    assert opened


def test_a_member_without_any_role_opens_nothing_but_his_own(acme: Tenant) -> None:
    client = browser_of(member(acme, "nobody-much", roles=[]))
    for method, address, right in ACTIONS:
        if right is not None:
            answer = ask(client, method, address)
            assert answer.status_code == 405 or is_missing_a_right(answer), (method, address, answer.status_code)
    assert client.get("/api/v1/me/").status_code == 200
