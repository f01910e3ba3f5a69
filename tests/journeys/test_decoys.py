"""Decoys on the running product: read in a secret's place, used, refused, and found with the prompt they came from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hoopweb.stack import seed
from tests.journeys.product import Product, Tenant

SECRET = "journey/decoys/db"  # a secret's name
PASSWORD = "Tr0ub4dor-of-the-journey"  # made up
DECOYS = '@id("journey.decoys") @mask("decoy") permit (principal, action, resource);'
KEY_ID = "AKIAQ3EGRIRO7ABCDEFG"  # made up


@pytest.fixture
def planted(product: Product) -> Iterator[None]:
    """A secret and an object of this test's own."""
    vault = product.truth("secretsmanager")
    vault.create_secret(Name=SECRET, SecretString=json.dumps({"username": "ada", "password": PASSWORD}))
    product.truth("s3").put_object(Bucket=seed.SCRATCH, Key="decoys.env", Body=f"AWS_ACCESS_KEY_ID={KEY_ID}\n".encode())
    yield
    vault.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)


def findings(tenant: Tenant) -> list[dict[str, Any]]:
    return [one["data"] for one in tenant.items("events/?kind=decoy.used&limit=50")]


def refused(act: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as error:
        act(**parameters)
    return str(error.value)


def test_a_decoys_use_names_the_prompt_it_came_from(
    product: Product, demo: Tenant, globex: Tenant, planted: None, tmp_path: Path
) -> None:
    prompt = demo.prompt("decoys-1", "Find the database's password")
    keys = demo.keys_for("decoys-1", generation="turn-1")
    with demo.policy(DECOYS):
        text = demo.aws("secretsmanager", keys=keys).get_secret_value(SecretId=SECRET)["SecretString"]
        line = demo.aws("s3", keys=keys).get_object(Bucket=seed.SCRATCH, Key="decoys.env")["Body"].read().decode()
        again = demo.aws("secretsmanager", edge=1, keys=keys).get_secret_value(SecretId=SECRET)["SecretString"]
    decoy, key_id = json.loads(text)["password"], line.strip().partition("=")[2]
    assert PASSWORD not in text
    assert KEY_ID not in line
    assert len(key_id) == 20
    assert key_id.startswith("AKIA")
    assert json.loads(again)["password"] != decoy

    # Used by another conversation, in a write, an upload, a read, and as a key; none of it reaches AWS.
    other = demo.keys_for("decoys-2")
    before = len(product.upstream())
    named = "in place of a secret"
    assert named in refused(demo.aws("secretsmanager", keys=other).put_secret_value, SecretId=SECRET, SecretString=text)
    assert named in refused(
        demo.aws("s3", edge=1, keys=other).put_object, Bucket=seed.SCRATCH, Key="x", Body=line.encode() * 9_000
    )
    assert named in refused(
        demo.aws("dynamodb", keys=other).get_item, TableName="staff", Key={"id": {"S": f"password {decoy}"}}
    )
    thief = {**other, "AWS_ACCESS_KEY_ID": key_id}
    assert "InvalidClientTokenId" in refused(demo.aws("sts", keys=thief).get_caller_identity)
    assert not [one for one in product.upstream()[before:] if "PutSecretValue" in str(one) or "GetItem" in str(one)]

    def found() -> list[dict[str, Any]]:
        mine = [one for one in findings(demo) if one.get("issued_prompt") == prompt]
        return mine if len(mine) >= 4 else []

    used = product.wait(found, seconds=20, told="the findings did not come")
    assert {one["where"] for one in used} == {"request", "upload", "access_key"}
    assert {one["issued_operation"] for one in used} == {"secretsmanager:GetSecretValue", "s3:GetObject"}
    assert all(one["issued_agent"] and one["issued_at"] for one in used)
    assert {one["operation"] for one in used if one["where"] == "request"} == {"PutSecretValue", "GetItem"}

    # What CloudTrail saw is found once.
    trail = tmp_path / "trail.json"
    record = {"eventID": "journey-1", "eventName": "GetAccessKeyInfo", "requestParameters": {"accessKeyId": key_id}}
    trail.write_text(json.dumps({"Records": [record]}))
    for told in ("1 of those told of now", "0 of those told of now"):
        assert told in product.manage("find_decoys", "--tenant", demo.demo["HOOPWEB_TENANT"], str(trail))
    assert [one["record"] for one in findings(demo) if one["where"] == "cloudtrail"] == ["journey-1"]

    # To another tenant they are words like any others.
    globex.aws("s3").put_object(Bucket=seed.SCRATCH, Key="decoys-of-demo", Body=line.encode())
    assert findings(globex) == []

    stored = product.query("SELECT count(*) FROM requests_proxiedrequest WHERE parameters::text LIKE %s", f"%{decoy}%")
    assert stored == [(0,)]
