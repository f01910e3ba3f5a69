"""Text dense in private values is read cell by cell, and what comes out is what the slow way finds: its twin is the oracle."""

from __future__ import annotations

from random import Random

import pytest
from faker import Faker
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.masking import cells, columns
from gateway.masking.catalogue import ByteSpan
from gateway.masking.content import ContentScanner, Wanted, _private_watch, merged
from gateway.masking.personal import PRIVATE_KINDS
from gateway.masking.replacement import MOST_COMMITTED_VALUES, Tally, value_commitment
from gateway.masking.streaming import Masker
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, MaskPlan

# Values, and look-alikes that a quick look could take for one.
LOOK_ALIKES = (
    "4111111111111112", "000-12-3456", "666-12-3456", "123-45-6789", "900-49-1234", "9-12-1234", "127.0.0.1", "255.255.0.0",
    "256.1.1.1", "01.2.3.4", "1.2.3.4.5", "12:34:56", "00:00:00:00:00:00", "a::b", "::1", "fe80::", "GB00AAAA00000000000000",
    "git@github.com", "logo@2x.png", "a@b", "app.service@host.service", "0000000000000000", "6145551234", "100-200-3000",
    "202-555-1111", "222-222-2222", "2026-03-04", "10.20.30.40.50", "XX12", "", " ", "x", "415.555-0123", "111122223333",
)  # fmt: skip
BEFORE = (
    "",
    "phone ",
    "version ",
    "order: ",
    "account: ",
    "ssn ",
    "v",
    "tel\t",
    "fax,",
    "order\t",
    'version":"',
    "arn:aws:",
)
SIGNS = ",,,,\n\n\t;|\"'\r "
PLAN = MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB, masks=tuple(sorted(PRIVATE_KINDS)))


def _value(fake: Faker, random: Random) -> str:
    make = random.choice(
        (fake.email, fake.phone_number, fake.credit_card_number, fake.ssn, fake.iban, fake.ipv4, fake.ipv6, fake.mac_address,
         fake.name, fake.itin)
    )  # fmt: skip
    value = str(make())
    if random.random() < 0.1:
        value = value.upper()
    return random.choice(LOOK_ALIKES) if random.random() < 0.25 else value


def _text(seed: int, count: int) -> bytes:
    random, fake = Random(seed), Faker("en_US")
    fake.seed_instance(seed)
    pieces = []
    for _ in range(count):
        before = random.choice(BEFORE) if random.random() < 0.2 else ""
        pieces.append(before + _value(fake, random) + random.choice(SIGNS))
    return "".join(pieces).encode()


def _slowly(text: bytes) -> list[ByteSpan]:
    return merged(list(_private_watch(PRIVATE_KINDS).found(text)))


def _quickly(text: bytes) -> list[ByteSpan]:
    table = columns.taken(text, PRIVATE_KINDS)
    assert len(table.left()) == len(text)
    return merged([*table.spans(), *_private_watch(PRIVATE_KINDS).found(table.left())])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 30))
def test_both_ways_find_the_same(seed: int) -> None:
    text = _text(seed, 60)
    quick = _quickly(text)
    assert [(text[one.start : one.end], one.kind) for one in quick] == [
        (text[one.start : one.end], one.kind) for one in _slowly(text)
    ]


@pytest.mark.long
@settings(max_examples=2_000, deadline=None)
@given(st.integers(0, 1 << 30))
def test_both_ways_find_the_same_at_length(seed: int) -> None:
    text = _text(seed, 60)
    assert _quickly(text) == _slowly(text)


def test_most_of_a_table_is_taken_at_once() -> None:
    fake = Faker("en_US")
    fake.seed_instance(3)
    rows = [f"{place},{fake.email()},{fake.ssn()},{fake.ipv4()},{fake.mac_address()}\n" for place in range(300)]
    text = "".join(rows).encode()
    assert cells.is_dense(text)
    assert len(columns.taken(text, PRIVATE_KINDS)) > 1150


