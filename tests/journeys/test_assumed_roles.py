"""Profiles with a role, chains of them and web identity token files, unchanged, with the real aws CLI and boto3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import jwt
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from hoopweb.stack import seed
from tests.journeys.clients import aws, environment
from tests.journeys.product import Product, Tenant

HOME = seed.ROLE_ARN.partition(":role/")[0]
READER, DEEPER = f"{HOME}:role/reader", f"{HOME}:role/deeper"
PROFILES = f"""
[profile reader]
role_arn = {READER}
credential_source = Environment
role_session_name = nightly

[profile deeper]
role_arn = {DEEPER}
source_profile = reader
role_session_name = nightly
"""
PERMIT = f"""
@id("journey.roles")
permit (principal, action == Action::"sts:AssumeRole", resource)
when {{ [Hoopweb::Resource::"{READER}", Hoopweb::Resource::"{DEEPER}"].contains(resource) }};
"""


@pytest.fixture
def profiles(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "config"
    path.write_text(PROFILES)
    # The CLI keeps the credentials of roles below its home.
    return {"AWS_CONFIG_FILE": str(path), "HOME": str(tmp_path)}


@pytest.fixture
def permitted(demo: Tenant) -> Iterator[None]:
    with demo.policy(PERMIT):
        yield


def test_a_profile_with_a_role_works_unchanged_in_the_cli(
    demo: Tenant, permitted: None, profiles: dict[str, str]
) -> None:
    ran = aws(demo, "sts", "get-caller-identity", "--profile", "reader", "--output", "json", more=profiles)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["Arn"].endswith(":assumed-role/reader/nightly")
    (call,) = demo.items("requests/?operation=AssumeRole&effect=allow")[:1]
    assert (call["state"], call["resources"]) == ("completed", [READER])


def test_roles_are_chained_in_boto3(
    demo: Tenant, permitted: None, profiles: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(demo, **profiles).items():
        monkeypatch.setenv(name, value)
    session = boto3.Session(profile_name="deeper")
    assert session.client("sts").get_caller_identity()["Arn"].endswith(":assumed-role/deeper/nightly")
    frozen = session.get_credentials().get_frozen_credentials()
    assert frozen.access_key.startswith("HWIA")
    assert seed.REPORTS in [one["Name"] for one in session.client("s3").list_buckets()["Buckets"]]


LOGS = "arn:aws:iam::444455556666:role/logs"


def test_a_role_of_another_account_is_assumed_where_the_connection_may_reach_it(
    product: Product, demo: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(f"[profile logs]\nrole_arn = {LOGS}\ncredential_source = Environment\n")
    for name, value in environment(demo, AWS_CONFIG_FILE=str(config), HOME=str(tmp_path)).items():
        monkeypatch.setenv(name, value)
    [connection] = [one for one in demo.items("connections/") if one["account_id"] == seed.ACCOUNT][:1]
    path = f"connections/{connection['id']}/accounts/"
    rule = f'@id("journey.logs") permit (principal, action == Action::"sts:AssumeRole", resource == Hoopweb::Resource::"{LOGS}");'
    with demo.policy(rule):
        with pytest.raises(ClientError, match="does not reach the account"):
            boto3.Session(profile_name="logs").client("sts").get_caller_identity()
        opened = demo.rest("POST", path, key="HOOPWEB_ADMIN_API_KEY", body={"account_ids": ["444455556666"]})
        assert opened.status == 200, opened
        try:
            there = boto3.Session(profile_name="logs")
            assert there.client("sts").get_caller_identity()["Account"] == "444455556666"
            queue = there.client("sqs").create_queue(QueueName="of-the-other-account")["QueueUrl"]
        finally:
            closed = demo.rest("POST", path, key="HOOPWEB_ADMIN_API_KEY", body={"account_ids": []})
            assert closed.status == 200, closed
        with pytest.raises(ClientError, match="reaches for another AWS account"):
            there.client("sts").get_caller_identity()
    assert "/444455556666/" in queue
    assert "QueueUrls" not in product.truth("sqs").list_queues(QueueNamePrefix="of-the-other-account")


def test_a_role_nobody_permitted_is_refused_with_advice(demo: Tenant, profiles: dict[str, str]) -> None:
    ran = aws(demo, "s3", "ls", "--profile", "reader", more=profiles)
    assert ran.returncode != 0
    assert b"AccessDenied" in ran.stderr
    assert b"hoopweb already gives you credentials" in ran.stderr


def test_a_web_identity_token_file_works_unchanged(product: Product, demo: Tenant, tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    admin = "HOOPWEB_ADMIN_API_KEY"
    account = demo.rest("POST", "service-accounts/", key=admin, body={"name": f"ci {tmp_path.name}"[:40]})
    assert account.status == 201, account
    rule = demo.rest(
        "POST",
        "workload-rules/",
        key=admin,
        body={
            "service_account": account.body["id"],
            "issuer": "https://ci.example",
            "audience": "sts.amazonaws.com",
            "subject": "repo:acme/billing:*",
            "jwks": {"keys": [{**json.loads(RSAAlgorithm.to_jwk(key.public_key())), "kid": "1"}]},
        },
    )
    assert rule.status == 201, rule
    now = datetime.now(UTC)
    claims = {"iss": "https://ci.example", "aud": "sts.amazonaws.com", "sub": "repo:acme/billing:main", "iat": now}
    path = tmp_path / "token"
    path.write_text(jwt.encode(claims | {"exp": now + timedelta(minutes=5)}, key, "RS256", headers={"kid": "1"}))
    told = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(path), "AWS_ROLE_ARN": seed.ROLE_ARN, "AWS_ROLE_SESSION_NAME": "job-1"}
    env = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "")
    ran = aws(demo, "sts", "get-caller-identity", "--output", "json", more=env | told | {"HOME": str(tmp_path)})
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["Arn"].endswith("/job-1")
    (call,) = demo.items("requests/?operation=GetCallerIdentity")[:1]
    assert account.body["name"] in str(call)
    assert demo.rest("DELETE", f"workload-rules/{rule.body['id']}/", key=admin).status == 200
    again = aws(demo, "sts", "get-caller-identity", more=env | told | {"HOME": str(tmp_path / "elsewhere")})
    assert again.returncode != 0
    assert b"InvalidIdentityToken" in again.stderr
