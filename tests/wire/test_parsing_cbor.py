"""Smithy RPC v2 CBOR: decoded strictly, with cbor2 as the oracle for what is well-formed."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.terms import Protocol
from gateway.wire import problems
from gateway.wire.aws import cbor
from gateway.wire.aws.parsing import parse
from tests.wire.making import raw

HEADERS = (("smithy-protocol", "rpc-v2-cbor"), ("Content-Type", "application/cbor"))
PATH = "/service/GraniteServiceVersion20100801/operation/"

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_what_another_encoder_writes_is_read_back(value: Any) -> None:
    assert cbor.decode(cbor2.dumps(value)) == value


@given(values)
def test_a_value_cut_anywhere_is_refused(value: Any) -> None:
    data = cbor2.dumps(value)
    for cut in range(len(data)):
        with pytest.raises(problems.MalformedBody):
            cbor.decode(data[:cut])


@given(st.binary(max_size=64))
def test_any_bytes_are_a_value_or_a_wire_problem(data: Any) -> None:
    # Anything else that it raises fails the test.
    with suppress(problems.WireProblem):
        cbor.decode(data)


def test_indefinite_lengths_are_read() -> None:
    assert cbor.decode(b"\x9f\x01\x02\xff") == [1, 2]
    assert cbor.decode(b"\xbf\x61a\x01\xff") == {"a": 1}
    assert cbor.decode(b"\x7f\x61a\x61b\xff") == "ab"
    assert cbor.decode(b"\x5f\x41a\x41b\xff") == b"ab"


def test_times_are_tag_one() -> None:
    assert cbor.decode(b"\xc1\x1a" + (1767323045).to_bytes(4, "big")) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\xa2\x61a\x01\x61a\x02", problems.DuplicateKey),
        (b"\xbf\x61a\x01\x61a\x02\xff", problems.DuplicateKey),
        (b"\xa1\x01\x02", problems.MalformedBody),
        (b"\x01\x01", problems.MalformedBody),
        (b"\xc2\x41\x01", problems.MalformedBody),
        (b"\xc1\x61a", problems.MalformedBody),
        (b"\xc1\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00", problems.MalformedBody),
        (b"\xc1\x1b\xff\xff\xff\xff\xff\xff\xff\xff", problems.MalformedBody),
        (b"\x61\xff", problems.MalformedBody),
        (b"\x7f\x41a\xff", problems.MalformedBody),
        (b"\x1c", problems.MalformedBody),
        (b"\xf8\x20", problems.MalformedBody),
        (b"\xff", problems.MalformedBody),
        (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01", problems.MalformedBody),
        (b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", problems.MalformedBody),
        (b"\x81" * 200 + b"\x01", problems.MalformedBody),
        (b"", problems.MalformedBody),
    ],
)
def test_what_two_decoders_could_read_differently_is_refused(data: Any, problem: Any) -> None:
    with pytest.raises(problem):
        cbor.decode(data)


@given(st.dictionaries(st.text(), st.text(max_size=70_000), max_size=3))
def test_errors_are_written_as_others_read_them(value: Any) -> None:
    assert cbor2.loads(cbor.encode(value)) == value


def test_the_path_names_the_operation() -> None:
    body = cbor2.dumps({"Namespace": "n", "Dimensions": [{"Name": "d"}]})
    (reading,) = parse(raw("POST", PATH + "ListMetrics", headers=HEADERS, body=body), "monitoring", "r")
    assert (reading.operation.service, reading.operation.name) == ("cloudwatch", "ListMetrics")
    assert reading.operation.protocol is Protocol.CBOR
    assert reading.parameters == {"Namespace": "n", "Dimensions": [{"Name": "d"}]}


def test_unknown_members_and_operations_are_told() -> None:
    (reading,) = parse(
        raw("POST", PATH + "ListMetrics", headers=HEADERS, body=cbor2.dumps({"New": 1})), "monitoring", "r"
    )
    assert reading.unknown_members == ("New",)
    (newer,) = parse(raw("POST", PATH + "InventMetric", headers=HEADERS, body=b""), "monitoring", "r")
    assert not newer.operation.is_modelled


@pytest.mark.parametrize(
    ("method", "target", "headers", "problem"),
    [
        ("GET", PATH + "ListMetrics", HEADERS, problems.UnknownOperation),
        ("POST", "/ListMetrics", HEADERS, problems.UnknownOperation),
        ("POST", PATH + "ListMetrics/x", HEADERS, problems.UnknownOperation),
        ("POST", PATH + "ListMetrics?Action=DeleteAlarms", HEADERS, problems.AmbiguousProtocol),
        ("POST", PATH + "ListMetrics", (("smithy-protocol", "rpc-v3"),), problems.UnknownOperation),
    ],
)
def test_a_request_that_is_not_quite_smithy_is_refused(method: Any, target: Any, headers: Any, problem: Any) -> None:
    with pytest.raises(problem):
        parse(raw(method, target, headers=headers), "monitoring", "r")


def test_a_service_that_does_not_speak_smithy_is_refused() -> None:
    with pytest.raises(problems.AmbiguousProtocol):
        parse(raw("POST", "/service/S3/operation/GetObject", headers=HEADERS), "s3", "r")
