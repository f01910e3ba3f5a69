"""Every page and every action of the API, walked with another tenant's ids: the answer is that of an id nobody has.

The walk takes its paths from the URLconf and its methods from OpenAPI: what is added is walked without being named here.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from approvals.models import ApprovalRule
from approvals.notify.models import NoticeChannel
from gateway.identity.door_models import AccountSecret, IdentityProvider, ProofKind, SignIn, WorkloadRule
from gateway.identity.models import Device, Membership, ServiceAccount, User
from gateway.jobs import services as jobs
from gateway.policy import detectors
from gateway.policy import services as policy
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant
from hoopweb.reviews import services
from hoopweb.reviews.models import ReviewItem
from hoopweb.reviews.periods import ask_access
from tests.api.asking import Api
from tests.people import NOW, account, admin_of, api_key_of, member
from tests.story import Story
from tests.ui.browsing import browser_of

PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")
# Doors are opened by name, before anybody is known; what is behind them is tested in tests/identity.
BY_NAME = {"organisation", "name"}
IDS = re.compile(r"<(?:uuid|int):")
# Numbers are each tenant's own: another's number is one's own, or none.
NUMBERS = {"sequence": "999999"}
# Words of ours, the same for every tenant.
WORDS = {"kind": "agents"}
# Bodies that would be carried out, were the id one's own: an empty one could be refused before the id is looked at.
BODIES: dict[str, dict[str, Any]] = {
    "votes/": {"answer": "approve"},
    "revisions/": {"packs": ["starter"]},
    "suspend/": {"reason": "a test"},
    "resume/": {"reason": "a test"},
    "secrets/": {"scopes": ["requests:read"]},
    "masked-value/": {"value": "x"},
    "payloads/": {"opaque_payloads": "withhold"},
    "accounts/": {"account_ids": ["210987654321"]},
    "access/": {"groups": ["operators"]},
}


def paths(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from paths(one.url_patterns, before + str(one.pattern))
        else:
            yield before + str(one.pattern)


WITH_IDS = sorted(path for path in paths(get_resolver("hoopweb.urls").url_patterns) if IDS.search(path))
WALKED = [path for path in WITH_IDS if not {name for _, name in PARAMETER.findall(path)} & BY_NAME]
API, PAGES = ([path for path in WALKED if path.startswith("api/") == is_api] for is_api in (True, False))


@pytest.fixture
def theirs(story: Story, alice: User, acme: Tenant) -> dict[str, str]:
    """An id of acme's for each parameter any path takes."""
    with in_tenant(acme):
        current = policy.publish(tenant=acme, packs=["starter"], text="", by_label="olga", now=timezone.now())
        provider = IdentityProvider.objects.create(
            tenant=acme, kind="oidc", name="sso", issuer="https://idp.example", sealed_secret=b"", created_at=NOW
        )
        sign_in = SignIn.objects.create(
            tenant=acme,
            user=alice,
            proof=ProofKind.TOTP,
            opened_at=NOW,
            proved_at=NOW,
            last_seen_at=NOW,
            expires_at=NOW,
        )
        device = Device.objects.create(tenant=acme, user=alice, name="laptop", public_key=b"")
        workload = ServiceAccount.objects.create(tenant=acme, name="ci")
        secret = AccountSecret.objects.create(
            tenant=acme, service_account=workload, digest=b"", created_at=NOW, expires_at=NOW
        )
        rule = WorkloadRule.objects.create(
            tenant=acme, service_account=workload, issuer="i", jwks_uri="j", audience="a", subject="s", created_at=NOW
        )
        asked = ask_access(tenant=acme, operator="pat", reason="a test", hours=1, now=timezone.now())
        review = services.open_review(by=admin_of(acme), now=timezone.now())
        item = ReviewItem.objects.for_tenant(acme).filter(review=review)[0]
        approval_rule = ApprovalRule.objects.create(tenant=acme, name="theirs", group="theirs")
        found = detectors.Definition(name="badge", pattern="BADGE", must_match=("BADGE",))
        detector = detectors.save(tenant=acme, definition=found, by_label="olga", now=timezone.now()).detector_id
        job = jobs.start_remask(tenant=acme, by_label="olga", reason="", now=timezone.now())
        channel = NoticeChannel.objects.create(
            tenant=acme, name="pager", way="webhook", target="https://pager.example", created_at=NOW
        )
    return {
        "session_id": str(story.session.pk),
        "request_id": str(story.read.pk),
        "prompt_id": str(story.prompt.pk),
        "approval_id": str(story.approval.pk),
        "connection_id": str(story.session.connection_id),
        "agent_id": str(story.session.agent_id),
        "policy_id": str(current.policy_id),
        "revision_id": str(current.pk),
        "user_id": str(alice.pk),
        "account_id": str(workload.pk),
        "provider_id": str(provider.pk),
        "sign_in_id": str(sign_in.pk),
        "device_id": str(device.pk),
        "secret_id": str(secret.pk),
        "rule_id": str(rule.pk),
        "review_id": str(review.pk),
        "item_id": str(item.pk),
        "access_id": str(asked.pk),
        "approval_rule_id": str(approval_rule.pk),
        "channel_id": str(channel.pk),
        "detector_id": str(detector),
        "job_id": str(job.pk),
        # `/keys/` and `/api-keys/` name their parameter alike; see `filled`.
        "key_id": str(story.read.key_id),
        # The kill switch's page: an agent here, as `WORDS` says.
        "subject": str(story.session.agent_id),
        "api_key_id": str(api_key_of(acme, alice, Right.AGENTS_READ)[0].pk),
    }


@pytest.fixture
def trudy(globex: Tenant) -> User:
    """Next door, and as mighty there as one can be."""
    return member(globex, "trudy", roles=list(Role), groups=["operators"])