@pytest.mark.parametrize(
    "text", [b"", b"a", b",", b"\n\n", b"@", b"@" * 64, b"." * 64, b":" * 64, b"a@b.io", b"1.2.3.4", b"." * 64 + b"@"]
)
def test_the_smallest_and_oddest_texts_are_read_too(text: bytes) -> None:
    assert _quickly(text) == _slowly(text)


def test_every_type_is_taken_by_itself() -> None:
    fake = Faker("en_US")
    fake.seed_instance(5)
    values = {
        "ssn": fake.ssn(), "itin": fake.itin(), "card": "4111111111111111", "phone": "(415)555-0123", "ip": fake.ipv6(),
        "mac": fake.mac_address(), "iban": fake.iban(), "email": fake.email(),
    }  # fmt: skip
    text = ",".join(values.values()).encode()
    for kind, value in values.items():
        found = columns.taken(text, frozenset((kind,))).spans()
        assert [(text[one.start : one.end].decode(), one.kind) for one in found] == [(value, kind)]


@pytest.mark.parametrize(
    "text", [b"", b"a@b.io", b"plain words of a line\n" * 1000, b'{"level":"info","ms":12}\n' * 500]
)
def test_other_text_is_not_dense(text: bytes) -> None:
    assert not cells.is_dense(text)


def test_types_nobody_asked_for_stay() -> None:
    table = columns.taken(b"ada@example.org,204-70-3356", frozenset(("email",)))
    assert [one.kind for one in table.spans()] == ["email"]
    assert table.left().endswith(b",204-70-3356")


@pytest.mark.parametrize("seed", range(4))
def test_a_dense_stream_reads_the_same_wherever_it_is_cut(scanner: ContentScanner, seed: int) -> None:
    text, random = _text(seed, 2_500), Random(seed)
    whole = Masker(PLAN, scanner=scanner, whole=0)
    expected = whole.feed(text) + whole.finish()
    assert expected.count(b"[REDACTED:") > 1_000
    for block in (8_192, 20_000, len(text)):
        masker = Masker(PLAN, scanner=scanner, whole=0, block=block)
        out, place = b"", 0
        while place < len(text):
            step = random.randrange(1, 9_000)
            out += masker.feed(text[place : place + step])
            place += step
        assert out + masker.finish() == expected


def test_a_cleared_type_is_not_taken(scanner: ContentScanner) -> None:
    text = ("ada@example.org,204-70-3356,10.1.2.3\n" * 400).encode()
    found = scanner.byte_spans(text, Wanted(masks=("email",)))
    assert {one.kind for one in found} == {"email"}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "odd", ["", "é,", "\udcff,", '{"id":\n4111111111111111,"at":1}\n', "password=4111111111111111,"]
)
def test_a_tables_values_are_written_as_single_ones_are(scanner: ContentScanner, seed: int, odd: str) -> None:
    text = _text(seed, 600) + (odd * 3).encode("utf-8", "surrogateescape") + _text(seed + 50, 600)
    streamed, kept = Masker(PLAN, scanner=scanner, whole=0, block=16_384), Masker(PLAN, scanner=scanner)
    out = streamed.feed(text) + streamed.finish()
    assert out == kept.feed(text) + kept.finish()
    assert streamed.tally.by_type == kept.tally.by_type
    assert streamed.tally.by_rule == kept.tally.by_rule


def test_a_tables_values_are_committed_to(scanner: ContentScanner) -> None:
    text = b"".join(b"%d,ada%d@example.org,10.1.2.%d\n" % (place, place, place % 250 + 1) for place in range(900))
    streamed = Masker(PLAN, scanner=scanner, whole=0, tally=Tally(salt=b"s" * 32))
    streamed.feed(text)
    streamed.finish()
    assert len(streamed.tally.values) == MOST_COMMITTED_VALUES
    assert value_commitment(b"s" * 32, "ada7@example.org") in streamed.tally.values
