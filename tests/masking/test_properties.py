"""Whatever the document and wherever it is cut: planted secrets do not survive, and clean bodies are not touched."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any
from xml.sax.saxutils import escape

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.masking.bodies import End, Withheld
from gateway.masking.content import ContentScanner
from gateway.masking.masker import open_body
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, MaskPlan
from tests.masking.conftest import plan

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HEX = st.text("0123456789abcdef", min_size=16, max_size=32)
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40)
# A setting writes a secret as somebody might; each value is drawn anew so that nothing can be learnt by heart.
SETTINGS = (
    "password={}",
    "api_key: '{}'",
    "postgres://app:{}@db/app",
    "Authorization: Bearer a1{}",
    "mysql -u root -pA{} app",
    "eyJhbGciOiJIUzI1NiJ9.eyJ{}.c2ln{}",
    "-----BEGIN PRIVATE KEY-----\nMIIE{}\n{}\n-----END PRIVATE KEY-----",
)
PLANTED = st.tuples(st.sampled_from(SETTINGS), HEX.filter(lambda value: len(set(value)) > 6))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS
CLEAN = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=25
)


def sent(scanner: ContentScanner, body: bytes, mask: MaskPlan, cuts: list[int]) -> End | Withheld:
    masker = open_body(200, (), mask, scanner=scanner)
    assert not isinstance(masker, Withheld)
    edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    for start, end in pairwise(edges):
        assert masker.feed(body[start:end]) == b""
    return masker.finish()


def planted_in(value: Any, texts: list[str]) -> Any:
    return {"document": value, "lines": [{"message": text} for text in texts], "log": "\n".join(texts)}


@FEW
@given(
    value=CLEAN, planted=st.lists(PLANTED, min_size=1, max_size=4), cuts=st.lists(st.integers(0, 10_000), max_size=6)
)
def test_no_planted_secret_survives_in_json(
    scanner: ContentScanner, value: Any, planted: list[tuple[str, str]], cuts: list[int]
) -> None:
    texts = [setting.format(secret, secret) for setting, secret in planted]
    assume(not any(secret in json.dumps(value) for _, secret in planted))
    body = json.dumps(planted_in(value, texts)).encode()
    end = sent(scanner, body, plan(Protocol.JSON), cuts)
    assert isinstance(end, End)
    survivors = [secret for _, secret in planted if secret in end.body.decode()]
    assert survivors == [], end.body.decode()
    assert json.loads(end.body).keys() == {"document", "lines", "log"}
    assert end == sent(scanner, body, plan(Protocol.JSON), [])


@FEW
@given(
    words=st.lists(WORDS, max_size=4),
    planted=st.lists(PLANTED, min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 10_000), max_size=6),
)
def test_no_planted_secret_survives_in_text(
    scanner: ContentScanner, words: list[str], planted: list[tuple[str, str]], cuts: list[int]
) -> None:
    texts = [setting.format(secret, secret) for setting, secret in planted]
    # Hypothesis likes to draw the very secret as an unlabelled word; nothing could tell it is one.
    assume(not any(secret in word for _, secret in planted for word in words))
    body = "\n".join([*words, *texts, *words]).encode()
    mask = plan(Protocol.REST_XML, body=BodyForm.BLOB)
    end = sent(scanner, body, mask, cuts)
    assert isinstance(end, End)
    survivors = [secret for _, secret in planted if secret in end.body.decode()]
    assert survivors == [], end.body.decode()
    assert end == sent(scanner, body, mask, [])


@FEW
@given(planted=st.lists(PLANTED, min_size=1, max_size=4), is_cdata=st.booleans())
def test_no_planted_secret_survives_in_xml(
    scanner: ContentScanner, planted: list[tuple[str, str]], is_cdata: bool
) -> None:
    texts = [setting.format(secret, secret) for setting, secret in planted]
    written = [f"<![CDATA[{text}]]>" if is_cdata else escape(text) for text in texts]
    body = "<R><Result>" + "".join(f"<line>{text}</line>" for text in written) + "</Result></R>"
    end = sent(scanner, body.encode(), plan(Protocol.QUERY), [])
    assert isinstance(end, End)
    survivors = [secret for _, secret in planted if secret in end.body.decode()]
    assert survivors == [], end.body.decode()


@FEW
@given(
    value=st.dictionaries(st.sampled_from(("Name", "Items", "Size", "at")), CLEAN),
    indent=st.sampled_from((None, 1, 3)),
    ascii_only=st.booleans(),
)
def test_json_without_secrets_keeps_every_byte(
    scanner: ContentScanner, value: Any, indent: int | None, ascii_only: bool
) -> None:
    body = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    end = sent(scanner, body, plan(Protocol.JSON, "Absent.*.member"), [])
    assert isinstance(end, End)
    assert end.report.masked_by_type or end.body == body


@FEW
@given(value=CLEAN)
def test_every_leaf_below_a_masked_path_is_replaced_and_the_rest_is_equal(scanner: ContentScanner, value: Any) -> None:
    body = json.dumps({"Secret": value, "Count": 3}).encode()
    end = sent(scanner, body, plan(Protocol.JSON, "Secret"), [])
    assert isinstance(end, End)
    masked = json.loads(end.body)
    assert masked["Count"] == 3
    assert leaves(masked["Secret"]) <= {"[REDACTED:secret]", "1970-01-01T00:00:00Z", "", "0", "False", "None"}


def leaves(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set().union(*(leaves(child) for child in value.values()))
    if isinstance(value, list):
        return set().union(*(leaves(child) for child in value))
    return {str(value)}
