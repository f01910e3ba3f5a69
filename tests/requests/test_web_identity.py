"""AWS_WEB_IDENTITY_TOKEN_FILE: a workload's token opens a connection by a tenant's rule, and nothing else does."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from audit.recordings import recorded_halves
from gateway.connections.models import Connection
from gateway.identity.models import GatewayKey, ServiceAccount
from gateway.identity.services import create_service_account, revoke_gateway_key
from gateway.identity.workload_rules import add_workload_rule, revoke_workload_rule
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import Admission, VerdictKind
from tests.connections.strict_sts import StrictSts
from tests.requests.minted import given
from tests.requests.world import (
    EdgeLife,
    Keys,
    again,
    caught,
    enrolled,
    events_of,
    publish_text,
    refusal_counts,
    row_of,
)

ISSUER, AUDIENCE, SUBJECT = "https://issuer.example", "sts.amazonaws.com", "system:serviceaccount:billing:nightly"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NOBODY = Keys(row=GatewayKey(), access_key_id="AKIANOBODY", secret="none", token="none")


def public(key: rsa.RSAPrivateKey, kid: str = "k1") -> dict[str, Any]:
    return {**json.loads(RSAAlgorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig", "alg": "RS256"}


def token(key: Any = RSA, *, algorithm: str = "RS256", headers: dict[str, Any] | None = None, **changed: Any) -> str:
    now = datetime.now(UTC)
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": SUBJECT,
        "iat": now,
        "exp": now + timedelta(minutes=10),
        "repository": "acme/billing",
    }
    told = {name: value for name, value in (claims | changed).items() if value is not None}
    return jwt.encode(told, key, algorithm=algorithm, headers={"kid": "k1"} | (headers or {}))


@dataclass(kw_only=True)
class Place:
    """A tenant with a workload, and what a workload's SDK would send."""

    tenant: Tenant
    connection: Connection
    account: ServiceAccount
    edge: EdgeLife
    sts: StrictSts
    rules: list[uuid.UUID] = field(default_factory=list)

    def rule(self, **changed: Any) -> None:
        told: dict[str, Any] = {
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "subject": "system:serviceaccount:billing:*",
            "claims": {},
            "jwks_uri": "",
            "jwks": {"keys": [public(RSA)]},
        }
        with in_tenant(self.tenant):
            made = add_workload_rule(
                tenant=self.tenant,
                service_account_id=self.account.pk,
                by_label="a test",
                now=datetime.now(UTC),
                **(told | changed),
            )
        self.rules.append(made.pk)

    def call(self, given_token: str, **parameters: Any) -> Admission:
        told = {
            "RoleArn": self.connection.role_arn,
            "RoleSessionName": "pod-7",
            "WebIdentityToken": given_token,
        } | parameters
        admission = caught(lambda: NOBODY.client("sts").assume_role_with_web_identity(**told))
        assert "authorization" not in {name.lower() for name, _ in admission.headers}
        return admission


@pytest.fixture
def place(acme: Tenant, billing_account: Connection, edge: EdgeLife, strict_sts: StrictSts, db: None) -> Place:
    publish_text(acme, '@id("look") permit (principal, action in Action::"class:List", resource);')
    with in_tenant(acme):
        account = create_service_account(tenant=acme, name="nightly", by_label="a test", now=datetime.now(UTC))
    return Place(tenant=acme, connection=billing_account, account=account, edge=edge, sts=strict_sts)


def test_a_token_opens_the_connection_of_the_role_it_names(place: Place) -> None:
    place.rule()
    admission = place.call(token())
    found = given(place.edge.admit_one(admission), place.tenant, "AssumeRoleWithWebIdentity")
    assert found.answer["SubjectFromWebIdentityToken"] == SUBJECT
    assert (found.answer["Provider"], found.answer["Audience"]) == (ISSUER, AUDIENCE)
    assert found.answer["AssumedRoleUser"]["Arn"].endswith("/pod-7")
    assert found.keys.row.service_account_id == place.account.pk
    call = found.keys.call("s3", "list_buckets")
    assert place.edge.admit_one(call).kind is VerdictKind.FORWARD
    assert row_of(place.tenant, call).person_label == "nightly"
    assert {one["RoleSessionName"] for one in place.sts.asked if one["Action"] == "AssumeRole"} == {"pod-7"}
    assert {one["SourceIdentity"] for one in place.sts.asked} == {"nightly"}


