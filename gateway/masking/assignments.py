"""Secrets given to a name in free text: `password = ...`, `"apiKey": "..."`, `<token>...</token>`, name/value pairs.

Which names and values count is `plausible`'s judgement; shapes known without a name are `rules`'.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import re2

from gateway.masking.catalogue import ByteSpan, ScannerFailed
from gateway.masking.plausible import Strength, is_identifier, is_plausible, name_strength
from gateway.masking.triggers import Detector

_WORDS = (
    r"pass|pwd|secret|token|key|cred|auth|pin|cvv|salt|cookie|signature|connectionstring|connstr|dsn|mnemonic|psk|pw"
)
# RE2 finds the words over the whole text in linear time; what follows looks only around a word.
_TRIGGER = re2.compile(rf"(?i)(?:{_WORDS})")
_NAME_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_NAME_REST = re.compile(rb"[A-Za-z0-9_.-]{0,80}")
_WORD_BEFORE = re.compile(rb"([A-Za-z]{2,20})[ _]\Z")
# The value's forms: escaped quotes (JSON in a string), double, single, backquoted, in ODBC braces, and bare.
_VALUE = re.compile(
    rb"""\\?["'`\])]{0,3}\s{0,8}(?:=>|:=|\?=|\.=|<-|={1,3}|:|,)\s{0,8}(?:[A-Za-z]{1,8}\()?"""
    rb"""(?:\\["']([^"\\\n]+)\\["']|[A-Za-z@$]{0,2}"((?:[^"\\\n]|\\.)+)"|[A-Za-z@$]{0,2}'((?:[^'\\\n]|\\.)+)'"""
    rb"""|`([^`\n]+)`|\{([^}\n"']{4,256})\};|([^\s"'`<>\[\]{}()][^\s"'`<>]{0,511}))"""
)
_BARE = 6
# Judged by at most the bytes above, so that a text of triggers costs no more than its length times that bound;
# masked to the end of the run, so that no tail is left.
_BARE_REST = re.compile(rb"[^\s\"'`<>]*")
# A bare value ends where the next setting of a connection string, query string or list begins.
_NEXT_SETTING = re.compile(rb"[&;,](?=\s*[\w .-]{1,40}=)|[;,)\]}]+\Z|&(?:amp;|quot;)")
_ELEMENT = re2.compile(
    rf"(?i)<([a-z0-9_:.-]{{0,40}}(?:{_WORDS})[a-z0-9_.-]{{0,40}})(?:\s[^<>]{{0,200}})?>\s*([^<>]+?)\s*</"
)
_PAIR = re.compile(
    rb"(?i)\b(?:name|key|id|parameterkey|optionname)\\?[\"']?\s{0,3}[=:]\s{0,3}\\?[\"']([\w.:/ -]{1,120})\\?[\"'],?\s{1,8}"
    rb"\\?[\"']?(?:value|parametervalue)\\?[\"']?\s{0,3}[=:]\s{0,3}\\?[\"']([^\"'<>\n]+?)\\?[\"']"
)
_SETTING = re.compile(r"(?i)(?:[a-z0-9]+_)+(?:token|key)")
_MEMBER_END = re.compile(rb"\\?[\"']\s{0,3}:")
_LONGEST_JUDGED = 512
# Values of honest text hardly overlap, so judging them costs no more than the text is long. What nests them
# (`token=token=...`) would cost seconds a megabyte, and is refused.
_OVERLAP_ALLOWED = 64 * 1024
_LONGEST_NAME = 80
_LONGEST_ARN = 256


def _labelled(
    pattern: re2._Regexp[bytes] | re.Pattern[bytes], rule: str, data: bytes, start: int, end: int
) -> Iterator[ByteSpan]:
    for match in pattern.finditer(data, start, end):
        name, value = _text(match.group(1)), _text(match.group(2))
        if is_plausible(value, name_strength(name), is_quoted=True):
            yield ByteSpan(match.start(2), match.end(2), kind_of_name(name), rule)


