"""A CI runner's or pod's own token exchanged for an hour's token of a service account (RFC 8693), once, by a rule."""

from __future__ import annotations

import json
import ssl
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pytest_django.fixtures import Settings

from gateway.connections.models import Connection
from gateway.identity import token_exchange, web_identity
from gateway.identity.models import Agent, ServiceAccount, User
from gateway.tenants import egress
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from gateway.tenants.scope import in_tenant
from hoopweb.api.oauth import ACCESS_TOKEN, SUBJECT_TOKENS, Grant
from tests.api.asking import Api, api_of, is_problem
from tests.identity.test_members import events
from tests.identity.test_workloads import token as ask
from tests.requests.test_web_identity import AUDIENCE, ISSUER, OTHER, RSA, public
from tests.requests.test_web_identity import token as outside_token
from tests.tenants.test_egress import Peer, named, speaks_tls

SUBJECT = "system:serviceaccount:billing:*"
SCOPES = ["connections:read", "keys:issue", "requests:read"]


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    web_identity._KEY_SETS.kept.clear()


@pytest.fixture
def ci(acme: Tenant) -> ServiceAccount:
    with in_tenant(acme):
        made: ServiceAccount = ServiceAccount.objects.create(tenant=acme, name="ci")
    return made


@pytest.fixture
def admin(acme: Tenant) -> Api:
    return api_of(acme, None, *(set(Right) - {Right.APPROVALS_VOTE}))


def rule(admin: Api, account: ServiceAccount, **changed: Any) -> Any:
    told = {
        "service_account": str(account.pk),
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "subject": SUBJECT,
        "scopes": SCOPES,
        "jwks": {"keys": [public(RSA)]},
    }
    return admin.post("workload-rules/", told | changed)


def exchange(subject_token: str, **changed: str) -> Any:
    fields = {
        "grant_type": Grant.EXCHANGE.value,
        "organisation": "acme",
        "subject_token": subject_token,
        "subject_token_type": SUBJECT_TOKENS[0],
    }
    return ask(fields | changed)


def is_refused(answer: Any, error: str = "invalid_request") -> bool:
    told = (answer.status_code, answer.json().get("error"))
    assert told == (400, error), answer.content
    return True


@pytest.fixture
def ruled(admin: Api, ci: ServiceAccount) -> dict[str, Any]:
    answer = rule(admin, ci)
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


def test_a_token_is_exchanged_for_an_hour_of_the_rules_scopes(acme: Tenant, ruled: dict[str, Any]) -> None:
    answer = exchange(outside_token(jti="run-1"))
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert (told["issued_token_type"], told["token_type"]) == (ACCESS_TOKEN, "Bearer")
    assert told["scope"].split() == SCOPES
    assert 3590 <= told["expires_in"] <= 3600
    me = Api(told["access_token"]).get("me/").json()
    assert (me["user"], me["rights"]) == (None, SCOPES)
    (issued,) = events(acme, "api_key.issued")
    assert issued["data"]["by"] == f"system:serviceaccount:billing:nightly of {ISSUER}"
    assert issued["data"]["what"] == "service account ci"
    assert answer["Cache-Control"] == "no-store"


def test_the_token_opens_rest_and_gets_aws_keys_that_end_with_it(
    acme: Tenant, ruled: dict[str, Any], billing_account: Connection
) -> None:
    api = Api(exchange(outside_token()).json()["access_token"])
    assert api.get("requests/").status_code == 200
    assert is_problem(api.get("events/"), 403, "identity.right_missing")
    made = api.post("keys/", {"connection": str(billing_account.pk), "seconds": 43200})
    assert made.status_code == 201, made.content
    ends = datetime.fromisoformat(made.json()["Expiration"])
    assert ends <= datetime.now(UTC) + timedelta(hours=1)
    assert [one["id"] for one in api.get("keys/").json()["items"]] == [made.json()["id"]]
    assert api.delete(f"keys/{made.json()['id']}/").status_code == 204
    assert events(acme, "key.issued")[0]["data"]["what"] == "service account ci"


