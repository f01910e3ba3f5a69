"""Decoys that CloudTrail saw, that came as a key id or stand in an agent's command: a finding each, once."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from gateway.identity.models import User
from gateway.requests.models import IssuedDecoys
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.connections.strict_sts import StrictSts
from tests.devices import machine_of
from tests.requests.test_decoys import DECOYS, issued, written
from tests.requests.world import EdgeLife, Keys, again, enrolled, events_of, publish_text, refusal_counts

KEY_ID = "AKIAQ3EGRIRO7ABCDEFG"  # made up


@pytest.fixture
def handed_out(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> dict[str, str]:
    """What an answer held: an access key's id and a password."""
    publish_text(acme, DECOYS)
    _, plan = issued(edge, keys)
    return {"key": written(plan, "aws-access-key", KEY_ID), "password": written(plan)}


def record(id_: str, **more: Any) -> dict[str, Any]:
    told = {
        "eventID": id_,
        "eventTime": "2026-11-23T07:00:00Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "GetAccessKeyInfo",
        "sourceIPAddress": "198.51.100.9",
        "recipientAccountId": "123456789012",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/eve", "accessKeyId": "AKIAREAL"},
        "requestParameters": {"name": "x"},
    }
    return told | more


def trail(folder: Path, name: str, *records: dict[str, Any]) -> str:
    data = json.dumps({"Records": records}).encode()
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return str(path)


def run(tenant: Tenant, *files: str) -> str:
    said = StringIO()
    call_command("find_decoys", "--tenant", tenant.slug, *files, stdout=said, stderr=said)
    return said.getvalue()


def findings(tenant: Tenant) -> list[dict[str, Any]]:
    return [facts for kind, facts in events_of(tenant) if kind == "decoy.used"]


def test_each_record_that_carries_a_decoy_is_a_finding(
    handed_out: dict[str, str], acme: Tenant, tmp_path: Path
) -> None:
    as_key = record("e-1", userIdentity={"type": "IAMUser", "accessKeyId": handed_out["key"]})
    in_text = record("e-2", requestParameters={"deep": [{"policy": f'{{"p":"{handed_out["password"]}"}}'}]})
    said = run(acme, trail(tmp_path, "a.json", as_key, record("e-3")), trail(tmp_path, "b.json.gz", in_text))
    assert "3 records read, 2 carry a decoy, 2 of those told of now" in said
    first, second = findings(acme)
    assert (first["record"], first["decoy"].split(":")[0], first["where"]) == ("e-1", "access-key", "cloudtrail")
    assert (second["record"], second["principal"]) == ("e-2", "arn:aws:iam::123456789012:user/eve")
    with in_tenant(acme):
        given = IssuedDecoys.objects.for_tenant(acme).get()
    for found in (first, second):
        assert found["issued_request"] == str(given.request_id)
        assert (found["issued_person"], found["operation"]) == ("alice", "GetAccessKeyInfo")
        assert found["at"] == "2026-11-23T07:00:00Z"
    assert str(given.request_id) in said


def test_the_same_record_is_told_of_once(handed_out: dict[str, str], acme: Tenant, tmp_path: Path) -> None:
    path = trail(tmp_path, "a.json", record("e-1", userAgent=handed_out["password"]))
    run(acme, path)
    assert "2 carry a decoy, 0 of those told of now" in run(acme, path, path)
    assert len(findings(acme)) == 1


