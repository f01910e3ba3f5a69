"""The record of a masked answer: which rules were at work, and commitments that confirm a value and tell no other."""

from __future__ import annotations

import json
import re

import pytest

from gateway.masking.bodies import End, Withheld
from gateway.masking.content import ContentScanner
from gateway.masking.masker import open_body
from gateway.masking.replacement import MOST_COMMITTED_VALUES, Tally, value_commitment
from gateway.masking.versions import rules_version
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, MaskPlan
from tests.masking.conftest import plan

SALT = b"a salt of this one answer"
OBJECT = plan(Protocol.REST_XML, body=BodyForm.BLOB)


def report(scanner: ContentScanner, body: bytes, mask: MaskPlan, salt: bytes = SALT) -> object:
    masker = open_body(200, (("x-amz-meta-note", "password=H3adersecret"),), mask, scanner=scanner, salt=salt)
    assert not isinstance(masker, Withheld)
    masker.feed(body)
    end = masker.finish()
    assert isinstance(end, End)
    return end.report


@pytest.mark.parametrize(
    ("body", "mask"),
    [
        (b"one line, password=Sw0rdf1sh9\n", OBJECT),
        (b"plain words\n" * 200_000 + b"password=Sw0rdf1sh9\n", OBJECT),
        (json.dumps({"SecretString": "Sw0rdf1sh9", "Name": "n"}).encode(), plan(Protocol.JSON, "SecretString")),
    ],
)
def test_an_investigator_with_the_salt_confirms_a_suspected_value(
    scanner: ContentScanner, body: bytes, mask: MaskPlan
) -> None:
    found = report(scanner, body, mask)
    assert value_commitment(SALT, "Sw0rdf1sh9") in found.values  # type: ignore[attr-defined]
    assert value_commitment(SALT, b"H3adersecret") in found.values  # type: ignore[attr-defined]
    assert value_commitment(SALT, "Sw0rdf1sh8") not in found.values  # type: ignore[attr-defined]
    assert value_commitment(b"another salt", "Sw0rdf1sh9") not in found.values  # type: ignore[attr-defined]
    assert "Sw0rdf1sh9" not in repr(found)


def test_without_a_salt_nothing_is_committed_to(scanner: ContentScanner) -> None:
    assert report(scanner, b"password=Sw0rdf1sh9\n", OBJECT, salt=b"").values == ()  # type: ignore[attr-defined]


def test_equal_values_are_one_and_their_number_is_bounded() -> None:
    tally = Tally(salt=SALT)
    for number in range(3 * MOST_COMMITTED_VALUES):
        tally.add("secret", "rule", f"value {number // 2}")
    assert len(tally.values) == MOST_COMMITTED_VALUES
    assert tally.by_type["secret"] == 3 * MOST_COMMITTED_VALUES
    assert SALT.decode() not in repr(tally)


def test_the_rules_have_a_version(scanner: ContentScanner) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\+[0-9a-f]{12}", rules_version())
    assert report(scanner, b"plain", OBJECT).rules == rules_version()  # type: ignore[attr-defined]
