"""Private values are found by format and proof, in every way people write them; what only looks alike is left alone."""

from __future__ import annotations

import pytest

from gateway.masking.content import ContentScanner, Wanted
from gateway.masking.personal import PRIVATE_KINDS

ALL = Wanted(masks=tuple(sorted(PRIVATE_KINDS)))

FOUND = [
    ("card", "paid with 4111111111111111.", "4111111111111111"),
    ("card", '{"n": "5555 5555 5555 4444"}', "5555 5555 5555 4444"),
    ("card", "amex 3782-822463-10005,", "3782-822463-10005"),
    ("card", "2223003122003222", "2223003122003222"),
    ("email", "To: Ada.Byron+x@mail.example.co.uk>", "Ada.Byron+x@mail.example.co.uk"),
    ("email", "user_id=1 mail=o'neil@example.org;", "o'neil@example.org"),
    ("iban", "IBAN DE89 3704 0044 0532 0130 00 (main)", "DE89 3704 0044 0532 0130 00"),
    ("iban", "gb82west12345698765432", "gb82west12345698765432"),
    ("ip", "from 203.0.113.77:443", "203.0.113.77"),
    ("ip", "peer 2001:db8::8a2e:370:7334 up", "2001:db8::8a2e:370:7334"),
    ("ip", "[fe80::1ff:fe23:4567:890a%eth2]", "fe80::1ff:fe23:4567:890a%eth2"),
    ("ip", "::ffff:192.0.2.128", "::ffff:192.0.2.128"),
    ("ssn", "SSN 536-22-1234", "536-22-1234"),
    ("ssn", "ssn: 536221234", "536221234"),
    ("itin", "itin=912-78-1234", "912-78-1234"),
    ("mac", "ether 00:1B:44:11:3A:B7 txq", "00:1B:44:11:3A:B7"),
    ("mac", "arp 001b.4411.3ab7", "001b.4411.3ab7"),
    ("phone", "call +49 30 901820 now", "+49 30 901820"),
    ("phone", "(415) 555-0132", "(415) 555-0132"),
    ("phone", "415.555.0132x44", "415.555.0132x44"),
    ("phone", "dial 0044 20 7946 0958", "0044 20 7946 0958"),
    ("phone", "mobil: 0171 1234567", "0171 1234567"),
    ("phone", '"phone": "4155550132"', "4155550132"),
    ("phone", "tel:+1-201-555-0123", "+1-201-555-0123"),
    ("phone", "ours is 06 12 34 56 78.", "06 12 34 56 78"),
    ("crypto-wallet", "to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa today", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    ("crypto-wallet", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
    ("crypto-wallet", "0x52908400098527886E0F7030069857D2E4169EE7", "0x52908400098527886E0F7030069857D2E4169EE7"),
]

LEFT_ALONE = """
order 4111111111111112 shipped
arn:aws:iam::501800000009:role/deploy
"Account": "676200000009"
0.4111111111111111
release v1.2.3.4 of build 10.2.0.1
mask 255.255.255.0 gw 0.0.0.0 lo 127.0.0.1
256.1.1.1 and 01.02.03.04
OID 1.3.6.1.4.1.9177.1.2
std::vector<int> a::b::c x::1
up 12:34:56 and 2026-03-04T05:06:07.891Z
2026-03-04 and 04/03/2026 and 2026-03-04 05:06
000-12-3456 666-12-3456 123-00-4567 123-45-0000
900-12-3456
nine 536221234 digits
id 8b0c6c1e-1f0a-4b52-8a52-0d2f4f1d3a10
sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
DE89370400440532013001 is no account
lat 52.5200066, lon 13.4049540
epoch 1758817454 epoch_ms=1758817454123
git clone git@github.com:acme/site.git
npm i lodash@4.17.21 icon@2x.png
getty@tty1.service
i-0abcd1234efgh5678 eni-0a1b2c3d4e5f67890
1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb
bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5
fingerprint aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99
ticket 4155550132 line 2030
12,345,678 of 98.765.432 rows
ISBN 978-3-16-148410-0
"requestId": "1a560a91-639a-ee32-36ef-af5d250047d7"
"requestId": "09142178-7961-ae96-a9ab-7185252f3377"
"requestId": "07952003-3301-e510-ad25-3defd8b58b78"
""".strip().splitlines()


@pytest.mark.parametrize(("kind", "text", "value"), FOUND)
def test_a_private_value_is_found_in_full(scanner: ContentScanner, kind: str, text: str, value: str) -> None:
    start = text.index(value)
    assert [span[:3] for span in scanner.spans(text, ALL)] == [(start, start + len(value), kind)]


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_looks_like_one_is_left_alone(scanner: ContentScanner, text: str) -> None:
    assert scanner.spans(text, ALL) == []


def test_only_the_types_policy_asks_for_are_found(scanner: ContentScanner) -> None:
    text = "ada@example.org paid 4111111111111111"
    assert scanner.spans(text) == []
    assert [span.kind for span in scanner.spans(text, Wanted(masks=("card-last4",)))] == ["card"]
    assert [span.kind for span in scanner.spans(text, Wanted(masks=("email-token",), clear=("email",)))] == ["email"]


@pytest.mark.parametrize("kind", sorted(PRIVATE_KINDS))
def test_a_text_of_nothing_but_beginnings_costs_no_more_than_its_length(scanner: ContentScanner, kind: str) -> None:
    for piece in ("1 ", "4111 ", "+1(", "a@", "::", "fe80:", "DE89", "0x", "9-", "1."):
        scanner.spans(piece * 20_000, Wanted(masks=(kind,)))