def test_a_workload_acts_as_no_persons_agent_and_sees_nobodys_keys(
    acme: Tenant, ruled: dict[str, Any], billing_agent: Agent, alices_key: Any, billing_account: Connection
) -> None:
    api = Api(exchange(outside_token()).json()["access_token"])
    body = {"connection": str(billing_account.pk), "agent": str(billing_agent.pk)}
    assert is_problem(api.post("keys/", body), 403, "identity.right_missing")
    assert api.get("keys/").json()["items"] == []
    assert is_problem(api.delete(f"keys/{alices_key.pk}/"), 403, "identity.right_missing")


def test_scopes_can_be_narrowed_and_not_widened(ruled: dict[str, Any]) -> None:
    answer = exchange(outside_token(jti="1"), scope="requests:read")
    assert answer.json()["scope"] == "requests:read"
    assert is_refused(exchange(outside_token(jti="2"), scope="requests:read members:write"), "invalid_scope")


WRONG: dict[str, Any] = {
    "another issuer": {"iss": "https://evil.example"},
    "another issuer by a slash": {"iss": ISSUER + "/"},
    "another audience": {"aud": "somebody-else"},
    "no audience": {"aud": None},
    "another subject": {"sub": "system:serviceaccount:other:nightly"},
    "a subject past the wildcard": {"sub": "system:serviceaccount:billing:a:b"},
    "a subject with a line more": {"sub": "system:serviceaccount:billing:nightly\n"},
    "a subject that is a list": {"sub": ["system:serviceaccount:billing:nightly"]},
    "expired": {"exp": datetime.now(UTC) - timedelta(minutes=5)},
    "an end beyond all time": {"exp": float("inf")},
    "not yet": {"nbf": datetime.now(UTC) + timedelta(hours=1)},
    "no end": {"exp": None},
    "no subject": {"sub": None},
    "no time of issue": {"iat": None},
    "issued in the future": {"iat": datetime.now(UTC) + timedelta(hours=1)},
    "kept for days": {"iat": datetime.now(UTC) - timedelta(hours=25)},
    "an id that is no text": {"jti": 7},
    "an empty id": {"jti": ""},
    "another key": {"key": OTHER},
    "an unknown key's name": {"headers": {"kid": "k9"}},
    "a critical header": {"headers": {"crit": ["b64"], "b64": True}},
    "a shared secret": {"key": "k" * 64, "algorithm": "HS256"},
    "no signature": {"key": None, "algorithm": "none"},
    "an algorithm that is not the key's": {"algorithm": "RS512"},
}


@pytest.mark.parametrize("changed", WRONG.values(), ids=WRONG.keys())
def test_a_token_that_fails_one_check_gets_nothing(
    acme: Tenant, ruled: dict[str, Any], changed: dict[str, Any]
) -> None:
    answer = exchange(outside_token(**changed))
    assert is_refused(answer)
    assert answer.json()["error_description"] == "This token is not accepted by this organisation"
    assert len(events(acme, "workload_token.refused")) == 1
    assert events(acme, "api_key.issued") == []


@pytest.mark.parametrize("text", ["x", "a.b.c", "e30.e30.", "." * 100, "x" * 16385, "\u00e9.\u00e9.\u00e9"])
def test_what_is_no_token_gets_nothing(ruled: dict[str, Any], text: str) -> None:
    assert is_refused(exchange(text))


@pytest.mark.parametrize("jti", ["run-1", None])
def test_a_token_is_exchanged_once_whatever_its_signature_is_made_to_look_like(
    acme: Tenant, ruled: dict[str, Any], jti: str | None
) -> None:
    one = outside_token(jti=jti)
    assert exchange(one).status_code == 200
    assert is_refused(exchange(one))
    # The last characters of base64 hold bits nobody reads: another text of the same signature.
    assert is_refused(exchange(one + "="))
    assert is_refused(exchange(one[:-1] + chr(ord(one[-1]) + 1)))
    assert events(acme, "workload_token.refused")[0]["data"]["reason"].count("exchanged before") == 1
    assert exchange(outside_token(jti="run-2", sub="system:serviceaccount:billing:other")).status_code == 200


