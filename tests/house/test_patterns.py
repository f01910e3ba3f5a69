"""No pattern of ours is one that an older Python 3.11 matches wrongly."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from tests.house.test_structure import CHECKOUT, tracked

# https://github.com/python/cpython/issues/106052: until 3.11.5 they lose matches, and what masking does not find leaves in clear.
POSSESSIVE = re.compile(r"(?<!\\)[?*+]\+|\d\}+\+|\(\?>")
_CHARACTER_SET = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]")


def _patterns(source: str) -> Iterator[str]:
    """What is written as a raw string: here, that is what a pattern is written in."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.STRING and re.match(r"[bf]?r[bf]?[\"']", token.string, re.IGNORECASE):
            yield _CHARACTER_SET.sub("x", token.string)


@pytest.mark.parametrize(
    "pattern", [r'r"a?+b"', r'rb"(?:ab){6,16}+"', r'rf"{A}(?>a|b)"', r'rf"(?:{A}){{1,2}}+"', r'r"[a+]++"']
)
def test_a_pattern_that_gives_nothing_back_is_known(pattern: str) -> None:
    assert [one for one in _patterns(f"A = re.compile({pattern})") if POSSESSIVE.search(one)]


@pytest.mark.parametrize("pattern", [r'r"[*+]"', r'r"\++"', r'r"a+\+"', r'rf"{A}+"', r'r"[^]?+]"'])
def test_others_are_not(pattern: str) -> None:
    assert not [one for one in _patterns(f"A = re.compile({pattern})") if POSSESSIVE.search(one)]


def test_no_pattern_is_one_that_some_pythons_match_wrongly() -> None:
    assert [
        f"{name}: {pattern}"
        for name in tracked()
        if name.endswith(".py") and name != "tests/house/test_patterns.py"
        for pattern in _patterns((CHECKOUT / name).read_text())
        if POSSESSIVE.search(pattern)
    ] == []
