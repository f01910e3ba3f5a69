"""JSON bodies: what a path or a name marks is replaced in its own type, everything else keeps its bytes."""

from __future__ import annotations

import json

import pytest

from gateway.masking.bodies import End, Reason, Withheld
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm
from tests.masking.conftest import Send, plan

CLEAN = b'{"Items": [1.10, 1E400, 12345678901234567890123, -0],\n "Name":"caf\\u00e9 \xc3\xa9\\/", "x" : null }'


def test_a_body_without_secrets_keeps_every_byte(send: Send) -> None:
    end = send(CLEAN, plan(Protocol.JSON, "SecretString"))
    assert isinstance(end, End)
    assert end.body == CLEAN
    assert end.report.masked_by_type == {}
    assert end.report.bytes_scanned == len(CLEAN)


def test_only_the_masked_member_changes(send: Send) -> None:
    body = CLEAN.replace(b'"x" : null', b'"SecretString" : "tiger\\"s","x" : null')
    end = send(body, plan(Protocol.JSON, "SecretString"))
    assert isinstance(end, End)
    assert end.body == body.replace(b'"tiger\\"s"', b'"[REDACTED:secret]"')
    assert end.report.masked_by_type == {"secret": 1}


def test_each_type_is_replaced_within_itself(send: Send) -> None:
    body = b'{"Whole":{"s":"x","n":12.5,"b":true,"z":null,"e":"","Plaintext":"aGVsbG8=","at":"2026-01-02T03:04:05Z"}}'
    end = send(body, plan(Protocol.JSON, "Whole"))
    assert isinstance(end, End)
    assert json.loads(end.body) == {
        "Whole": {
            "s": "[REDACTED:secret]",
            "n": 0,
            "b": False,
            "z": None,
            "e": "",
            "Plaintext": "W1JFREFDVEVEOnNlY3JldF0=",
            "at": "1970-01-01T00:00:00Z",
        }
    }


def test_a_star_stands_for_every_element_and_map_value(send: Send) -> None:
    body = b'{"List":[{"v":"one","k":"a"},{"v":"two","k":"b"}],"Map":{"p":"three","q":"four"}}'
    end = send(body, plan(Protocol.JSON, "List.*.v", "Map.*"))
    assert isinstance(end, End)
    masked = json.loads(end.body)
    assert masked["List"] == [{"v": "[REDACTED:secret]", "k": "a"}, {"v": "[REDACTED:secret]", "k": "b"}]
    assert masked["Map"] == {"p": "[REDACTED:secret]", "q": "[REDACTED:secret]"}


@pytest.mark.parametrize(
    "body",
    [b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":1}x', b"{", b'"\x01"', b"\xff", b"[" * 100_000, b'{"a":"\x80"}'],
)
def test_json_that_parsers_read_differently_is_withheld(send: Send, body: bytes) -> None:
    answer = send(body, plan(Protocol.JSON))
    assert isinstance(answer, Withheld)
    assert (answer.code, answer.reason) == ("masking.withheld", Reason.MALFORMED)


def test_names_tell_what_values_are(send: Send) -> None:
    body = {
        "env": [{"Name": "DB_PASSWORD", "Value": "trustno1"}, {"Name": "STAGE", "Value": "prod"}],
        "item": {"api_key": {"S": "k3yk3yk3y"}, "title": {"S": "Password policy"}},
        "command": ["serve", "--password", "swordfish", "--verbose"],
        "MasterUserPassword": "opensesame",
        "passcode": 907133,
        "PasswordLength": 4096,
    }
    end = send(json.dumps(body).encode(), plan(Protocol.JSON))
    assert isinstance(end, End)
    masked = json.loads(end.body)
    assert masked["env"] == [{"Name": "DB_PASSWORD", "Value": "[REDACTED:password]"}, body["env"][1]]  # type: ignore[index]
    assert masked["item"] == {"api_key": {"S": "[REDACTED:secret]"}, "title": {"S": "Password policy"}}
    assert masked["command"] == ["serve", "--password", "[REDACTED:password]", "--verbose"]
    assert (masked["MasterUserPassword"], masked["passcode"], masked["PasswordLength"]) == (
        "[REDACTED:password]",
        0,
        4096,
    )


def test_pagination_tokens_pass_at_the_top_and_nowhere_else(send: Send) -> None:
    page = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlc2lnbmF0dXJl"
    body = json.dumps({"NextToken": page, "Items": [{"NextToken": page}]}).encode()
    end = send(body, plan(Protocol.JSON))
    assert isinstance(end, End)
    assert json.loads(end.body) == {"NextToken": page, "Items": [{"NextToken": "[REDACTED:jwt]"}]}
    # In a payload every name is somebody's choice.
    payload = send(body, plan(Protocol.REST_JSON, body=BodyForm.BLOB))
    assert isinstance(payload, End)
    assert page not in payload.body.decode()


def test_json_and_base64_inside_values_are_followed(send: Send) -> None:
    inner = json.dumps({"user": "bob", "password": "xyzzy-99"})
    encoded = "eyJ1c2VyIjoiYm9iIiwicGFzc3dvcmQiOiJ4eXp6eS05OSJ9"
    body = json.dumps({"Message": inner, "Twice": json.dumps({"in": inner}), "Data": encoded}).encode()
    end = send(body, plan(Protocol.JSON))
    assert isinstance(end, End)
    masked = json.loads(end.body)
    assert json.loads(masked["Message"]) == {"user": "bob", "password": "[REDACTED:password]"}
    assert json.loads(json.loads(masked["Twice"])["in"]) == {"user": "bob", "password": "[REDACTED:password]"}
    assert "xyzzy" not in masked["Data"]
    assert encoded not in masked["Data"]


def test_an_access_key_id_stays_where_keys_are_listed(send: Send) -> None:
    body = b'{"AccessKeyMetadata":[{"AccessKeyId":"AKIAQWERTYUIOPASDFGH"}],"log":"used AKIAQWERTYUIOPASDFGH"}'
    end = send(body, plan(Protocol.JSON))
    assert isinstance(end, End)
    assert json.loads(end.body) == {
        "AccessKeyMetadata": [{"AccessKeyId": "AKIAQWERTYUIOPASDFGH"}],
        "log": "used [REDACTED:aws-access-key]",
    }


def test_secrets_in_member_names_are_masked_and_names_stay_distinct(send: Send) -> None:
    body = json.dumps(
        {"m": {"ghp_0123456789abcdefghijABCDEFGHIJ012345": 1, "ghp_9876543210abcdefghijABCDEFGHIJ012345": 2}}
    )
    end = send(body.encode(), plan(Protocol.JSON))
    assert isinstance(end, End)
    assert "ghp_" not in end.body.decode()
    assert sorted(json.loads(end.body)["m"].values()) == [1, 2]