def test_one_id_from_two_issuers_is_two_tokens(admin: Api, ci: ServiceAccount, ruled: dict[str, Any]) -> None:
    other = "https://other.example"
    assert rule(admin, ci, issuer=other, jwks={"keys": [public(OTHER)]}).status_code == 201
    assert exchange(outside_token(jti="1")).status_code == 200
    assert exchange(outside_token(OTHER, iss=other, jti="1")).status_code == 200


def test_two_keys_of_one_name_are_no_key(admin: Api, ci: ServiceAccount) -> None:
    assert rule(admin, ci, jwks={"keys": [public(RSA), public(OTHER)]}).status_code == 201
    assert is_refused(exchange(outside_token()))


def test_a_token_that_names_no_key_is_taken_only_where_there_is_one(admin: Api, ci: ServiceAccount) -> None:
    assert rule(admin, ci, jwks={"keys": [public(RSA), public(OTHER, "k2")]}).status_code == 201
    now = datetime.now(UTC)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "system:serviceaccount:billing:x", "iat": now}
    assert is_refused(exchange(jwt.encode(claims | {"exp": now + timedelta(minutes=5)}, RSA, algorithm="RS256")))


def test_a_rule_without_scopes_is_for_aws_alone(admin: Api, ci: ServiceAccount) -> None:
    assert rule(admin, ci, scopes=[]).status_code == 201
    assert is_refused(exchange(outside_token()))


@pytest.mark.parametrize("scopes", [["approvals:vote"], ["members:write"], ["all"]])
def test_nobody_gives_a_rule_more_than_he_has_and_none_votes(
    acme: Tenant, ci: ServiceAccount, scopes: list[str]
) -> None:
    maker = api_of(acme, None, Right.AGENTS_WRITE, Right.REQUESTS_READ)
    assert is_problem(rule(maker, ci, scopes=scopes), 400, "identity.scope_refused")


def test_a_revoked_rule_and_a_suspended_account_get_nothing(
    admin: Api, ci: ServiceAccount, ruled: dict[str, Any]
) -> None:
    assert admin.post(f"service-accounts/{ci.pk}/suspend/", {"reason": "x"}).status_code == 200
    assert is_refused(exchange(outside_token(jti="1")))
    assert admin.post(f"service-accounts/{ci.pk}/resume/", {}).status_code == 200
    # What was refused was not used up.
    token = exchange(outside_token(jti="1")).json()["access_token"]
    assert admin.delete(f"workload-rules/{ruled['id']}/").status_code == 200
    assert is_refused(exchange(outside_token(jti="2")))
    assert Api(token).get("me/").status_code == 200


def test_the_account_may_be_named_where_rules_lead_to_several(
    acme: Tenant, admin: Api, ci: ServiceAccount, ruled: dict[str, Any]
) -> None:
    with in_tenant(acme):
        deploy = ServiceAccount.objects.create(tenant=acme, name="deploy")
    assert rule(admin, deploy, scopes=["agents:read"]).status_code == 201
    assert exchange(outside_token(jti="1"), service_account=str(deploy.pk)).json()["scope"] == "agents:read"
    assert is_refused(exchange(outside_token(jti="2"), service_account=str(uuid.uuid4())))
    assert is_refused(exchange(outside_token(jti="3"), service_account="deploy"))


def test_another_organisations_rule_opens_nothing_here(ruled: dict[str, Any], globex: Tenant, alice: User) -> None:
    assert is_refused(exchange(outside_token(), organisation="globex"))
    assert is_refused(exchange(outside_token(), organisation="nobody"))
    assert events(globex, "workload_token.refused")[0]["data"]["reason"].count("No rule is for this issuer") == 1


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
        ({"subject_token_type": ""}, "invalid_request"),
        ({"subject_token_type": "jwt"}, "invalid_request"),
        ({"organisation": ""}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({"actor_token": "x"}, "invalid_request"),
        ({"audience": "somebody"}, "invalid_target"),
        ({"resource": "https://elsewhere.example"}, "invalid_target"),
    ],
)
def test_a_request_we_do_not_take_is_told_so(ruled: dict[str, Any], changed: dict[str, str], error: str) -> None:
    assert is_refused(exchange(outside_token(), **changed), error)


