"""`/me/`, `/members/`, `/agents/`, `/connections/` and `/policies/`: what an administrator does over REST."""

from __future__ import annotations

import pytest

from approvals.models import ApprovalRule
from audit.kinds import EventKind
from audit.models import Event
from gateway.connections.models import Connection
from gateway.identity.models import Agent, User
from gateway.policy.models import Revision
from gateway.policy.packs import pack_names
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from tests.api.asking import api_of, is_problem
from tests.people import account

ACCOUNT = {
    "name": "staging",
    "account_id": "210987654321",
    "role_arn": "arn:aws:iam::210987654321:role/hoopweb",
    "regions": ["eu-central-1"],
}
RULES = '@id("reads")\npermit (principal, action in Action::"class:Read", resource);\n'


def test_me_says_who_and_what_i_may_do(acme: Tenant, alice: User) -> None:
    told = api_of(acme, alice, Right.KEYS_ISSUE, Right.MEMBERS_WRITE).get("me/").json()
    assert (told["label"], told["tenant"], told["roles"]) == ("alice", "acme", ["developer"])
    # The key names a right alice has not: a person's key never does more than the person.
    assert told["rights"] == ["keys:issue"]


def test_members_are_listed_with_roles(acme: Tenant, alice: User, bob: User, mallory: User) -> None:
    items = api_of(acme, None, Right.MEMBERS_READ).get("members/").json()["items"]
    assert {(one["username"], *one["roles"]) for one in items} == {("alice", "developer"), ("bob", "approver")}


def test_an_agent_is_made_read_and_suspended(acme: Tenant) -> None:
    api = api_of(acme, None, Right.AGENTS_READ, Right.AGENTS_WRITE)
    made = api.post("agents/", {"name": "nightly", "kind": "cursor"}).json()
    assert api.get(f"agents/{made['id']}/").json() == made
    assert is_problem(api.post("agents/", {"name": "nightly"}), 409, "identity.name_taken")
    assert api.post(f"agents/{made['id']}/suspend/", {}).json()["is_suspended"] is True
    assert Event.objects.for_tenant(acme).filter(kind=EventKind.AGENT_SUSPENDED).count() == 1


def test_what_becomes_of_unreadable_payloads_is_chosen_per_connection(acme: Tenant, globex: Tenant) -> None:
    api = api_of(acme, None, Right.CONNECTIONS_READ, Right.CONNECTIONS_WRITE)
    made = api.post("connections/", ACCOUNT).json()
    assert made["opaque_payloads"] == "withhold"
    path = f"connections/{made['id']}/payloads/"
    assert api.post(path, {"opaque_payloads": "pass"}).json()["opaque_payloads"] == "pass"
    assert Event.objects.for_tenant(acme).filter(kind=EventKind.CONNECTION_CHANGED).count() == 1
    assert api.post(path, {"opaque_payloads": "sometimes"}).status_code == 400
    assert api.post(path, {"opaque_payloads": "ask"}).status_code == 400
    assert api.post(path, {"opaque_payloads": "pass", "approvers": "operators"}).status_code == 400
    nobody = api.post(path, {"opaque_payloads": "ask", "approvers": "nobody"})
    assert is_problem(nobody, 404, "approval.rule_unknown")
    reader = api_of(acme, None, Right.CONNECTIONS_READ)
    assert is_problem(reader.post(path, {"opaque_payloads": "pass"}), 403, "identity.right_missing")
    stranger = api_of(globex, None, *Right)
    assert is_problem(stranger.post(path, {"opaque_payloads": "pass"}), 404, "connections.unknown")


def test_the_accounts_a_connection_may_reach_are_chosen(acme: Tenant, globex: Tenant) -> None:
    api = api_of(acme, None, Right.CONNECTIONS_READ, Right.CONNECTIONS_WRITE)
    made = api.post("connections/", ACCOUNT).json()
    assert made["further_accounts"] == []
    path = f"connections/{made['id']}/accounts/"
    chosen = api.post(path, {"account_ids": ["444455556666"]}).json()
    assert chosen["further_accounts"] == api.get(f"connections/{made['id']}/").json()["further_accounts"]
    assert chosen["further_accounts"] == ["444455556666"]
    for wrong in (["4444"], ["44445555666x"], "444455556666", None, [444455556666, {}], ["1" * 12] * 11):
        assert api.post(path, {"account_ids": wrong}).status_code == 400
    assert api.post(path, {}).status_code == 400
    reader = api_of(acme, None, Right.CONNECTIONS_READ)
    assert is_problem(reader.post(path, {"account_ids": []}), 403, "identity.right_missing")
    assert is_problem(api_of(globex, None, *Right).post(path, {"account_ids": []}), 404, "connections.unknown")


def test_another_tenants_agent_cannot_be_suspended(globex: Tenant, billing_agent: Agent) -> None:
    api = api_of(globex, None, *Right)
    assert is_problem(api.post(f"agents/{billing_agent.pk}/suspend/", {}), 404, "identity.agent_unknown")


