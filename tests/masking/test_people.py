"""People's names in small text: what is read, within which bounds, which answers are believed, and how they are written.

The reader here knows a few names by heart; the real one is `tests/names`'.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pytest

from gateway.masking.bodies import BodyMasker, End, Reason, Withheld
from gateway.masking.masker import open_body
from gateway.masking.patterns import RuleRefused
from gateway.masking.people import (
    LARGEST_PIECE,
    MOST_CHARACTERS,
    MOST_PIECES,
    Labelled,
    NamesUnread,
    People,
    believed,
    is_persons,
    may_hold_name,
    pieces_of,
)
from gateway.masking.replacement import Tally
from gateway.masking.tenant_rules import check_name
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, MaskPlan

KNOWN = re.compile(r"Alice Johnson|Bob Stone")
JSON_TYPE = (("content-type", "application/x-amz-json-1.0"),)
ITEM = MaskPlan(protocol=Protocol.JSON, body=BodyForm.STRUCTURE, masks=("person",))
OBJECT = MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB, masks=("person",))


class Knows:
    """Reads by heart, and remembers what it was asked."""

    rule = "person:by-heart@1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def read(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        self.asked += texts
        return [[match.span() for match in KNOWN.finditer(text)] for text in texts]


class Fails(Knows):
    def read(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        raise NamesUnread("it is gone")


def masked(body: bytes, plan: MaskPlan, reader: Knows, headers: tuple[tuple[str, str], ...] = JSON_TYPE) -> End:
    masker = open_body(200, headers, plan, names=reader)
    assert isinstance(masker, BodyMasker)
    sent = masker.feed(body)
    end = masker.finish()
    assert isinstance(end, End)
    assert isinstance(sent, bytes)
    return End(headers=end.headers, body=sent + end.body, report=end.report)


def test_a_name_in_a_member_is_masked_and_counted_by_the_model_that_found_it() -> None:
    body = json.dumps({"Item": {"note": {"S": "Alice Johnson called about her order"}}}).encode()
    end = masked(body, ITEM, Knows())
    assert json.loads(end.body)["Item"]["note"]["S"] == "[REDACTED:person] called about her order"
    assert end.report.masked_by_type == {"person": 1}
    assert end.report.masked_by_rule == {"person:by-heart@1": 1}
    assert end.report.bytes_unread == 0


def test_where_nobody_asks_nothing_is_read() -> None:
    reader = Knows()
    body = b'{"note": "Alice Johnson called"}'
    plan = MaskPlan(protocol=Protocol.JSON, body=BodyForm.STRUCTURE, masks=("email",))
    assert masked(body, plan, reader).body == body
    assert reader.asked == []


def test_names_in_text_objects_in_headers_and_in_json_inside_json() -> None:
    reader = Knows()
    end = masked(
        b"Minutes\nBob Stone agreed.\n",
        OBJECT,
        reader,
        (("content-type", "text/plain"), ("x-amz-meta-by", "written by Alice Johnson")),
    )
    assert end.body == b"Minutes\n[REDACTED:person] agreed.\n"
    assert dict(end.headers)["x-amz-meta-by"] == "written by [REDACTED:person]"
    inner = json.dumps({"who": "asked by Bob Stone"})
    nested = masked(json.dumps({"payload": inner}).encode(), ITEM, Knows())
    assert json.loads(json.loads(nested.body)["payload"]) == {"who": "asked by [REDACTED:person]"}


def test_a_secret_beside_a_name_is_masked_too() -> None:
    text = "Alice Johnson uses AKIAQ3EGRIDJ5LOKLM7T since May"
    end = masked(json.dumps({"note": text}).encode(), ITEM, Knows())
    assert json.loads(end.body)["note"].startswith("[REDACTED:person] uses [REDACTED:")
    assert b"AKIA" not in end.body


def test_equal_names_keep_one_token_where_policy_names_the_type() -> None:
    plan = MaskPlan(
        protocol=Protocol.JSON, body=BodyForm.STRUCTURE, masks=("person-token", "all-token"), token_key=b"k" * 32
    )
    body = json.dumps({"a": "Alice Johnson called", "b": "ask Alice Johnson", "c": "or Bob Stone"}).encode()
    values = json.loads(masked(body, plan, Knows()).body)
    tokens = [re.search(r"\[REDACTED:person:\w{16}\]", value) for value in values.values()]
    first, second, other = (match.group() if match else "" for match in tokens)
    assert first == second != ""
    assert other not in ("", first)


def test_names_are_few_enough_to_be_tried_so_all_token_writes_none() -> None:
    plan = MaskPlan(protocol=Protocol.JSON, body=BodyForm.STRUCTURE, masks=("person", "all-token"), token_key=b"k" * 32)
    assert b"[REDACTED:person] called" in masked(b'{"a": "Alice Johnson called"}', plan, Knows()).body


@pytest.mark.parametrize("plan", [ITEM, OBJECT])
def test_without_a_model_an_answer_that_asks_for_one_is_withheld(plan: MaskPlan) -> None:
    withheld = open_body(200, JSON_TYPE, plan)
    assert isinstance(withheld, Withheld)
    assert (withheld.reason, withheld.may_be_asked) == (Reason.NAMES, False)


@pytest.mark.parametrize("plan", [ITEM, OBJECT])
def test_a_reader_that_fails_withholds_the_answer(plan: MaskPlan) -> None:
    masker = open_body(200, JSON_TYPE, plan, names=Fails())
    assert isinstance(masker, BodyMasker)
    assert masker.feed(b'{"note": "Alice Johnson called"}') == b""
    withheld = masker.finish()
    assert isinstance(withheld, Withheld)
    assert withheld.reason is Reason.NAMES


def test_another_number_of_answers_is_no_answer() -> None:
    class Short(Knows):
        def read(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
            return []

    with pytest.raises(NamesUnread):
        People(reader=Short()).spans([Labelled("", "Alice Johnson called")], Tally())


# -- bounds


def test_past_the_bounds_the_report_says_how_much_was_not_read() -> None:
    reader = Knows()
    line = "Alice Johnson wrote this line about nothing\n"
    text = line * 1000
    end = masked(text.encode(), OBJECT, reader, (("content-type", "text/plain"),))
    read = len(reader.asked)
    assert 0 < read <= MOST_PIECES
    assert sum(map(len, reader.asked)) <= MOST_CHARACTERS
    assert end.report.bytes_unread == (1000 - read) * len(line)
    assert end.body.count(b"[REDACTED:person]") == read
    assert end.body.count(b"Alice Johnson") == 1000 - read


def test_bytes_not_read_are_counted_as_utf_8() -> None:
    tally = Tally()
    line = "Jürgen Groß schrieb an Marie"
    People(reader=Knows(), pieces_left=0).spans([Labelled("", line)], tally)
    assert tally.bytes_unread == len(line.encode())


def test_a_large_object_is_streamed_and_said_to_be_unread() -> None:
    reader = Knows()
    body = b"Alice Johnson wrote this\n" * 60_000
    end = masked(body, OBJECT, reader, (("content-type", "text/plain"), ("content-length", str(len(body)))))
    assert end.body == body
    assert reader.asked == []
    assert end.report.bytes_unread == len(body)


@pytest.mark.parametrize("size", [1, LARGEST_PIECE - 1, LARGEST_PIECE, LARGEST_PIECE + 1, 3 * LARGEST_PIECE])
def test_a_long_line_is_cut_between_words_and_no_piece_is_too_large(size: int) -> None:
    text = ("Ada Byron met some people " * (size // 20 + 1))[:size] + "\r\nAda Byron left\n"
    pieces = list(pieces_of(text))
    assert all(text[start : start + len(piece)] == piece for start, piece in pieces)
    assert max(len(piece) for _, piece in pieces) <= LARGEST_PIECE
    assert not any(piece[0].isalpha() and start and text[start - 1].isalpha() for start, piece in pieces)


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        ("Alice Johnson", True),
        ("called by Alice", True),
        ("owner=Alice Johnson", True),
        ("\u674e\u5c0f\u9f99 wrote it", True),
        ("Running", False),
        ("t3.micro in use", False),
        ("arn:aws:iam::123456789012:user/Alice", False),
        ("2026-11-23T07:15:17Z is the time", False),
        ("", False),
    ],
)
def test_only_text_that_could_hold_a_name_is_read(text: str, is_read: bool) -> None:
    assert may_hold_name(text) is is_read


# -- which answers are believed

NAMES = [
    ("met Alice Johnson today", "Alice Johnson"),
    ("met Dr. Alice Johnson.", "Alice Johnson"),
    ("Alice Johnson's order", "Alice Johnson"),
    ("by Ludwig van der Berg,", "Ludwig van der Berg"),
    ("from Jean-Luc O'Brien", "Jean-Luc O'Brien"),
    ("Ronald McDonald ate", "Ronald McDonald"),
    ("J. R. R. Tolkien wrote", "J. R. R. Tolkien"),
    ("CUSTOMER ALICE JOHNSON", "ALICE JOHNSON"),
    ("April Jenkins signed", "April Jenkins"),
    ("owner=Alice Johnson; a", "Alice Johnson"),
    ("\u674e\u5c0f\u9f99 wrote", "\u674e\u5c0f\u9f99"),
]
NO_NAMES = [
    ("arn:aws:iam::123456789012:user/AliceJohnson", "AliceJohnson"),
    ("run CreateBucket now", "CreateBucket"),
    ("module Alice.Johnson", "Johnson"),
    ("call Alice()", "Alice"),
    ("in /home/Alice/x", "Alice"),
    ("alice@example.org", "alice"),
    ("Bob@example.org", "Bob"),
    ("the Amazon Aurora", "Amazon Aurora"),
    ("on Jenkins today", "Jenkins"),
    ("build Alice_2", "Alice_2"),
    ("an ACL denied", "ACL"),
    ("Docker Hub pulled", "Docker Hub"),
    ("node web-Alice went", "Alice"),
    ("said the manager", "the manager"),
    ("a B c D e F g H i J", "a B c D e F g H i J"),
]


@pytest.mark.parametrize(("text", "name"), NAMES)
def test_names_are_believed_without_titles_and_signs(text: str, name: str) -> None:
    start = text.index(name)
    around = max(0, text.rfind(" ", 0, start - 1)) if "Dr." in text else start
    found = believed(text, around, min(len(text), start + len(name) + ("'s" in text) * 2))
    assert found is not None
    assert text[slice(*found)] == name


@pytest.mark.parametrize(("text", "name"), NO_NAMES)
def test_identifiers_paths_products_and_prose_are_not(text: str, name: str) -> None:
    start = text.rindex(name)
    assert believed(text, start, start + len(name)) is None


@pytest.mark.parametrize("span", [(-1, 3), (3, 3), (5, 2), (0, 99)])
def test_a_place_outside_the_text_is_no_name(span: tuple[int, int]) -> None:
    assert believed("Alice Johnson", *span) is None


# -- members that hold a name by what they are called


@pytest.mark.parametrize("label", ["FirstName", "last_name", "fullName", "customer-name", "PatientName", "Surname"])
def test_a_member_said_of_people_needs_no_model(label: str) -> None:
    reader = Knows()
    end = masked(json.dumps({label: "mallory"}).encode(), ITEM, reader)
    assert json.loads(end.body)[label] == "[REDACTED:person]"
    assert end.report.masked_by_rule == {"person:field": 1}
    assert reader.asked == []


@pytest.mark.parametrize("label", ["Name", "UserName", "DisplayName", "TableName", "BucketName", "", "x" * 200])
def test_members_said_of_everything_are_read_like_others(label: str) -> None:
    assert not is_persons(label)


@pytest.mark.parametrize("value", ["arn:aws:s3:::bucket", "a/b", "x", "user_1", "w" * 200])
def test_what_is_no_name_stays_in_a_member_of_people(value: str) -> None:
    body = json.dumps({"FirstName": value}).encode()
    assert masked(body, ITEM, Knows()).body == body


def test_a_detector_may_not_take_the_types_name() -> None:
    with pytest.raises(RuleRefused):
        check_name("person")
