"""Heads as values: what is let in, what is written, and that no value can start a line of its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge import http1, problems

HOST = ("Host", "gw.example")

printable = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40)


def read(target: str = "/", *headers: tuple[str, str], method: str = "POST") -> http1.Head:
    return http1.read_head(method=method, target=target, headers=(HOST, *headers))


@pytest.mark.parametrize(
    "target", ["/", "/a/b", "/%2F/..//x", "/a?b=c&d", "/?", '/a?q="x"', "/a?x=\\y", "/*", "/a:b@c", "//bucket//key"]
)
def test_a_path_of_printable_ascii_is_let_in_untouched(target: str) -> None:
    assert read(target).target == target


@pytest.mark.parametrize(
    "target", ["", "*", "a", "http://x/", "gw:443", "/a b", "/a#b", "/a\tb", "/\x7f", "/caf\xe9", "/a\n", "?a=b"]
)
def test_any_other_target_is_refused(target: str) -> None:
    with pytest.raises(problems.TargetRefused):
        read(target)


@pytest.mark.parametrize(
    "headers",
    [
        (("Content-Length", "1"), ("Content-Length", "1")),
        (("Content-Length", "1"), ("Transfer-Encoding", "chunked")),
        (("Transfer-Encoding", "chunked"), ("transfer-encoding", "chunked")),
        (("Transfer-Encoding", "gzip, chunked"),),
        (("Transfer-Encoding", "identity"),),
        (("Host", "another"),),
        (("Expect", "100-continue"), ("Expect", "a miracle")),
    ],
)
def test_two_readings_of_one_request_are_refused(headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(problems.MalformedRequest):
        read("/", *headers)


def test_what_a_head_says_of_its_body() -> None:
    assert read("/", ("Content-Length", "3")).has_body
    assert read("/", ("Transfer-Encoding", "Chunked")).is_chunked
    assert not read("/", ("Content-Length", "0")).has_body
    assert not read("/").has_body
    assert read("/", ("Expect", "100-Continue")).expects_continue


@given(value=printable, place=st.integers(min_value=0, max_value=40), brk=st.sampled_from(["\r", "\n", "\r\n"]))
def test_no_value_can_start_a_line_of_its_own(value: str, place: int, brk: str) -> None:
    poisoned = value[:place] + brk + value[place:]
    with pytest.raises(ValueError, match="line break"):
        http1.answer_head(status=200, headers=[("X-A", poisoned)])
    with pytest.raises(ValueError, match="line break"):
        http1.request_head(method="GET", target="/" + poisoned, headers=[HOST])


@given(values=st.lists(printable, max_size=5))
def test_headers_are_written_in_order_and_read_back_the_same(values: list[str]) -> None:
    headers = [(f"X-{number}", value) for number, value in enumerate(values)]
    lines = http1.answer_head(status=200, headers=headers).decode("latin-1").split("\r\n")
    assert lines[0] == "HTTP/1.1 200 OK"
    assert [tuple(line.split(": ", 1)) for line in lines[1:-2]] == headers


def test_what_belongs_to_one_connection_does_not_travel_on() -> None:
    given_headers = [("Connection", "close"), ("Keep-Alive", "x"), ("TE", "t"), ("Upgrade", "u"), ("ETag", "e")]
    assert http1.end_to_end([*given_headers, ("Content-Length", "9"), ("Transfer-Encoding", "chunked")]) == [
        ("ETag", "e")
    ]


def test_bytes_beyond_ascii_survive_a_round_trip() -> None:
    written = http1.request_head(method="GET", target="/", headers=[("X-A", b"caf\xc3\xa9".decode("latin-1"))])
    assert b"X-A: caf\xc3\xa9\r\n" in written


@given(data=st.binary(min_size=1, max_size=300))
def test_a_chunk_says_its_own_length(data: bytes) -> None:
    size, _, rest = http1.as_chunk(data).partition(b"\r\n")
    assert int(size, 16) == len(data)
    assert rest == data + b"\r\n"