def test_it_is_written_down_and_the_token_never_is(place: Place) -> None:
    place.rule()
    secret = token()
    admission = place.call(secret)
    found = given(place.edge.admit_one(admission), place.tenant, "AssumeRoleWithWebIdentity")
    row = row_of(place.tenant, admission)
    assert (row.state, row.effect, row.operation, row.key_id) == (
        "completed",
        "allow",
        "AssumeRoleWithWebIdentity",
        admission.id,
    )
    assert row.parameters["WebIdentityToken"].startswith("[REDACTED")
    with in_tenant(place.tenant):
        halves = recorded_halves(tenant_id=place.tenant.pk, request_ids=[admission.id])[admission.id]
    written = str(events_of(place.tenant)) + str(vars(row)) + "".join(half.text for half in halves.values())
    for hidden in (secret, secret.rpartition(".")[2], found.keys.secret, found.keys.token):
        assert hidden not in written
    assert [kind for kind, _ in events_of(place.tenant, admission.id)] == ["key.issued", "request.completed"]


WRONG: dict[str, Any] = {
    "another issuer": {"iss": "https://evil.example"},
    "another audience": {"aud": "somebody-else"},
    "another subject": {"sub": "system:serviceaccount:other:nightly"},
    "a subject past the wildcard": {"sub": "system:serviceaccount:billing:a:b"},
    "expired": {"exp": datetime.now(UTC) - timedelta(minutes=5)},
    "not yet": {"nbf": datetime.now(UTC) + timedelta(hours=1)},
    "no end": {"exp": None},
    "no subject": {"sub": None},
    "another key": {"key": OTHER},
    "an unknown key's name": {"headers": {"kid": "k9"}},
    "a critical header": {"headers": {"crit": ["b64"], "b64": True}},
    "a shared secret": {"key": "k" * 64, "algorithm": "HS256"},
    "no signature": {"key": None, "algorithm": "none"},
}


@pytest.mark.parametrize("changed", WRONG.values(), ids=WRONG.keys())
def test_a_token_that_fails_one_check_opens_nothing(place: Place, changed: dict[str, Any]) -> None:
    place.rule()
    verdict = place.edge.admit_one(place.call(token(**changed)))
    assert verdict.kind is VerdictKind.REFUSE
    assert verdict.answer is not None
    assert b"InvalidIdentityToken" in verdict.answer.body
    assert refusal_counts() == {"minting.web_identity": 1}
    assert place.sts.asked == []


def test_a_token_signed_with_the_public_key_as_a_secret_opens_nothing(place: Place) -> None:
    place.rule()
    head = jwt.utils.base64url_encode(b'{"alg":"HS256","kid":"k1"}').decode()
    claims = token().split(".")[1]
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    mac = hmac.new(pem, f"{head}.{claims}".encode(), hashlib.sha256).digest()
    forged = f"{head}.{claims}.{jwt.utils.base64url_encode(mac).decode()}"
    assert place.edge.admit_one(place.call(forged)).kind is VerdictKind.REFUSE
    assert place.edge.admit_one(place.call(f"{head}.{claims}.")).kind is VerdictKind.REFUSE


def test_elliptic_keys_are_taken(place: Place) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = {**json.loads(ECAlgorithm.to_jwk(key.public_key())), "kid": "k1"}
    place.rule(jwks={"keys": [jwk]})
    assert place.edge.admit_one(place.call(token(key, algorithm="ES256"))).kind is VerdictKind.RESULT


