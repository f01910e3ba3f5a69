"""A mask token in what a request would store is seen, wherever it stands and however it is written."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from gateway.masking.replacement import token
from gateway.masking.stored import LONGEST_TOKEN, TokenWatch, holds_token

TOKEN = token("aws-secret-key")


@pytest.mark.parametrize(
    "value",
    [
        TOKEN,
        f"password={TOKEN}; host=db",
        {"SecretString": f'{{"password": "{TOKEN}"}}'},
        {"Item": {"a": {"M": {"b": {"S": TOKEN}}}}},
        {"list": [1, None, [TOKEN]]},
        {TOKEN: 1},
        {"Body": TOKEN.encode()},
        quote(TOKEN, safe=""),
        base64.b64encode(TOKEN.encode()).decode(),
        "[REDACTED:card:1111]",
        "[REDACTED:email:MFRGGZDFMZTWQ2LK]",
    ],
)
def test_a_token_is_seen(value: object) -> None:
    assert holds_token(value)


@pytest.mark.parametrize(
    "value", ["", "REDACTED", "[REDACTED]", "[redacted: see below]", {"a": [b"x", 1, True, None]}, "[REDACTED:]", 7]
)
def test_what_only_resembles_one_is_not(value: object) -> None:
    assert not holds_token(value)


@pytest.mark.parametrize("cut", range(len(TOKEN) + 3))
def test_a_token_is_seen_across_chunks(cut: int) -> None:
    data = b"x" * 200 + TOKEN.encode() + b"y" * 200
    watch = TokenWatch()
    place = 198 + cut
    assert watch.saw_token(data[:place]) or watch.saw_token(data[place:])


@pytest.mark.parametrize("line", [b"\r\n10000\r\n", b"\r\nffff;chunk-signature=" + b"5e" * 32 + b"\r\n"])
@pytest.mark.parametrize("place", range(1, len(TOKEN)))
def test_a_token_is_seen_through_the_framing_of_an_upload(line: bytes, place: int) -> None:
    data = TOKEN.encode()[:place] + line + TOKEN.encode()[place:]
    assert TokenWatch().saw_token(data)
    watch = TokenWatch()
    assert [watch.saw_token(data[at : at + 1]) for at in range(len(data))][-1]


def test_a_token_in_utf_16_is_seen() -> None:
    watch = TokenWatch()
    data = ("name,password\n" * 20 + f"app,{TOKEN}\n").encode("utf-16")
    assert any(watch.saw_token(data[at : at + 7]) for at in range(0, len(data), 7))


def test_no_token_is_longer_than_what_is_kept() -> None:
    longest, line = f"[REDACTED:{'a' * 40}:{'B' * 40}]", "\r\nfffff;chunk-signature=" + "5e" * 32 + "\r\n"
    assert len(longest.encode("utf-16-le")) + len(line) <= LONGEST_TOKEN


def test_other_bytes_raise_no_alarm() -> None:
    watch = TokenWatch()
    assert not any(watch.saw_token(b"[REDACTED" * 50) for _ in range(5))
