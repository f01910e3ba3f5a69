"""CBOR bodies of Smithy RPC v2: masked in type, timestamps kept as tags, anything outside the data model refused."""

from __future__ import annotations

import cbor2
import pytest

from gateway.masking.bodies import End, Reason, Withheld
from gateway.terms import Protocol
from tests.masking.conftest import Send, plan

WHEN = cbor2.CBORTag(1, 1_767_000_000.25)


def test_each_type_is_replaced_within_itself(send: Send) -> None:
    body = cbor2.dumps({"keep": 1.5, "when": WHEN, "S": {"s": "x", "b": b"\x00\xff", "n": 7, "t": WHEN, "f": True}})
    end = send(body, plan(Protocol.CBOR, "S"))
    assert isinstance(end, End)
    masked = cbor2.loads(end.body, semantic_decoders={1: lambda value, _: ("epoch", value)})
    assert masked == {
        "keep": 1.5,
        "when": ("epoch", 1_767_000_000.25),
        "S": {"s": "[REDACTED:secret]", "b": b"[REDACTED:secret]", "n": 0, "t": ("epoch", 0), "f": False},
    }


def test_a_body_without_secrets_keeps_every_byte(send: Send) -> None:
    body = bytes.fromhex("bf616101616282f97e00fb3ff8000000000000ff")  # an indefinite map, as AWS writes them
    end = send(body, plan(Protocol.CBOR))
    assert isinstance(end, End)
    assert end.body == body


def test_text_and_blobs_are_scanned(send: Send) -> None:
    body = cbor2.dumps({"message": "login password=hunter2!", "data": b'{"password":"xyzzy-1"}', "raw": b"\xff\x00"})
    end = send(body, plan(Protocol.CBOR))
    assert isinstance(end, End)
    assert cbor2.loads(end.body) == {
        "message": "login password=[REDACTED:password]",
        "data": b'{"password":"[REDACTED:password]"}',
        "raw": b"\xff\x00",
    }


@pytest.mark.parametrize(
    "body",
    [
        bytes.fromhex("a2616101616102"),  # one name twice
        cbor2.dumps({"a": 1}) + b"\x01",
        cbor2.dumps({1: "a"}),
        cbor2.dumps({"a": {1, 2}}),
        cbor2.dumps({"a": cbor2.CBORTag(35, "regex")}),
        b"\x81" * 500 + b"\x01",
        b"\xa1\x61",
        b"{}",
    ],
)
def test_cbor_outside_the_data_model_is_withheld(send: Send, body: bytes) -> None:
    answer = send(body, plan(Protocol.CBOR))
    assert isinstance(answer, Withheld)
    assert answer.reason is Reason.MALFORMED
