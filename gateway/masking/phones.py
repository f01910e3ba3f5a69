"""Telephone numbers in free text: what is dialled abroad, what America writes, what a word or a country's habit proves.

Digits alone prove little: numbers without a sign of being a phone's are left alone. Other formats are `personal`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

import phonenumbers
import re2
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from gateway.masking.catalogue import ByteSpan

TRIGGER = r"(?:^|[^\w.-])\+?\(?\+?\d(?:[\s()./-]{0,3}\d){6}"
# The lookahead and its \1 take the longest run of digits and give nothing back: what is left would be a part of another
# number. (Python before 3.11.5 matches possessive quantifiers wrongly, and Debian 12 has 3.11.2.)
_CANDIDATE = re.compile(
    rb"(?<![\w.+/#$-])(?<![\d)][ ])(?=(\+?\(?\+?\d(?:(?:[ \xa0] ?|[ \xa0]?[()./-]{1,2} ?)?\d){6,16}))\1"
    rb"(?:[ ]?(?:x|ext\.?|;ext=|extension)[ ]?\d{1,6})?(?!\w|-\d|\.\d|-[0-9a-f]{4}\b)"
)
_EXTENSION = re.compile(r"(?:\s?(?:x|ext\.?|;ext=|extension)\s?\d{1,6})\Z")
_WORD_BEFORE = re2.compile(
    r"(?i)(?:phone|tel|tele[fp]\w*|mobile?|m\S{1,2}vil|cell\w*|fax|call(?:ed|ing)?|dial|sms|whats ?app|text|ring|reach|contact|hotline|helpline"
    r"|landline|handy|num\S{1,2}ro|msisdn|caller\w*|callback|rufnummer|telefoon)\W"
)
_REACH = 40
_WORD_AFTER = re.compile(rb"(?i)[ ,(/\\-]{1,3}(?:office|fax|home|cell|mobile|work|phone|tel)\b")
# An identifier's word nearer than a phone's: `order 4155550123`.
_OTHER_WORD = re2.compile(
    r"(?i)(?:\bids?|order|invoice|account|acct|ticket|case|ref(?:erence)?|sku|isbn|part|serial|tracking|version|build|epoch(?:_?[mnu]s)?"
    r"|timestamp|\bts|size|bytes|offset|port|zip|code|amount|price|total|ssn|pid|line|row|rev|commit|hash)[\s\"'#:=_-]{0,4}(?:no\.?|number|is|id)?[\s\"'#:=]{0,4}\z"
)
_DATE = re.compile(
    r"(?:19|20)\d\d[-/. ]\d\d?[-/. ]\d\d?(?:\D.*)?|\d\d?[-/.]\d\d?[-/.](?:19|20)?\d\d(?:\D.*)?|(?:19|20)\d\d\s?-\s?(?:19|20)\d\d"
)
_DOTTED_QUAD = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_NORTH_AMERICA = re.compile(r"(?:\+?1[-. ]{0,2})?\(?([2-9]\d\d)\)?[-. /]{0,2}([2-9]\d\d)[-. ]?\d{4}")
_SSN = re.compile(r"\d{3}[- ]\d\d[- ]\d{4}")
_CARD = re.compile(r"\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{4,5}")
_DECIMAL = re.compile(r"-?\d{1,4}\.\d{4,}")
_NO_PHONE = re.compile("|".join(shape.pattern for shape in (_DATE, _DOTTED_QUAD, _SSN, _DECIMAL)))
_LONELIEST = 9
_LONELIEST_IN_PARTS = 8
_BRACKET = ord("(")
_OBJECT_ID = re.compile(r"\d+(?:\.\d+){3,}")
_LABELLED = re.compile(
    rb"(?i)(?:phone|tel(?:ephone|efon)?|mobile|fax|cell|msisdn|whatsapp)(?:[ _-]?(?:number|num|no\.?|nr\.?))?[\"']?\s{0,2}[:=>]\s{0,2}[\"']?"
    rb"(\+?\(?\d[\d ().x/-]{3,22}\d)(?![\w.-])"
)


def labelled_spans(data: bytes, start: int, end: int) -> Iterator[ByteSpan]:
    """Whatever is written where a field's name says phone, short numbers too."""
    for match in _LABELLED.finditer(data, start, end):
        if _DATE.fullmatch(match[1].decode("ascii")) is None:
            yield ByteSpan(*match.span(1), "phone", "phone-field")


LABELLED_TRIGGER = r"(?:phone|telephone|telefon|\btel|mobile|fax|cell|msisdn|whatsapp)(?:[ _-]?(?:number|num|no\.?|nr\.?))?[\"']?\s{0,2}[:=>]"


