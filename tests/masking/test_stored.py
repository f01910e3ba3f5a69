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


def test_no_token_is_longer_than_what_is_kept() -> None:
    assert len(f"[REDACTED:{'a' * 40}:{'B' * 40}]") <= LONGEST_TOKEN


def test_other_bytes_raise_no_alarm() -> None:
    watch = TokenWatch()
    assert not any(watch.saw_token(b"[REDACTED" * 50) for _ in range(5))
