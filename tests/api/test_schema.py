"""The OpenAPI document: complete, read by anybody, and true under generated traffic: no answer is ever a 500."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core import NotSet
from schemathesis.core.result import Ok

from gateway.identity.models import Agent, ServiceAccount, User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant
from tests.api.asking import api_of, is_problem
from tests.people import account, gateway_key_of, member
from tests.story import Story

METHODS = ("get", "post", "put", "patch", "delete")


@cache
def document() -> dict[str, Any]:
    """As anybody reads it; the same for all, so made once."""
    return dict(Client().get("/api/schema/", {"format": "json"}).json())


@pytest.mark.django_db
def test_anybody_may_read_the_schema_and_its_pages(client: Client) -> None:
    assert client.get("/api/schema/").status_code == 200
    pages = client.get("/api/docs/")
    assert pages.status_code == 200
    for path in document()["paths"]:
        assert path in pages.content.decode()


@pytest.mark.django_db
def test_every_operation_names_its_success_and_its_problems() -> None:
    for path, item in document()["paths"].items():
        for method in set(METHODS) & set(item):
            answers = item[method]["responses"]
            assert any(status.startswith("2") for status in answers), (method, path)
            assert "application/problem+json" in answers["4XX"]["content"], (method, path)
            if method == "post":
                assert any(one["name"] == "Idempotency-Key" for one in item[method]["parameters"]), path


def known_ids(story: Story) -> dict[str, str]:
    """Ids of things that are there, by the name of the path's parameter: a random id tries nothing but the 404."""
    return {
        "session_id": str(story.session.pk),
        "request_id": str(story.read.pk),
        "prompt_id": str(story.prompt.pk),
        "approval_id": str(story.approval.pk),
        "connection_id": str(story.session.connection_id),
        "agent_id": str(story.session.agent_id),
        "key_id": str(story.read.key_id),
        "sequence": "0",
    }


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """Another tenant's things: ids by the name of the path's parameter, and words that none of our answers may have."""

    ids: dict[str, str]
    words: tuple[str, ...]


@pytest.fixture
def neighbour(globex: Tenant) -> Neighbour:
    trudy = member(globex, "trudy-next-door", roles=list(Role))
    theirs = account(globex, "vault-next-door")
    key = gateway_key_of(globex, trudy, theirs)
    with in_tenant(globex):
        agent = Agent.objects.create(tenant=globex, name="agent-next-door", owner=trudy)
        workload = ServiceAccount.objects.create(tenant=globex, name="workload-next-door")
    ids = {
        "connection_id": str(theirs.pk),
        "agent_id": str(agent.pk),
        "key_id": str(key.pk),
        "user_id": str(trudy.pk),
        "account_id": str(workload.pk),
    }
    # Ids asked for come back in refusals; what only they know does not.
    return Neighbour(ids=ids, words=("next-door", theirs.external_id, key.access_key_id, globex.title))


@pytest.mark.parametrize("examples", [4, pytest.param(80, marks=pytest.mark.long)])
def test_generated_traffic_never_meets_a_failure_of_ours_nor_a_neighbours_row(
    story: Story, alice: User, neighbour: Neighbour, monkeypatch: pytest.MonkeyPatch, examples: int
) -> None:
    monkeypatch.setenv("HOOPWEB_AWS_PRINCIPAL_ARN", "arn:aws:iam::999999999999:role/hoopweb")
    reached: dict[str, set[int]] = {}
    nobodys = api_of(story.tenant, None, *(set(Right) - {Right.APPROVALS_VOTE}))
    clients = (nobodys.client, api_of(story.tenant, alice, *Right).client)
    assert len(operations()) >= 30
    for operation in operations():
        # A connection's test would ask AWS; its own inputs are those of every path with an id.
        if not operation.path.endswith("/test/"):
            known = [known_ids(story), neighbour.ids, {}]
            statuses = [_try(operation, client, known, neighbour.words, examples) for client in clients]
            reached[f"{operation.method} {operation.path}"] = set().union(*statuses)
    # The traffic is worth something: most operations were both carried out and refused.
    assert sum(200 in each or 201 in each or 204 in each for each in reached.values()) >= 20
    assert sum(any(status >= 400 for status in each) for each in reached.values()) >= 20


@pytest.mark.parametrize("examples", [2, pytest.param(40, marks=pytest.mark.long)])
def test_generated_traffic_without_a_credential_gets_nothing_but_the_door(
    story: Story, neighbour: Neighbour, examples: int
) -> None:
    words = (*neighbour.words, str(story.session.pk), story.tenant.title)
    for operation in operations():
        statuses = _try(operation, Client(raise_request_exception=False), [known_ids(story)], words, examples)
        # Malformed addresses are nobody's, so 404; whatever is there asks who it is first.
        assert statuses <= {401, 404}, (operation.method, operation.path, statuses)


@cache
def operations() -> list[Any]:
    schema = schemathesis.openapi.from_dict(document())
    return [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]


def _try(
    operation: Any, client: Client, known: list[dict[str, str]], foreign: tuple[str, ...], examples: int
) -> set[int]:
    """Send examples and return the statuses: each a documented one, no answer with a word of somebody else's."""
    statuses: set[int] = set()
    documented = {int(status) for status in operation.definition.raw["responses"] if status.isdigit()}

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), ids=st.sampled_from(known))
    def attempt(case: Any, ids: dict[str, str]) -> None:
        case.path_parameters = {name: ids.get(name, value) for name, value in (case.path_parameters or {}).items()}
        answer = _send(case, client)
        statuses.add(answer.status_code)
        told = (operation.method, operation.path, answer.status_code, answer.content)
        assert answer.status_code in documented or 400 <= answer.status_code < 500, told
        assert [word for word in foreign if word.encode() in answer.content] == [], told
        if answer.status_code >= 400:
            assert answer["Content-Type"] == "application/problem+json"
            assert answer.json()["code"]

    attempt()
    return statuses


def _send(case: Any, client: Client) -> Any:
    query = {name: value for name, value in (case.query or {}).items() if value is not None}
    # Its invented keys would only ever try the door; ours is the client's own.
    headers = {name: str(value) for name, value in (case.headers or {}).items() if name.lower() != "authorization"}
    has_body = not isinstance(case.body, NotSet)
    return client.generic(
        case.method,
        case.formatted_path,
        data=json.dumps(case.body).encode() if has_body else b"",
        content_type="application/json",
        query_params=query,
        headers=headers,
    )


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/schema/", "/api/docs/"])
def test_the_open_pages_take_no_other_method(client: Client, path: str) -> None:
    assert is_problem(client.post(path, {}, content_type="application/json"), 405, "api.method_not_allowed")


@pytest.mark.django_db
def test_a_browser_that_takes_html_alone_gets_the_pages(client: Client) -> None:
    assert client.get("/api/docs/", headers={"accept": "text/html"}).status_code == 200