def filled(path: str, ids: dict[str, str]) -> str:
    if "/api-keys/" in path:
        ids = {**ids, "key_id": ids["api_key_id"]}
    return "/" + PARAMETER.sub(lambda found: {**NUMBERS, **WORDS, **ids}[found.group(2)], path)


def nobodys(ids: dict[str, str]) -> dict[str, str]:
    return {name: str(uuid.UUID(int=7, version=4)) for name in ids}


def methods() -> dict[str, list[str]]:
    document = Client().get("/api/schema/", {"format": "json"}).json()["paths"]
    return {re.sub(r"\{(\w+)\}", "<>", path): list(item) for path, item in document.items()}


def ask(client: Client, method: str, path: str) -> Any:
    body = next((body for ending, body in BODIES.items() if path.endswith(ending)), {})
    if "/items/" in path:
        body = {"answer": "keep", "reason": "a test"}
    if "/operator-access/" in path:
        body = {"is_allowed": True}
    if method == "patch":
        body = {"is_enabled": False} if "/notice-channels/" in path else {"group": "theirs"}
        body = {"number": 1} if "/detectors/" in path else body
    return kept_apart(
        client.generic(method.upper(), path, data=json.dumps(body).encode(), content_type="application/json")
    )


def kept_apart(answer: Any) -> Any:
    """A refusal rolls its transaction back: where a view opened none, that would be the test's own."""
    transaction.set_rollback(False)
    return answer


def told(answer: Any) -> tuple[int, str]:
    """What an answer says, without the id that was asked for."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", answer.content.decode())
    return answer.status_code, re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text)


def test_no_path_is_left_out() -> None:
    assert len(API) >= 25
    assert len(PAGES) >= 8
    known = {name for path in WALKED for _, name in PARAMETER.findall(path)}
    assert known <= set(NUMBERS) | set(WORDS) | {
        "session_id", "request_id", "prompt_id", "approval_id", "connection_id", "agent_id", "policy_id", "revision_id",
        "user_id", "account_id", "provider_id", "sign_in_id", "device_id", "secret_id", "rule_id", "key_id", "subject", "approval_rule_id",
        "review_id", "item_id", "access_id", "channel_id", "detector_id", "job_id",
    }, "a path takes a parameter of a new kind: give it an id of acme's above"  # fmt: skip


def test_every_action_of_the_api_answers_as_for_an_id_of_nobody(
    theirs: dict[str, str], globex: Tenant, trudy: User
) -> None:
    client, by_path, walked = Api(api_key_of(globex, trudy, *Right)[1]).client, methods(), 0
    for path in API:
        one, other = filled(path, theirs), filled(path, nobodys(theirs))
        for method in by_path["/" + PARAMETER.sub("<>", path)]:
            answer, nothing = ask(client, method, one), ask(client, method, other)
            assert answer.status_code == 404, (method, one, answer.content)
            assert told(answer) == told(nothing), (method, one)
            walked += 1
    assert walked >= 30


def test_every_page_answers_as_for_an_id_of_nobody(theirs: dict[str, str], trudy: User) -> None:
    client = browser_of(trudy)
    for path in PAGES:
        one, other = filled(path, theirs), filled(path, nobodys(theirs))
        statuses = set()
        for method, form in (
            (client.get, {}),
            (client.post, {"answer": "approve", "throw": "suspend", "reason": "a test", "group": "x"}),
        ):
            answer, nothing = (kept_apart(method(at, form)) for at in (one, other))
            assert told(answer) == told(nothing), one
            statuses.add(answer.status_code)
        # A page takes one of the two methods, or both; whichever it takes finds nothing.
        assert statuses in ({404}, {404, 405}), one


def test_no_list_and_no_count_knows_of_a_neighbour(
    theirs: dict[str, str], acme: Tenant, globex: Tenant, trudy: User
) -> None:
    api, browser = Api(api_key_of(globex, trudy, *Right)[1]), browser_of(trudy)
    plain = [path for path in paths(get_resolver("hoopweb.urls").url_patterns) if not PARAMETER.search(path)]
    looked_at = 0
    for path in plain:
        for client in (api.client, browser):
            answer = client.get(f"/{path}")
            if answer.status_code == 200:
                text = b"".join(answer) if answer.streaming else answer.content
                found = [name for name, value in theirs.items() if value in text.decode()]
                assert found == [], path
                assert acme.title not in text.decode(), path
                looked_at += 1
    assert looked_at >= 25
    with in_tenant(globex):
        assert ApprovalRule.objects.for_tenant(globex).count() == 0


def test_an_id_named_in_a_body_is_nobodys_too(theirs: dict[str, str], globex: Tenant, trudy: User) -> None:
    api = Api(api_key_of(globex, trudy, *Right)[1])
    ours = account(globex, "ours")
    asked = [
        ("keys/", {"connection": theirs["connection_id"]}),
        ("keys/", {"connection": str(ours.pk), "agent": theirs["agent_id"]}),
        ("api-keys/", {"name": "x", "scopes": ["agents:read"], "service_account": theirs["account_id"]}),
    ]
    for path, body in asked:
        answer = api.post(path, body)
        assert answer.status_code == 404, (path, answer.content)


def test_what_a_browser_posts_about_another_tenants_people_changes_nothing(
    theirs: dict[str, str], acme: Tenant, trudy: User
) -> None:
    browser_of(trudy).post("/tenant/", {"tenant": str(acme.pk)})
    with in_tenant(acme):
        assert Membership.objects.for_tenant(acme).filter(is_active=False).count() == 0
        assert SignIn.objects.for_tenant(acme).filter(ended_at__isnull=False).count() == 0
