"""Sealed values open with their key, tenant and column, and with nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sealing.envelope import SealBroken, associated, close, key_version, open_

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
PLACE = associated("acme", "audit_prompt.sealed_text")
SEALED = close(KEY, b"the words", key_version=3, nonce=b"n" * 12, associated_data=PLACE)


def test_it_opens_with_its_key_and_place() -> None:
    assert open_(KEY, SEALED, associated_data=PLACE) == b"the words"


def test_it_names_the_version_of_its_key() -> None:
    assert key_version(SEALED) == 3


def test_it_does_not_show_what_it_holds() -> None:
    assert b"the words" not in SEALED


@pytest.mark.parametrize(
    "place",
    [
        associated("globex", "audit_prompt.sealed_text"),
        associated("acme", "audit_prompt.sealed_salt"),
        b"",
    ],
)
def test_moved_to_another_tenant_or_column_it_stays_closed(place: bytes) -> None:
    with pytest.raises(SealBroken):
        open_(KEY, SEALED, associated_data=place)


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(SealBroken):
        open_(OTHER_KEY, SEALED, associated_data=PLACE)


@pytest.mark.parametrize("place", range(len(SEALED)))
def test_one_changed_bit_anywhere_breaks_it(place: int) -> None:
    changed = SEALED[:place] + bytes([SEALED[place] ^ 1]) + SEALED[place + 1 :]
    with pytest.raises(SealBroken):
        open_(KEY, changed, associated_data=PLACE)


@pytest.mark.parametrize("length", range(len(SEALED)))
def test_cut_anywhere_it_stays_closed(length: int) -> None:
    with pytest.raises(SealBroken):
        open_(KEY, SEALED[:length], associated_data=PLACE)


def test_the_error_says_nothing_of_key_or_content() -> None:
    with pytest.raises(SealBroken) as caught:
        open_(OTHER_KEY, SEALED, associated_data=PLACE)
    assert "words" not in caught.value.message
    assert caught.value.__cause__ is None


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1), st.binary(min_size=12, max_size=12))
def test_anything_sealed_comes_back(plaintext: bytes, version: int, nonce: bytes) -> None:
    sealed = close(KEY, plaintext, key_version=version, nonce=nonce, associated_data=PLACE)
    assert open_(KEY, sealed, associated_data=PLACE) == plaintext
    assert key_version(sealed) == version


@given(st.binary(max_size=200))
def test_bytes_that_were_never_sealed_are_refused(garbage: bytes) -> None:
    with pytest.raises(SealBroken):
        open_(KEY, garbage, associated_data=PLACE)
