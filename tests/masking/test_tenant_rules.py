"""A tenant's own detectors: what may be one, and what they find beside the built-in rules."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.masking import checksums
from gateway.masking.bodies import BodyMasker, End
from gateway.masking.catalogue import ScannerFailed
from gateway.masking.content import ContentScanner, scanner_for
from gateway.masking.masker import open_body
from gateway.masking.patterns import RuleRefused, check_ordinary
from gateway.masking.recorded import mask_json
from gateway.masking.replacement import Tally
from gateway.masking.streaming import Masker
from gateway.masking.tenant_rules import Checksum, CompiledRule, TenantRule, TenantRules, packed, unpacked
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, MaskPlan


def rule(pattern: str, **fields: object) -> TenantRule:
    return TenantRule(**{"name": "employee-id", "version": 3, "pattern": pattern, **fields})  # type: ignore[arg-type]


EMPLOYEE = rule(r"\bEMP-\d{6}\b")


def found(one: TenantRule, text: str) -> list[str]:
    data = text.encode()
    return [data[start:end].decode() for start, end, _kind, _rule in CompiledRule(one).spans(data)]


def test_the_whole_match_is_masked_or_its_first_group() -> None:
    assert found(EMPLOYEE, "by EMP-004711, then EMP-12") == ["EMP-004711"]
    assert found(rule(r"badge=(\d{4})"), "badge=4711 badge=0815") == ["4711", "0815"]


def test_a_keyword_must_stand_before_the_value_and_near() -> None:
    one = rule(r"\b\d{7}\b", keywords=("member no", "Mitgliedsnummer"))
    assert found(one, "Member No: 1234567") == ["1234567"]
    assert found(one, "mitgliedsnummer 7654321 und 1234567") == ["7654321", "1234567"]
    assert found(one, "1234567 is no member no") == []
    assert found(one, "member no" + " " * 200 + "1234567") == []


@pytest.mark.parametrize(
    ("checksum", "good", "bad"),
    [
        (Checksum.LUHN, "7992 7398 713", "7992 7398 714"),
        (Checksum.MOD_97, "GB82 WEST 1234 5698 7654 32", "GB82 WEST 1234 5698 7654 33"),
        (Checksum.VERHOEFF, "2363", "2364"),
    ],
)
def test_a_checksum_tells_values_from_other_numbers(checksum: Checksum, good: str, bad: str) -> None:
    one = rule(r"no (\w[\w ]{2,30}\w);", checksum=checksum)
    assert found(one, f"no {good}; no {bad};") == [good]


def test_a_value_is_found_behind_one_that_fails_its_checksum() -> None:
    one = rule(r"\d{10,11}", checksum=Checksum.LUHN)
    assert found(one, "17992739871 3") == ["7992739871"] or found(one, "1 79927398713") == ["79927398713"]
    assert found(rule(r"\d{11}", checksum=Checksum.LUHN), "179927398713") == ["79927398713"]


def test_each_of_many_rules_is_found() -> None:
    many = TenantRules([rule(f"R{number:02}-[a-z]{{3}}", name=f"r-{number}") for number in range(50)])
    text = b" ".join(f"R{number:02}-abc".encode() for number in range(0, 50, 7))
    assert [span[2] for span in many.spans(text)] == [f"r-{number}" for number in range(0, 50, 7)]


@given(st.text(max_size=20))
def test_no_text_breaks_a_checksum(text: str) -> None:
    assert {luhn := checksums.luhn(text), checksums.mod_97(text), checksums.verhoeff(text)} <= {True, False}
    assert not luhn or any(one.isdecimal() for one in text)


@given(st.from_regex(r"[0-9]{2,15}", fullmatch=True))
def test_one_digit_in_ten_is_the_check_digit(digits: str) -> None:
    for passes in (checksums.luhn, checksums.verhoeff):
        assert sum(passes(digits + last) for last in "0123456789") == 1


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("EMP-(", "does not compile"),
        (r"(a)\1", "does not compile"),
        (r"(?=x)y", "does not compile"),
        (r"\pL{4}", "only one of the engines"),
        ("EMP-\\d+", "at most 256 characters"),
        (".*", "at most 256 characters"),
        ("x?", "empty"),
        ("^", "empty"),
        ("a{0,3}", "empty"),
        ("", "1 to 512"),
        ("a" * 513, "1 to 512"),
        ("((((a{9}){9}){9}){9}){9}", "."),
        ("|".join(f"[a-{last}]{{120}}[0-9]{{120}}" for last in "bcdefghijklmnopqrstu"), "too slow"),
        ("\ud800", "does not compile"),
    ],
)
def test_a_pattern_that_cannot_be_is_refused_with_the_reason(pattern: str, told: str) -> None:
    with pytest.raises(RuleRefused, match=told):
        CompiledRule(rule(pattern))


@pytest.mark.parametrize("pattern", [r"\w{4,20}", r"\d{1,4}", r"[a-z ]{1,100}", "."])
def test_a_pattern_that_takes_ordinary_text_is_refused(pattern: str) -> None:
    with pytest.raises(RuleRefused, match="ordinary text"):
        check_ordinary(CompiledRule(rule(pattern)).spans)


def test_keywords_make_a_broad_pattern_particular() -> None:
    check_ordinary(CompiledRule(rule(r"\d{1,9}", keywords=("payroll",))).spans)
    check_ordinary(CompiledRule(EMPLOYEE).spans)


@pytest.mark.parametrize(
    "name", ["", "Employee", "employee_id", "-id", "id-", "a" * 33, "card", "secret", "email-token", "x]", "password"]
)
def test_a_name_that_means_something_else_is_refused(name: str) -> None:
    with pytest.raises(RuleRefused):
        CompiledRule(rule("EMP", name=name))


@pytest.mark.parametrize("words", [("x",), ("y" * 41,), ("ab",) * 21])
def test_keywords_are_bounded(words: tuple[str, ...]) -> None:
    with pytest.raises(RuleRefused, match="keywords"):
        CompiledRule(rule("EMP", keywords=words))


def test_a_set_travels_as_bytes_and_reads_the_same() -> None:
    others = [rule("A{3}", name="a-three"), EMPLOYEE]
    data = packed(others)
    assert data == packed(others[::-1])
    assert [span[2] for span in unpacked(data).spans(b"AAA EMP-123456")] == ["a-three", "employee-id"]
    assert packed([]) == b""


@pytest.mark.parametrize("data", [b"\xc1", b"\x90x", packed([EMPLOYEE])[:-1], packed([rule("x(", name="broken")])])
def test_bytes_that_are_no_rules_fail_the_scan(data: bytes) -> None:
    with pytest.raises(ScannerFailed):
        unpacked(data)


def test_a_set_is_bounded_in_number_and_size() -> None:
    with pytest.raises(RuleRefused, match="at most 50"):
        TenantRules([rule("EMP", name=f"a{number}") for number in range(51)])
    with pytest.raises(RuleRefused, match="larger than"):
        packed([rule("x" * 500, name=f"a{number}") for number in range(40)])


def test_patterns_whose_group_names_meet_are_both_found() -> None:
    both = TenantRules([rule(r"A(?P<n>\d{2})", name="one"), rule(r"B(?P<n>\d{2})", name="two")])
    assert [(span[2], span[0], span[1]) for span in both.spans(b"A11 B22")] == [("one", 1, 3), ("two", 5, 7)]
    assert both.spans(b"nothing") == []


PLAN = MaskPlan(protocol=Protocol.JSON, body=BodyForm.STRUCTURE, detectors=packed([EMPLOYEE]))


def masked(plan: MaskPlan, body: bytes, kind: str) -> bytes:
    opened = open_body(200, (("Content-Type", kind), ("Content-Length", str(len(body)))), plan)
    assert isinstance(opened, BodyMasker)
    sent = opened.feed(body)
    end = opened.finish()
    assert isinstance(sent, bytes)
    assert isinstance(end, End)
    return sent + end.body


def test_every_form_of_answer_is_masked_with_them() -> None:
    document = json.dumps({"Items": [{"note": "by EMP-004711", "n": 5}]}).encode()
    assert b"by [REDACTED:employee-id]" in masked(PLAN, document, "application/x-amz-json-1.1")
    blob = MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB, detectors=PLAN.detectors)
    assert masked(blob, b"a EMP-004711 b\n", "text/plain") == b"a [REDACTED:employee-id] b\n"


def test_without_them_the_same_answer_is_as_it_was() -> None:
    plan = MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB)
    assert masked(plan, b"a EMP-004711 b\n", "text/plain") == b"a EMP-004711 b\n"


def test_recorded_parameters_too() -> None:
    value, counts = mask_json({"Note": "EMP-004711", "n": 4711}, scanner=scanner_for(PLAN.detectors))
    assert value == {"Note": "[REDACTED:employee-id]", "n": 4711}
    assert counts == {"employee-id": 1}


def test_the_record_names_rule_and_version() -> None:
    tally = Tally()
    scanner_for(PLAN.detectors).mask_text("EMP-004711", tally)
    assert dict(tally.by_rule) == {"tenant:employee-id@3": 1}


def test_what_is_hidden_in_base64_is_found(scanner: ContentScanner) -> None:
    text = "blob: " + __import__("base64").b64encode(b"the badge of EMP-004711 was lost in the yard").decode()
    own = scanner.with_tenant(unpacked(PLAN.detectors))
    assert [span.kind for span in own.spans(text)] == ["employee-id"]
    assert scanner.spans(text) == []


@given(st.integers(0, 2**32))
def test_a_stream_reads_the_same_wherever_it_is_cut(seed: int) -> None:
    drawn = random.Random(seed)
    words = [
        f"EMP-{drawn.randrange(10**6):06}" if drawn.random() < 0.03 else "y" * drawn.randrange(1, 60)
        for _ in range(2_000)
    ]
    data = drawn.choice([" ", "\n", ","]).join(words).encode()
    plan = MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB, detectors=PLAN.detectors)
    once = _streamed(plan, [data])
    places = sorted(drawn.randrange(len(data)) for _ in range(20))
    cut = [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
    assert _streamed(plan, cut) == once
    assert b"EMP-" not in once


def _streamed(plan: MaskPlan, chunks: list[bytes]) -> bytes:
    masker = Masker(plan, block=4096, whole=0)
    return b"".join([*(masker.feed(chunk) for chunk in chunks), masker.finish()])