def spans(data: bytes, start: int, end: int) -> Iterator[ByteSpan]:
    """Phone numbers in a window of the text."""
    for match in _CANDIDATE.finditer(data, start, end):
        begin, stop = match.span()
        # A sentence's bracket, closed behind the number.
        begin += data[begin] == _BRACKET and match[0].count(b"(") > match[0].count(b")")
        before = _before(data, begin)
        is_named = _WORD_BEFORE.search(before) is not None or _WORD_AFTER.match(data, stop, stop + 16) is not None
        if is_phone(
            data[begin:stop].decode("latin-1"),
            is_named=is_named,
            is_other=is_called_otherwise(data, begin),
        ):
            yield ByteSpan(begin, stop, "phone", "phone")


def _before(data: bytes, begin: int) -> bytes:
    """What stands before a number in its line, as far as it matters."""
    return data[max(0, begin - _REACH) : begin].rsplit(b"\n", 1)[-1]


def is_called_otherwise(data: bytes, begin: int) -> bool:
    """Whether the word beside a number names something else: `order 4155550123`."""
    before = _before(data, begin)
    return before.rstrip(b" \t\"'#:=_-")[-1:].isalnum() and _OTHER_WORD.search(before) is not None


def is_phone(written: str, *, is_named: bool, is_other: bool) -> bool:
    """Whether this run of digits and signs is a phone number; a word beside it may name it one, or something else."""
    number = _EXTENSION.sub("", written) if written[-6:].isalnum() and not written.isdigit() else written
    digits = "".join(filter(str.isdigit, number))
    if not 7 <= len(digits) <= 15 or len(set(digits)) < 2 or number.count("(") != number.count(")"):
        return False
    if _NO_PHONE.fullmatch(number) or _CARD.fullmatch(number) or _is_object_id(number):
        return False
    if "+" in number[:2]:
        return _is_abroad("+" + digits) or (_is_abroad("+" + digits.replace("0", "", 1)) and "(0)" in number)
    if digits.startswith(("00", "011")) and _is_abroad("+" + digits[2 if digits[:2] == "00" else 3 :]):
        return True
    if is_other:
        return False
    if _NORTH_AMERICA.fullmatch(number) and (is_named or number != digits):
        return True
    return _is_national(number, digits, is_named=is_named)


def _is_object_id(number: str) -> bool:
    """`1.3.6.1.4.1`: phones are not written in single digits, but for America's leading one."""
    return _OBJECT_ID.fullmatch(number) is not None and any(len(part) == 1 for part in number.split(".")[1:])


def _is_national(number: str, digits: str, *, is_named: bool) -> bool:
    """Written as some country writes its own numbers; without a word only long ones in groups are believed."""
    if is_named:
        return number != digits or digits[0] == "0" or _is_valid_somewhere(digits)
    if number == digits:
        # Few other numbers are written with a zero in front.
        return digits[0] == "0" and len(digits) in (10, 11) and any(_is_valid(digits, each) for each in _POPULOUS)
    is_in_parts = len(re.findall(r"\d+", number)) >= 3
    if len(digits) < (_LONELIEST_IN_PARTS if is_in_parts else _LONELIEST) or "/" in number:
        return False
    if digits[0] == "0" and number[0] in "0(":
        return _is_valid_somewhere(digits)
    return any(_is_valid(digits, region) for region in _habits().get(_shape(number), ()))


@lru_cache(maxsize=4096)
def _is_abroad(number: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number, None))
    except NumberParseException:
        return False


@lru_cache(maxsize=65536)
def _is_valid(digits: str, region: str) -> bool:
    try:
        return phonenumbers.is_valid_number_for_region(phonenumbers.parse(digits, region), region)
    except NumberParseException:
        return False


# Where most people who write numbers without a country live; trunk zero or not.
_POPULOUS = ("GB", "DE", "FR", "IN", "IT", "ES", "NL", "BR", "JP", "AU", "CN", "KR", "TR", "ZA", "CH", "SE", "PL", "MX")


def _is_valid_somewhere(digits: str) -> bool:
    return any(_is_valid(digits, region) for region in ("US", *_POPULOUS)) or any(
        _is_valid(digits, region) for region in _by_size().get(len(digits), ())
    )


@cache
def _examples() -> tuple[tuple[str, str], ...]:
    """Regions with a number written the way that region writes it."""
    found = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.TOLL_FREE):
            example = phonenumbers.example_number_for_type(region, kind)
            if example is not None:
                found.append((region, phonenumbers.format_number(example, PhoneNumberFormat.NATIONAL)))
    return tuple(found)


@cache
def _habits() -> dict[str, tuple[str, ...]]:
    """Regions by the shape in which they write their numbers."""
    shapes: dict[str, set[str]] = {}
    for region, written in _examples():
        for habit in (written, written.replace("(", "").replace(")", "")):
            shapes.setdefault(_shape(habit), set()).add(region)
    return {shape: tuple(sorted(regions)) for shape, regions in shapes.items()}


@cache
def _by_size() -> dict[int, tuple[str, ...]]:
    sizes: dict[int, set[str]] = {}
    for region, written in _examples():
        sizes.setdefault(len(re.sub(r"\D", "", written)), set()).add(region)
    return {size: tuple(sorted(regions)) for size, regions in sizes.items()}


def _shape(number: str) -> str:
    return re.sub(r"\d", "9", number)