def test_a_folder_stands_for_its_files(handed_out: dict[str, str], acme: Tenant, tmp_path: Path) -> None:
    below = tmp_path / "2026" / "11"
    below.mkdir(parents=True)
    trail(below, "a.json.gz", record("e-1", requestParameters={"k": handed_out["key"]}))
    (below / "notes.txt").write_text("no log")
    assert "1 records read, 1 carry" in run(acme, str(tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandError, match="no file in it"):
        run(acme, str(tmp_path / "empty"))


@pytest.mark.parametrize("broken", [b"", b"{", b'{"Records": [{"a": "', b"\x1f\x8bnothing", b"hello"])
def test_a_broken_file_is_said_and_the_others_are_read(
    handed_out: dict[str, str], acme: Tenant, tmp_path: Path, broken: bytes
) -> None:
    (tmp_path / "broken.json").write_bytes(broken)
    good = trail(tmp_path, "good.json", record("e-1", requestParameters={"k": handed_out["key"]}))
    with pytest.raises(CommandError, match="1 files could not be read"):
        run(acme, str(tmp_path / "broken.json"), good)
    assert len(findings(acme)) == 1


def test_a_file_that_is_not_there_and_a_tenant_that_is_not(acme: Tenant, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="could not be read"):
        run(acme, str(tmp_path / "none.json"))
    with pytest.raises(CommandError):
        call_command("find_decoys", "--tenant", "nobody", str(tmp_path))


def test_another_tenants_decoys_are_none_of_ours(
    handed_out: dict[str, str], acme: Tenant, globex: Tenant, tmp_path: Path
) -> None:
    path = trail(tmp_path, "a.json", record("e-1", requestParameters={"k": handed_out["key"]}))
    assert "0 carry a decoy" in run(globex, path)
    assert findings(globex) == []


def test_no_secret_of_a_record_enters_the_ledger(handed_out: dict[str, str], acme: Tenant, tmp_path: Path) -> None:
    hidden = "ghp_R4nD0mL00k1ngT0k3nF0rTh3D3m00000abcd"  # made up
    odd = record("e-1\x00", eventName=f"Get{hidden}\x00\ud800", requestParameters={"k": handed_out["key"]})
    run(acme, trail(tmp_path, "a.json", odd))
    (found,) = findings(acme)
    assert hidden not in json.dumps(found)
    assert handed_out["key"] not in json.dumps(found)
    assert len(found["record"]) == 64


# -- as the key of a call


def tried(keys: Keys, key_id: str) -> Any:
    return replace(keys, access_key_id=key_id).call("sts", "get_caller_identity")


def test_a_decoy_tried_as_a_key_is_refused_like_any_unknown_key_and_found(
    handed_out: dict[str, str], edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    for _ in range(3):
        verdict = edge.admit_one(tried(keys, handed_out["key"]))
        assert verdict.answer is not None
        assert b"InvalidClientTokenId" in verdict.answer.body
    (found,) = findings(acme)
    assert (found["where"], found["source"], found["issued_person"]) == ("access_key", "203.0.113.7", "alice")
    assert refusal_counts()["requests.unknown_key"] == 3


@pytest.mark.parametrize("key_id", [KEY_ID, "AKIA", "nonsense", "é" * 20])
def test_other_unknown_keys_are_counted_only(
    handed_out: dict[str, str], edge: EdgeLife, keys: Keys, acme: Tenant, key_id: str
) -> None:
    before = len(events_of(acme))
    request = tried(keys, KEY_ID)
    headers = tuple((name, value.replace(KEY_ID, key_id)) for name, value in request.headers)
    edge.admit_one(again(request, headers=headers))
    assert len(events_of(acme)) == before


def test_an_edge_tells_only_of_decoys_of_tenants_it_serves(
    handed_out: dict[str, str], keys: Keys, acme: Tenant, globex: Tenant
) -> None:
    enrolled(globex, name="edge-9").admit_one(tried(keys, handed_out["key"]))
    assert findings(acme) == findings(globex) == []


# -- in what an agent's hook tells


def test_a_decoy_in_a_command_an_agent_is_about_to_run_is_found_once(
    handed_out: dict[str, str], acme: Tenant, alice: User
) -> None:
    laptop = machine_of(acme, alice)
    prompt = laptop.prompt("conv-9", "turn-1").json()["id"]
    for phase in ("before", "after"):
        command = f"psql 'postgres://app:{handed_out['password']}@db/app' -c 'select 1'"
        told = laptop.tool("conv-9", "turn-1", "tool-1", phase, command=command)
        assert told.status_code == 201, told.content
        assert handed_out["password"] not in told.content.decode()
    (found,) = findings(acme)
    assert (found["where"], found["operation"], found["prompt"]) == ("tool_use", "Shell", prompt)
    assert (found["issued_operation"], found["person"]) == ("secretsmanager:GetSecretValue", "alice")


def test_other_commands_are_none(handed_out: dict[str, str], acme: Tenant, alice: User) -> None:
    laptop = machine_of(acme, alice)
    assert laptop.tool("conv-9", None, "tool-2", "before", command=f"echo {KEY_ID}").status_code == 201
    assert findings(acme) == []