def _assigned(data: bytes, start: int, end: int) -> Iterator[ByteSpan]:
    position = judged = 0
    for trigger in _TRIGGER.finditer(data, start, end):
        begun = trigger.start()
        if begun < position:
            continue
        rest = _NAME_REST.match(data, begun)
        position = rest.end() if rest else begun
        name = _name_at(data, begun, position)
        strength = _strength_at(data, begun, name)
        match = _VALUE.match(data, position) if strength else None
        if match is not None:
            begin, stop = _extent(data, match)
            judged += stop - begin
            if _MEMBER_END.match(data, stop, stop + 8):
                # `"random_password", "instances": [...]`: a name again, and not the value of the one before.
                continue
            if judged > len(data) + _OVERLAP_ALLOWED:
                raise ScannerFailed("the text nests too many settings to be judged")
            value = _text(data[begin:stop])
            # `password: type: string`: another name, and nothing given to this one.
            if match.lastindex == _BARE and value.endswith(":"):
                continue
            if is_plausible(value, strength, is_quoted=match.lastindex != _BARE) or _is_issued(name, value):
                position = _run_end(data, begin, stop)
                yield ByteSpan(begin, position, kind_of_name(name), "assigned-secret")


def _is_issued(name: str, value: str) -> bool:
    """`acme_token=<uuid>`: many services issue keys that look like any identifier; a setting's name gives them away."""
    return _SETTING.fullmatch(name) is not None and name_strength(name) > Strength.NONE and is_identifier(value)


def _name_at(data: bytes, start: int, end: int) -> str:
    """The last dotted part of the whole identifier of which the matched word is a part."""
    before = data[max(0, start - _LONGEST_NAME) : start]
    head = before[len(before.rstrip(_NAME_BYTES)) :]
    return _text(head + data[start:end]).rsplit(".", 1)[-1]


def _strength_at(data: bytes, start: int, name: str) -> Strength:
    """What the name says, alone or with the word before it: `api key` is one name in prose."""
    strength = name_strength(name)
    if strength is not Strength.STRONG and data[start - 1 : start] in (b" ", b"_"):
        before = _WORD_BEFORE.search(data[max(0, start - 24) : start])
        strength = max(strength, name_strength(_text(before[1]) + name)) if before else strength
    # A rule drawn in dashes is no name: `-----END PRIVATE KEY-----`.
    is_none = strength is Strength.NONE or name.endswith("--") or _is_in_arn(data, start)
    return Strength.NONE if is_none else strength


def _is_in_arn(data: bytes, start: int) -> bool:
    """`...:secret:prod/db` inside an ARN names a resource."""
    before = data[max(0, start - _LONGEST_ARN) : start]
    return b"arn:" in before and b"arn:" in re.split(rb"[\s\"'=]", before)[-1]


def _extent(data: bytes, match: re.Match[bytes]) -> tuple[int, int]:
    """Where the value stands: quoted ones as written, bare ones up to the next setting or the end of the run."""
    start, end = match.span(match.lastindex or 0)
    if match.lastindex != _BARE:
        return start, end
    cut = _NEXT_SETTING.search(data, start, end)
    if cut is not None:
        return start, cut.start()
    return start, end


def _run_end(data: bytes, start: int, end: int) -> int:
    rest = _BARE_REST.match(data, end) if end - start == _LONGEST_JUDGED else None
    return rest.end() if rest else end


def kind_of_name(name: str) -> str:
    """The mask type of a value known by its name: a password, or some other secret."""
    return "password" if re.search(r"(?i)pass|pwd|pin", name) else "secret"


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


# Values in UTF-8 text whose name says that they are secret; they raise ScannerFailed on nested nonsense.
DETECTORS = (
    Detector(
        trigger=rf"(?:{_WORDS})[A-Za-z0-9_.-]{{0,60}}\\?[\"'`\])]{{0,3}}\s{{0,8}}(?:[=:,]|\?=|\.=|<-)",
        behind=192,
        ahead=16,
        find=_assigned,
    ),
    Detector(
        trigger=rf"(?:{_WORDS})[a-z0-9_.-]{{0,40}}(?:>|\s[a-z:]{{1,20}}=\S)",
        behind=160,
        ahead=1024,
        find=partial(_labelled, _ELEMENT, "element-secret"),
    ),
    Detector(
        trigger=r"\b(?:name|key|id|parameterkey|optionname)\\?[\"']?\s{0,3}[=:]\s{0,3}\\?[\"'][\w.:/ -]{1,120}\\?[\"'],?\s{1,8}\\?[\"']?(?:parameter)?value",
        behind=192,
        ahead=4096,
        find=partial(_labelled, _PAIR, "pair-secret"),
    ),
)
