"""What stands for a value: a label, a token that keeps equal values joinable, the last four digits."""

from __future__ import annotations

import re

import pytest

from gateway.masking.content import ContentScanner, Wanted
from gateway.masking.replacement import LOW_ENTROPY, Tally, Writing, scoped_token_key, typed, typed_xml
from gateway.masking.streaming import Masker
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, MaskPlan

KEY = scoped_token_key(b"k" * 32, session="s-1", connection="c-1")
TEXT = "ada@example.org wrote to bob@example.org, then ADA@example.org paid 4111-1111-1111-1111"
TOKEN = re.compile(r"\[REDACTED:email:([A-Z2-7]{16})\]")


def masked(scanner: ContentScanner, text: str, *masks: str, key: bytes = KEY) -> str:
    return scanner.mask_text(text, Tally(), Wanted(masks=masks, token_key=key))


def test_equal_values_stay_joinable_and_others_stay_apart(scanner: ContentScanner) -> None:
    ada, bob, again = TOKEN.findall(masked(scanner, TEXT, "email-token"))
    assert ada == again != bob
    assert "example.org" not in masked(scanner, TEXT, "email-token")


@pytest.mark.parametrize(("session", "connection"), [("s-2", "c-1"), ("s-1", "c-2"), ("s-1c", "-1")])
def test_another_session_or_connection_has_other_tokens(scanner: ContentScanner, session: str, connection: str) -> None:
    other = scoped_token_key(b"k" * 32, session=session, connection=connection)
    here, there = masked(scanner, TEXT, "email-token"), masked(scanner, TEXT, "email-token", key=other)
    assert set(TOKEN.findall(here)).isdisjoint(TOKEN.findall(there))


def test_without_a_key_or_a_wish_there_is_no_token(scanner: ContentScanner) -> None:
    assert masked(scanner, "ada@example.org", "email-token", key=b"") == "[REDACTED:email]"
    assert masked(scanner, "ada@example.org", "email") == "[REDACTED:email]"


@pytest.mark.parametrize("kind", sorted(LOW_ENTROPY))
def test_values_that_can_be_tried_out_get_a_token_only_where_a_tenant_insists(kind: str) -> None:
    assert Writing(masks=("all-token",), token_key=KEY).text(kind, "536-22-1234") == f"[REDACTED:{kind}]"
    insisted = Writing(masks=(f"{kind}-token",), token_key=KEY).text(kind, "536-22-1234")
    assert re.fullmatch(rf"\[REDACTED:{kind}:[A-Z2-7]{{16}}\]", insisted)


@pytest.mark.parametrize("kind", ["private-key", "jwt"])
def test_what_is_never_seen_whole_has_no_token(kind: str) -> None:
    assert Writing(masks=("all-token", f"{kind}-token"), token_key=KEY).text(kind, "x") == f"[REDACTED:{kind}]"


def test_last_four_digits_stay_for_cards_and_phones_by_policy_alone(scanner: ContentScanner) -> None:
    assert "paid [REDACTED:card:1111]" in masked(scanner, TEXT, "card-last4")
    assert masked(scanner, "call +1 (415) 555-0132", "phone-last4") == "call [REDACTED:phone:0132]"
    assert masked(scanner, "536-22-1234", "ssn-last4") == "[REDACTED:ssn]"
    assert "1111" not in masked(scanner, TEXT, "card")


def test_a_short_number_keeps_no_digit() -> None:
    assert Writing(masks=("phone-last4",)).text("phone", "555-0132") == "[REDACTED:phone]"


def test_one_number_written_two_ways_has_one_token() -> None:
    writing = Writing(masks=("card-token", "iban-token"), token_key=KEY)
    assert writing.text("card", "4111 1111 1111 1111") == writing.text("card", "4111111111111111")
    assert writing.text("iban", "gb82west12345698765432") == writing.text("iban", "GB82 WEST 1234 5698 7654 32")


def test_a_stream_writes_the_same_tokens_as_a_text(scanner: ContentScanner) -> None:
    plan = MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB, masks=("email-token", "card-last4"), token_key=KEY)
    masker = Masker(plan, scanner=scanner, block=4096, whole=0)
    text = (TEXT + "\n") * 2000
    out = masker.feed(text.encode()) + masker.finish()
    assert out.decode() == masked(scanner, text, "email-token", "card-last4")


def test_a_token_replaces_in_the_values_own_type() -> None:
    writing = Writing(masks=("all-token",), token_key=KEY)
    assert typed(7, kind="secret", name="n", writing=writing) == 0
    assert typed(True, kind="secret", name="n", writing=writing) is False
    assert str(typed("opensesame", kind="secret", name="n", writing=writing)).startswith("[REDACTED:secret:")
    assert typed_xml("12", kind="secret", name="n", writing=writing) == "0"


def test_the_key_is_in_no_repr() -> None:
    assert repr(KEY) not in repr(Wanted(token_key=KEY)) + repr(Writing(token_key=KEY))


def test_a_number_of_json_in_text_stays_a_number(scanner: ContentScanner) -> None:
    assert masked(scanner, 'x {"pin_code": 48291733, "n": 1} y') == 'x {"pin_code": 0, "n": 1} y'
