"""Secrets given to a name in free text: `password = ...`, `"apiKey": "..."`, `<token>...</token>`, name/value pairs.

Which names and values count is `plausible`'s judgement; shapes known without a name are `rules`'.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import re2

from gateway.masking.catalogue import ByteSpan
from gateway.masking.plausible import Strength, is_plausible, name_strength

_WORDS = r"pass|pwd|secret|token|key|cred|auth|pin|cvv|salt|cookie|signature|connectionstring|connstr|dsn|mnemonic|pw"
_GATE = re2.compile(rf"(?i)(?:{_WORDS})")
# The value's four forms: escaped quotes (JSON in a string), double, single, and bare.
_ASSIGNMENT = re2.compile(
    rf"(?i)(?:{_WORDS})[a-z0-9_.-]{{0,40}}\\?[\"'`\]\)]{{0,3}}\s{{0,8}}(?:=>|:=|\?=|\.=|<-|==?|:|,)\s{{0,8}}"
    r"(?:[a-z]{1,8}\()?(?:\\[\"']([^\"\\\n]+)\\[\"']|[a-z@$]{0,2}\"((?:[^\"\\\n]|\\.)+)\""
    r"|[a-z@$]{0,2}'((?:[^'\\\n]|\\.)+)'|`([^`\n]+)`|\{([^}\n\"']{4,256})\};|([^\s\"'`<>\[\]{}()][^\s\"'`<>]*))"
)
_ELEMENT = re2.compile(
    rf"(?i)<([a-z0-9_:.-]{{0,40}}(?:{_WORDS})[a-z0-9_.-]{{0,40}})(?:\s[^<>]{{0,200}})?>\s*([^<>]+?)\s*</"
)
_PAIR = re2.compile(
    r"(?i)\b(?:name|key|id|parameterkey|optionname)\\?[\"']?\s{0,3}[=:]\s{0,3}\\?[\"']([\w.:/ -]{1,120})\\?[\"'],?\s{1,8}\\?[\"']?"
    r"(?:value|parametervalue)\\?[\"']?\s{0,3}[=:]\s{0,3}\\?[\"']([^\"'<>\n]+?)\\?[\"']"
)
_IDENTIFIER_TAIL = re.compile(rb"[A-Za-z0-9_.-]*\Z")
_IDENTIFIER = re.compile(rb"[A-Za-z0-9_.-]+")
# A bare value ends where the next setting of a connection string, query string or list begins.
_NEXT_SETTING = re.compile(rb"[&;,](?=\s*[\w .-]{1,40}=)|[;,)\]}]+\Z|&(?:amp;|quot;)")
_LONGEST_NAME = 80
_LONGEST_ARN = 256
BARE = 6


def spans(data: bytes) -> Iterator[ByteSpan]:
    """Values in UTF-8 text whose name says that they are secret."""
    if _GATE.search(data) is None:
        return
    yield from _assigned(data)
    for pattern, rule in ((_ELEMENT, "element-secret"), (_PAIR, "pair-secret")):
        for match in pattern.finditer(data):
            name, value = _text(match.group(1)), _text(match.group(2))
            if is_plausible(value, name_strength(name), is_quoted=True):
                yield ByteSpan(match.start(2), match.end(2), kind_of_name(name), rule)


def _assigned(data: bytes) -> Iterator[ByteSpan]:
    position = 0
    while (match := _ASSIGNMENT.search(data, position)) is not None:
        group = match.lastindex or 0
        start, end = match.span(group)
        if group == BARE:
            end = _bare_end(data, start, end)
        name = _name_at(data, match.start())
        strength = Strength.NONE if _is_in_arn(data, match.start()) else name_strength(name)
        found = is_plausible(_text(data[start:end]), strength, is_quoted=group != BARE)
        if found:
            yield ByteSpan(start, end, kind_of_name(name), "assigned-secret")
        # A refused value may itself begin with another name: `key: password=...`.
        position = max(end if found else start, match.start() + 1)


def _is_in_arn(data: bytes, start: int) -> bool:
    """`...:secret:prod/db` inside an ARN names a resource."""
    return b"arn:" in re.split(rb"[\s\"'=]", data[max(0, start - _LONGEST_ARN) : start])[-1]


def _bare_end(data: bytes, start: int, end: int) -> int:
    cut = _NEXT_SETTING.search(data, start, end)
    return cut.start() if cut else end


def _name_at(data: bytes, start: int) -> str:
    """The whole identifier of which the matched word is a part."""
    before = _IDENTIFIER_TAIL.search(data[max(0, start - _LONGEST_NAME) : start])
    after = _IDENTIFIER.match(data, start)
    whole = (before[0] if before else b"") + (after[0][:_LONGEST_NAME] if after else b"")
    return _text(whole).rsplit(".", 1)[-1] if whole else ""


def kind_of_name(name: str) -> str:
    """The mask type of a value known by its name: a password, or some other secret."""
    return "password" if re.search(r"(?i)pass|pwd|pin", name) else "secret"


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
