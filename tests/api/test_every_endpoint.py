"""What holds of every endpoint alike: nobody, the wrong right, the wrong tenant, the wrong method and a bad id."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gateway.identity import services
from gateway.identity.models import Agent, User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from hoopweb.api.router import urlpatterns
from hoopweb.models import IdempotencyKey
from tests.api.asking import ANY_ID, Api, api_of, is_problem

PATHS = sorted(str(route.pattern) for route in urlpatterns if str(route.pattern).startswith("v1/"))
# method, path: every write of the API.
WRITES = [
    ("post", "prompts/"),
    ("post", "tool-uses/"),
    ("post", "agent-credentials/"),
    ("patch", "prompt-keeping/"),
    ("patch", "human-proof/"),
    ("post", f"approvals/{ANY_ID}/votes/"),
    ("post", "approval-rules/"),
    ("patch", f"approval-rules/{ANY_ID}/"),
    ("post", "masking-jobs/remasks/"),
    ("post", "masking-jobs/scans/"),
    ("post", "masking-jobs/copies/"),
    ("delete", f"masking-jobs/{ANY_ID}/"),
    ("post", "detectors/"),
    ("post", "detectors/trial/"),
    ("patch", f"detectors/{ANY_ID}/"),
    ("post", "policies/"),
    ("post", f"policies/{ANY_ID}/revisions/"),
    ("post", f"requests/{ANY_ID}/masked-value/"),
    ("post", "connections/"),
    ("post", f"connections/{ANY_ID}/test/"),
    ("post", f"connections/{ANY_ID}/payloads/"),
    ("post", f"connections/{ANY_ID}/accounts/"),
    ("post", f"connections/{ANY_ID}/access/"),
    ("post", f"policies/{ANY_ID}/access/"),
    ("post", "agents/"),
    *(
        ("post", f"{what}/{verb}/")
        for what in (
            f"agents/{ANY_ID}",
            f"members/{ANY_ID}",
            f"service-accounts/{ANY_ID}",
            f"connections/{ANY_ID}",
            "tenant",
        )
        for verb in ("suspend", "resume")
    ),
    ("post", "notices/seen/"),
    ("post", "notice-channels/"),
    ("patch", f"notice-channels/{ANY_ID}/"),
    ("delete", f"notice-channels/{ANY_ID}/"),
    ("post", f"notice-channels/{ANY_ID}/secret/"),
    ("post", f"notice-channels/{ANY_ID}/test/"),
    ("post", "access-reviews/"),
    ("post", f"members/{ANY_ID}/period/"),
    ("post", f"operator-access/{ANY_ID}/"),
    ("delete", f"operator-access/{ANY_ID}/"),
    ("delete", f"members/{ANY_ID}/second-factor/"),
    ("patch", "access-review-schedule/"),
    ("post", f"access-reviews/{ANY_ID}/items/{ANY_ID}/"),
    ("post", "service-accounts/"),
    ("post", "workload-rules/"),
    ("delete", f"workload-rules/{ANY_ID}/"),
    ("post", f"service-accounts/{ANY_ID}/secrets/"),
    ("delete", f"service-accounts/{ANY_ID}/secrets/{ANY_ID}/"),
    ("post", "api-keys/"),
    ("delete", f"api-keys/{ANY_ID}/"),
    ("post", "keys/"),
    ("delete", f"keys/{ANY_ID}/"),
    ("post", "identity-providers/"),
    ("post", "identity-providers/saml/"),
    ("post", f"identity-providers/{ANY_ID}/enable/"),
    ("post", f"identity-providers/{ANY_ID}/disable/"),
    ("delete", f"sign-ins/{ANY_ID}/"),
    ("delete", f"devices/{ANY_ID}/"),
]
# Paths that are written only.
UNREAD = (
    "/trial/",
    "/remasks/",
    "/scans/",
    "/copies/",
    "tool-uses/",
    "agent-credentials/",
    "votes/",
    "test/",
    "payloads/",
    "/accounts/",
    "masked-value/",
    "suspend/",
    "resume/",
    "period/",
    "able/",
    "saml/",
    "secrets/",
    "secret/",
    "seen/",
    "second-factor/",
    *(
        f"{what}/{ANY_ID}/"
        for what in ("/keys", "sign-ins", "devices", "secrets", "workload-rules", "items", "operator-access")
    ),
)
READS = [re.sub(r"<uuid:[a-z_]+>", str(ANY_ID), re.sub(r"<int:[a-z_]+>", "7", path[3:])) for path in PATHS]
READS = [path for path in READS if not f"/{path}".endswith(UNREAD)]
# Open to each caller: what they show is his own.
EACH_CALLERS = ("me/", "notices/", "notices/seen/")
ALL = [("get", path) for path in READS] + WRITES


def call(api: Api, method: str, path: str) -> Any:
    match method:
        case "get":
            return api.get(path)
        case "delete":
            return api.delete(path)
        case "patch":
            return api.patch(path, {})
        case _:
            return api.post(path, {})


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path"), ALL)
def test_nobody_gets_a_401_that_names_the_scheme(method: str, path: str) -> None:
    answer = call(Api(), method, path)
    assert is_problem(answer, 401, "identity.not_signed_in")
    assert answer["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.django_db
def test_a_key_that_was_never_issued_is_refused() -> None:
    assert is_problem(Api("hwk_nonsense").get("me/"), 401, "identity.key_refused")


@pytest.mark.parametrize(("method", "path"), [one for one in ALL if one[1] not in EACH_CALLERS])
def test_a_caller_without_the_right_gets_a_403(acme: Tenant, method: str, path: str) -> None:
    # A key with one right that opens none of the endpoints.
    api = api_of(acme, None, Right.MEMBERS_WRITE)
    assert is_problem(call(api, method, path), 403, "identity.right_missing")


@pytest.mark.parametrize("path", [path for path in READS if str(ANY_ID) in path or "/7/" in path])
def test_an_id_of_nobody_is_a_404(acme: Tenant, path: str) -> None:
    answer = api_of(acme, None, *Right).get(path)
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("method", "path"), ALL)
def test_every_path_works_without_its_last_slash(acme: Tenant, method: str, path: str) -> None:
    answer = call(api_of(acme, None, Right.MEMBERS_WRITE), method, path.rstrip("/"))
    # Seen until when is what its body says, and it says nothing.
    assert answer.status_code in {200, 400 if path == "notices/seen/" else 403, 403}


@pytest.mark.parametrize("path", READS)
def test_a_method_nobody_may_use_is_a_405(acme: Tenant, path: str) -> None:
    answer = api_of(acme, None, Right.MEMBERS_WRITE).client.put(f"/api/v1/{path}", {}, content_type="application/json")
    assert is_problem(answer, 405, "api.method_not_allowed")


@pytest.mark.parametrize("bad", ["not-a-uuid", "1", "..%2f..", "0000"])
@pytest.mark.parametrize("kind", ["sessions", "requests", "prompts", "approvals", "connections", "agents"])
def test_a_malformed_id_is_a_404_problem(acme: Tenant, kind: str, bad: str) -> None:
    assert is_problem(api_of(acme, None, *Right).get(f"{kind}/{bad}/"), 404, "api.not_found")


def test_an_unknown_path_is_a_404_problem_for_anybody(client: object) -> None:
    assert is_problem(Api().get("nothing/here/"), 404, "api.not_found")


LISTS = [
    "sessions/",
    "prompts/",
    "requests/",
    "approvals/",
    "approval-rules/",
    "policies/",
    "detectors/",
    "masking-jobs/",
    "connections/",
    "agents/",
    "keys/",
    "service-accounts/",
    "workload-rules/",
    "members/",
    "access-reviews/",
    "notice-channels/",
    "operator-access/",
    "identity-providers/",
    "sign-ins/",
    "devices/",
    "events/",
]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "not a cursor"},
        {"cursor": "c2Vzc2lvbnM6MTox"},
        {"cursor": "\x00"},
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "ten"},
        {"limit": ["1", "2"]},
        {"limt": "1"},
    ],
)
def test_a_query_that_is_not_of_the_form_is_a_400(acme: Tenant, alice: User, path: str, query: dict[str, str]) -> None:
    assert is_problem(api_of(acme, None, *Right).get(path, **query), 400, "api.malformed")


@pytest.mark.parametrize("path", LISTS)
def test_an_empty_list_is_a_page_with_no_next(globex: Tenant, path: str) -> None:
    answer = api_of(globex, None, *Right).get(path)
    assert answer.status_code == 200
    # Making the tenant is no event, so even the ledger is empty until it is read.
    assert answer.json() == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "api.malformed"),
        (b"\xff\xfe", "application/json", 400, "api.malformed"),
        (b'{"text": "a", "text": "b"}', "application/json", 400, "api.malformed"),
        (b'{"text": NaN}', "application/json", 400, "api.malformed"),
        (b"[" * 100_000, "application/json", 400, "api.malformed"),
        (b'{"a":' * 100_000, "application/json", 400, "api.malformed"),
        (b"[]", "application/json", 400, "api.malformed"),
        (b"null", "application/json", 400, "api.malformed"),
        (b'"text"', "application/json", 400, "api.malformed"),
        (b'{"text": "a\\u0000b", "conversation": "c", "generation": "g"}', "application/json", 400, "api.malformed"),
        (b'{"text": "\\ud800", "conversation": "c", "generation": "g"}', "application/json", 400, "api.malformed"),
        (b'{"unknown": 1}', "application/json", 400, "api.malformed"),
        (b"x" * (2 * 1024 * 1024 + 1), "application/json", 413, "api.too_large"),
        (b"a=b", "application/x-www-form-urlencoded", 415, "api.unsupported_media_type"),
    ],
)
def test_a_body_that_is_not_strict_json_is_refused(
    acme: Tenant, body: bytes, content_type: str, status: int, code: str
) -> None:
    answer = api_of(acme, None, Right.PROMPTS_WRITE).raw("prompts/", body, content_type)
    assert is_problem(answer, status, code)


@pytest.mark.django_db
def test_a_suspended_tenant_is_told_so(acme: Tenant, as_owner: object) -> None:
    api = api_of(acme, None, *Right)
    acme.is_suspended = True
    acme.save()
    assert is_problem(api.get("me/"), 403, "identity.tenant_suspended")


@pytest.mark.parametrize("path", LISTS)
def test_head_asks_for_the_same_right_as_get_and_options_tells_nothing_of_a_tenant(acme: Tenant, path: str) -> None:
    api = api_of(acme, None, *Right)
    assert api.client.head(f"/api/v1/{path}").status_code == 200
    assert api_of(acme, None, Right.MEMBERS_WRITE).client.head(f"/api/v1/{path}").status_code == 403
    assert api.client.options(f"/api/v1/{path}").status_code == 200


@pytest.mark.parametrize("path", READS)
def test_no_answer_is_kept_by_a_cache(acme: Tenant, path: str) -> None:
    assert api_of(acme, None, *Right).get(path)["Cache-Control"] == "no-store"


def test_a_failure_of_ours_is_a_problem_that_says_nothing_and_changes_nothing(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails_after_writing(**named: Any) -> None:
        create_agent(**named)
        raise RuntimeError("the secret of the machine room")

    create_agent = services.create_agent
    monkeypatch.setattr(services, "create_agent", fails_after_writing)
    api = api_of(acme, None, Right.AGENTS_WRITE)
    answer = api.post("agents/", {"name": "nightly"}, idempotency_key="k-1")
    assert is_problem(answer, 500, "internal")
    assert "machine room" not in answer.content.decode()
    assert not Agent.objects.for_tenant(acme).exists()
    assert not IdempotencyKey.objects.for_tenant(acme).exists()


@pytest.mark.django_db
def test_a_host_we_do_not_serve_is_a_problem_too() -> None:
    answer = Api().client.get("/api/v1/me/", headers={"host": "evil.example"})
    assert is_problem(answer, 400, "api.malformed")