@pytest.mark.parametrize(("repository", "kind"), [("acme/billing", VerdictKind.RESULT), ("evil/x", VerdictKind.REFUSE)])
def test_a_rule_may_demand_claims(place: Place, repository: str, kind: VerdictKind) -> None:
    place.rule(claims={"repository": "acme/billing"})
    assert place.edge.admit_one(place.call(token(repository=repository))).kind is kind


def test_a_role_of_no_connection_is_refused(place: Place) -> None:
    place.rule()
    elsewhere = place.connection.role_arn + "-other"
    assert place.edge.admit_one(place.call(token(), RoleArn=elsewhere)).kind is VerdictKind.REFUSE


def test_a_revoked_rule_lets_nobody_in(place: Place) -> None:
    place.rule()
    with in_tenant(place.tenant):
        revoke_workload_rule(tenant=place.tenant, rule_id=place.rules[0], by_label="a test", now=datetime.now(UTC))
    assert place.edge.admit_one(place.call(token())).kind is VerdictKind.REFUSE


def test_a_forbid_of_policy_stands_above_the_rule(place: Place) -> None:
    place.rule()
    publish_text(
        place.tenant, '@id("no") forbid (principal, action == Action::"sts:AssumeRoleWithWebIdentity", resource);'
    )
    admission = place.call(token())
    assert place.edge.admit_one(admission).kind is VerdictKind.REFUSE
    assert row_of(place.tenant, admission).rule_ids[0].endswith("no")
    with in_tenant(place.tenant):
        kept = GatewayKey.objects.for_tenant(place.tenant).get(pk=admission.id)
    assert not kept.is_live(datetime.now(UTC))


def test_a_suspended_workload_is_refused(place: Place) -> None:
    place.rule()
    with in_tenant(place.tenant):
        ServiceAccount.objects.for_tenant(place.tenant).filter(pk=place.account.pk).update(is_suspended=True)
    assert place.edge.admit_one(place.call(token())).kind is VerdictKind.REFUSE


def test_an_answer_that_was_lost_is_given_again(place: Place) -> None:
    place.rule()
    admission = place.call(token())
    assert place.edge.admit_one(admission) == place.edge.admit_one(admission)


def test_a_revoked_key_is_not_opened_again_by_the_same_call(place: Place) -> None:
    place.rule()
    admission = place.call(token())
    found = given(place.edge.admit_one(admission), place.tenant, "AssumeRoleWithWebIdentity")
    with in_tenant(place.tenant):
        revoke_gateway_key(tenant=place.tenant, key_id=admission.id, by_label="a test", now=datetime.now(UTC))
    place.edge.admit_one(admission)
    assert place.edge.admit_one(found.keys.call("s3", "list_buckets")).kind is VerdictKind.REFUSE


def test_an_edge_of_another_tenant_opens_nothing(place: Place, globex: Tenant) -> None:
    place.rule()
    assert enrolled(globex, name="edge-9").admit_one(place.call(token())).kind is VerdictKind.REFUSE


def test_saml_is_refused_with_what_to_do(place: Place) -> None:
    admission = caught(
        lambda: NOBODY.client("sts").assume_role_with_saml(
            RoleArn=place.connection.role_arn,
            PrincipalArn="arn:aws:iam::123456789012:saml-provider/corp",
            SAMLAssertion="PHNhbWw+",
        )
    )
    verdict = place.edge.admit_one(admission)
    assert verdict.answer is not None
    assert b"does not answer AssumeRoleWithSAML" in verdict.answer.body
    assert b"AssumeRoleWithWebIdentity" in verdict.answer.body


def test_no_other_unsigned_call_is_admitted(place: Place) -> None:
    place.rule()
    web = place.call(token())
    plain = again(web, body=web.body.replace(b"AssumeRoleWithWebIdentity", b"GetCallerIdentity"))
    verdict = place.edge.admit_one(plain)
    assert verdict.kind is VerdictKind.REFUSE
    assert "minting.web_identity" not in refusal_counts()
    assert verdict.answer is not None
    assert b"MissingAuthenticationToken" in verdict.answer.body