def test_an_account_is_added_with_an_external_id_of_ours(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOPWEB_AWS_PRINCIPAL_ARN", "arn:aws:iam::999999999999:role/hoopweb")
    api = api_of(acme, None, Right.CONNECTIONS_READ, Right.CONNECTIONS_WRITE)
    made = api.post("connections/", ACCOUNT)
    assert made.status_code == 201
    assert made.json()["state"] == "draft"
    assert "external_id" not in made.json()
    told = api.get(f"connections/{made.json()['id']}/trust-policy/").json()
    condition = told["policy"]["Statement"][0]["Condition"]
    assert condition["StringEquals"]["sts:ExternalId"] == told["external_id"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"account_id": "12"}, "connections.malformed"),
        ({"role_arn": "arn:aws:iam::000000000000:role/other"}, "connections.malformed"),
        ({"regions": ["mars-north-1"]}, "connections.malformed"),
        ({"regions": []}, "api.malformed"),
        ({"regions": "eu-central-1"}, "api.malformed"),
        ({"external_id": "mine"}, "api.malformed"),
    ],
)
def test_an_account_that_cannot_be_is_refused(acme: Tenant, changed: dict[str, object], code: str) -> None:
    answer = api_of(acme, None, Right.CONNECTIONS_WRITE).post("connections/", ACCOUNT | changed)
    assert is_problem(answer, 400, code)
    assert not Connection.objects.for_tenant(acme).exists()


def test_the_external_id_is_for_those_who_must_paste_it(acme: Tenant, billing_account: Connection) -> None:
    api = api_of(acme, None, Right.CONNECTIONS_READ)
    assert is_problem(api.get(f"connections/{billing_account.pk}/trust-policy/"), 403, "identity.right_missing")
    assert billing_account.external_id not in api.get(f"connections/{billing_account.pk}/").content.decode()


def test_another_tenants_connection_is_not_there(acme: Tenant, globex: Tenant) -> None:
    theirs = account(globex, "theirs")
    api = api_of(acme, None, *Right)
    assert is_problem(api.get(f"connections/{theirs.pk}/"), 404, "connections.unknown")
    assert is_problem(api.get(f"connections/{theirs.pk}/trust-policy/"), 404, "connections.unknown")
    # The last: it runs outside the caller's transaction, so its refusal ends the test's own.
    assert is_problem(api.post(f"connections/{theirs.pk}/test/", {}), 404, "connections.unknown")


@pytest.fixture
def platform(acme: Tenant) -> None:
    """Whom the packs ask."""
    ApprovalRule.objects.create(tenant=acme, name="platform", group="operators")


def test_publishing_makes_revisions_one_after_the_other(acme: Tenant, platform: None) -> None:
    api = api_of(acme, None, Right.POLICIES_READ, Right.POLICIES_WRITE)
    first = api.post("policies/", {"text": RULES})
    assert first.status_code == 201, first.content
    (policy,) = api.get("policies/").json()["items"]
    second = api.post(f"policies/{policy['id']}/revisions/", {"text": RULES, "packs": ["credential-minting"]})
    assert (first.json()["label"], second.json()["label"]) == ("main@1", "main@2")
    told = api.get(f"policies/{policy['id']}/revisions/").json()["items"]
    assert [one["number"] for one in told] == [2, 1]
    assert api.get("policies/").json()["items"][0]["current"] == second.json()["id"]
    assert Event.objects.for_tenant(acme).filter(kind=EventKind.REVISION_PUBLISHED).count() == 2


def test_a_text_with_faults_publishes_nothing_and_names_each(acme: Tenant) -> None:
    api = api_of(acme, None, Right.POLICIES_WRITE)
    answer = api.post("policies/", {"text": "permit (principal, action, resource);"})
    assert is_problem(answer, 422, "policy.rejected")
    assert answer.json()["errors"][0]["line"] == 1
    assert not Revision.objects.for_tenant(acme).exists()


def test_an_unknown_pack_publishes_nothing(acme: Tenant) -> None:
    answer = api_of(acme, None, Right.POLICIES_WRITE).post("policies/", {"text": "", "packs": ["../../etc/passwd"]})
    assert is_problem(answer, 400, "policy.pack_unknown")


def test_another_tenants_policy_is_not_there(acme: Tenant, globex: Tenant) -> None:
    api_of(acme, None, Right.POLICIES_WRITE).post("policies/", {"text": RULES})
    policy = Revision.objects.for_tenant(acme).get().policy_id
    api = api_of(globex, None, *Right)
    assert is_problem(api.get(f"policies/{policy}/revisions/"), 404, "api.not_found")
    assert is_problem(api.post(f"policies/{policy}/revisions/", {"text": RULES}), 404, "api.not_found")


def test_packs_are_listed_with_their_rules_and_what_agents_are_told(acme: Tenant) -> None:
    answer = api_of(acme, None, Right.POLICIES_READ).get("packs/")
    assert answer.status_code == 200
    packs = {pack["name"]: pack for pack in answer.json()["items"]}
    assert packs.keys() == set(pack_names())
    shells = packs["interactive-shells"]
    assert (shells["title"], shells["is_starting"], shells["approvers"]) == ("Interactive shells", True, [])
    rule = next(rule for rule in shells["rules"] if rule["id"] == "shells.sessions")
    assert (rule["kind"], "ssm:StartSession" in rule["actions"]) == ("forbid", True)
    assert rule["advice"].startswith("Interactive sessions are not open to agents")
    assert '@id("shells.sessions")' in shells["text"]
    assert packs["delegated"]["approvers"] == ["platform"]


def test_packs_take_no_query(acme: Tenant) -> None:
    assert is_problem(api_of(acme, None, Right.POLICIES_READ).get("packs/", name="starter"), 400, "api.malformed")


@pytest.mark.parametrize("name", pack_names())
def test_each_listed_pack_can_be_published_by_its_name(acme: Tenant, platform: None, name: str) -> None:
    api = api_of(acme, None, Right.POLICIES_READ, Right.POLICIES_WRITE)
    made = api.post("policies/", {"text": RULES, "packs": [name]})
    assert (made.status_code, made.json()["packs"]) == (201, [name])