def test_a_source_that_only_guesses_is_turned_away_unread(
    acme: Tenant, ruled: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_exchange, "MOST_FAILURES", 3)
    monkeypatch.setattr(token_exchange, "MOST_WRITTEN_DOWN", 2)
    for _ in range(3):
        assert is_refused(exchange("nonsense"))
    assert exchange(outside_token()).status_code == 429
    assert len(events(acme, "workload_token.refused")) == 2


class TestKeysFromTheIssuer:
    """The issuer's key set by its address: through the egress guard, kept a while, asked again when keys change."""

    URI = "https://issuer.test"

    @pytest.fixture
    def issuer(self, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Peer]:
        settings.EGRESS_ALLOWED = ["127.0.0.1/32"]
        peer = Peer()
        certificate = speaks_tls(peer, tmp_path)
        monkeypatch.setattr(egress, "_tls", lambda: ssl.create_default_context(cafile=str(certificate)))
        peer.start()
        peer.says = says({"keys": [public(RSA)]})
        yield peer
        peer.stop()

    @pytest.fixture
    def by_uri(self, admin: Api, ci: ServiceAccount, issuer: Peer) -> None:
        uri = f"https://127.0.0.1:{issuer.port}/jwks"
        assert rule(admin, ci, jwks=None, jwks_uri=uri).status_code == 201

    def test_they_are_fetched_once_for_many_tokens(self, by_uri: None, issuer: Peer) -> None:
        for number in range(3):
            assert exchange(outside_token(jti=str(number))).status_code == 200
        assert len(issuer.asked) == 1
        assert issuer.asked[0].startswith(b"GET /jwks HTTP/1.1")

    def test_a_new_key_is_found_and_unknown_ones_fetch_no_storm(
        self, by_uri: None, issuer: Peer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert exchange(outside_token(jti="1")).status_code == 200
        issuer.says = says({"keys": [public(RSA), public(OTHER, "k2")]})
        rotated: dict[str, Any] = {"headers": {"kid": "k2"}}
        # Asked a moment ago: not again for every token with an unknown key.
        for _ in range(3):
            assert is_refused(exchange(outside_token(OTHER, **rotated)))
        assert len(issuer.asked) == 1
        monkeypatch.setattr(web_identity, "ASKED_AGAIN_AFTER", timedelta(0))
        assert exchange(outside_token(OTHER, jti="2", **rotated)).status_code == 200

    def test_a_key_that_was_taken_away_counts_no_longer_than_the_set_is_kept(
        self, by_uri: None, issuer: Peer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert exchange(outside_token(jti="1")).status_code == 200
        issuer.says = says({"keys": [public(OTHER, "k2")]})
        assert exchange(outside_token(jti="2")).status_code == 200
        web_identity._KEY_SETS.kept.clear()
        assert is_refused(exchange(outside_token(jti="3")))

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 302 Found\r\nLocation: https://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnone",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
            b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n" + b'{"keys": {}}',
            b"nonsense",
        ],
    )
    def test_an_answer_that_is_no_key_set_opens_nothing(self, by_uri: None, issuer: Peer, answer: bytes) -> None:
        issuer.says = answer
        assert is_refused(exchange(outside_token()))

    def test_a_place_inside_is_never_asked(
        self, admin: Api, ci: ServiceAccount, issuer: Peer, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.EGRESS_ALLOWED = []
        named(monkeypatch, issuer_test=[["127.0.0.1"]])
        assert rule(admin, ci, jwks=None, jwks_uri=f"https://issuer.test:{issuer.port}/").status_code == 201
        assert is_refused(exchange(outside_token()))
        assert issuer.asked == []


def says(document: Any) -> bytes:
    body = json.dumps(document).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def test_a_private_key_is_no_part_of_a_rule(admin: Api, ci: ServiceAccount) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key))
    assert rule(admin, ci, jwks={"keys": [private]}).status_code == 400
