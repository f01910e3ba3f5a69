"""A request is looked into without ever choosing between two answers."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import problems
from gateway.wire.aws.candidates import candidates
from gateway.wire.aws.parsing import parse
from gateway.wire.request import WireRequest, decode_component, query_pairs
from gateway.wire.sigv4 import claim_of
from tests.wire.making import ACCOUNT, HOME, call


def request(target: str = "/", **parts: Any) -> WireRequest:
    return WireRequest(method=parts.pop("method", "GET"), target=target, headers=parts.pop("headers", ()), **parts)


def test_path_and_query_are_split_at_the_first_question_mark_and_stay_raw() -> None:
    sent = request("/a%20b?x=%31?y")
    assert (sent.path, sent.raw_query) == ("/a%20b", "x=%31?y")
    assert sent.query == (("x", "1?y"),)


@pytest.mark.parametrize(
    "target",
    ["", "relative", "http://host/", "*", "/a b", "/a\r\nX: 1", "/a\x00", "/é", "/#frag", "/" + "a" * 70_000, "/a\n"],
)
def test_a_target_that_is_no_plain_path_is_refused(target: Any) -> None:
    with pytest.raises(problems.OddEncoding):
        request(target)


@pytest.mark.parametrize("method", ["", "GE T", "GET\r\n", "G\x00T"])
def test_a_method_that_is_no_token_is_refused(method: Any) -> None:
    with pytest.raises(problems.MalformedHeader):
        request(method=method)


@pytest.mark.parametrize(
    "header", [("", "x"), ("a b", "x"), ("a:", "x"), ("a", "x\r\ny"), ("a", "x\x00"), ("a\n", "x")]
)
def test_a_header_that_could_break_the_head_apart_is_refused(header: Any) -> None:
    with pytest.raises(problems.MalformedHeader):
        request(headers=(header,))


def test_a_header_is_found_whatever_its_case_and_stripped() -> None:
    assert request(headers=(("X-Amz-Date", " now "),)).header("x-amz-date") == "now"
    assert request().header("x") is None


def test_a_header_that_came_twice_is_refused_even_when_both_agree() -> None:
    with pytest.raises(problems.RepeatedHeader):
        request(headers=(("a", "1"), ("A", "1"))).header("a")


@pytest.mark.parametrize(
    ("raw", "pairs"),
    [
        ("", ()),
        ("a", (("a", ""),)),
        ("a=", (("a", ""),)),
        ("a=1&a=2", (("a", "1"), ("a", "2"))),
        ("a=b=c", (("a", "b=c"),)),
        ("&&a=1&", (("a", "1"),)),
        ("%61=%C3%A9", (("a", "é"),)),
    ],
)
def test_query_pairs_are_decoded_in_order(raw: Any, pairs: Any) -> None:
    assert query_pairs(raw) == pairs


@pytest.mark.parametrize("raw", ["a=b+c", "a+b", "a=%", "a=%4", "a=%zz", "a=%ff", "a=%C3"])
def test_a_query_two_servers_read_differently_is_refused(raw: Any) -> None:
    with pytest.raises(problems.OddEncoding):
        query_pairs(raw)


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_decoding_undoes_encoding(text: Any) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in text.encode())
    assert decode_component(encoded) == text


def test_presign_parameters_are_told_whatever_their_case() -> None:
    sent = request("/?X-Amz-Date=d&x-amz-expires=1&other=2")
    assert dict(sent.presign) == {"x-amz-date": "d", "x-amz-expires": "1"}


def test_a_call_becomes_candidates_in_one_step() -> None:
    sent = call("s3", "DeleteBucket", Bucket="b")
    (found,) = candidates(sent, claim_of(sent), account=ACCOUNT, region=HOME)
    assert found.operation.name == "DeleteBucket"
    assert [action.name for action in found.actions] == ["s3:DeleteBucket"]
    assert [resource.arn for resource in found.resources] == ["arn:aws:s3:::b"]
    assert found.unknown_members == ()


@given(
    st.binary(max_size=200),
    st.sampled_from(["dynamodb", "sts", "s3", "lambda", "monitoring", "ec2"]),
    st.integers(0, 4),
)
def test_any_bytes_are_readings_or_a_wire_problem(body: Any, signing_name: Any, kind: Any) -> None:
    headers = (
        (),
        (("X-Amz-Target", "DynamoDB_20120810.PutItem"),),
        (("Content-Type", "application/x-www-form-urlencoded"),),
        (("smithy-protocol", "rpc-v2-cbor"),),
        (("Content-Type", "application/xml"),),
    )[kind]
    target = (
        "/b?delete",
        "/",
        "/",
        "/service/GraniteServiceVersion20100801/operation/PutMetricData",
        "/2015-03-31/functions",
    )[kind]
    # Anything else that it raises fails the test.
    with suppress(problems.WireProblem):
        assert parse(WireRequest(method="POST", target=target, headers=headers, body=body), signing_name, "r")
