"""Policy text -> its statements with their places, inside limits the Cedar parser itself does not keep.

What a statement means is left to `gateway.engine.rules`; nothing here knows Cedar beyond its tokens.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.engine.problems import Fault, FaultCode, PolicyRejected

LARGEST_TEXT = 1024 * 1024
LARGEST_STATEMENT = 32 * 1024
MOST_STATEMENTS = 2_000
# Cedar's parser recurses per bracket and overruns the stack (the process dies) somewhere past 250 levels; real
# rules need about five, and threads have smaller stacks than the one that was measured.
DEEPEST_NESTING = 16
# Chains (`a && b && ...`, `a.b.c`, else-if) recurse as well; the stack was overrun in the thousands, on a small one.
MOST_OPERATORS = 250

_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*) | (?P<string>"(?:[^"\\]|\\.)*") | (?P<open>[(\[{]) | (?P<close>[)\]}])
      | (?P<end>;) | (?P<broken>") | (?P<line>\n) | (?P<space>[^\S\n]+) | (?P<other>[^\s"/()\[\]{};]+|/)""",
    re.VERBOSE | re.DOTALL,
)
_OPERATOR = re.compile(r"&&|\|\||[-+*.!]|\bif\b")
SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
_SOURCE = re.compile(rf"// source: (?P<name>{SOURCE_NAME.pattern})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement up to and with its `;`. `line` is that of its first token, within its source."""

    text: str
    source: str
    line: int

    def fault(self, code: FaultCode, message: str, *, rule_id: str = "") -> Fault:
        return Fault(code=code, message=message, source=self.source, line=self.line, rule_id=rule_id)


def source_marker(name: str) -> str:
    """The comment line that opens a source inside a joined text; line numbers count from below it."""
    return f"// source: {name}"


def statements(text: str) -> tuple[Statement, ...]:
    """Split a policy text; raises PolicyRejected for what cannot be split or passes a limit."""
    if len(text) > LARGEST_TEXT:
        raise PolicyRejected([Fault(code=FaultCode.LIMIT, message=f"a policy has at most {LARGEST_TEXT} characters")])
    _refuse_invisible(text)
    found = tuple(_Splitter(text).split())
    if len(found) > MOST_STATEMENTS:
        raise PolicyRejected([found[-1].fault(FaultCode.LIMIT, f"a policy has at most {MOST_STATEMENTS} rules")])
    return found


def _refuse_invisible(text: str) -> None:
    # A rule must do what its reader sees: bidi, zero-width and control characters can make it look different.
    for number, line in enumerate(text.split("\n"), start=1):
        hidden = sorted({f"U+{ord(c):04X}" for c in line if c not in "\t\r" and unicodedata.category(c) in _HIDDEN})
        if hidden:
            message = f"invisible characters are refused, write them as \\u{{...}}: {', '.join(hidden)}"
            raise PolicyRejected([Fault(code=FaultCode.INVISIBLE, message=message, line=number)])


_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _weight(kind: str, token: str) -> int:
    # An else-if costs the parser ten times the stack of another operator.
    if kind == "other":
        return sum(10 if found == "if" else 1 for found in _OPERATOR.findall(token))
    return int(kind == "open")


class _Splitter:
    """One pass over the tokens, keeping the place, the nesting and where the open statement began."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._source = ""
        self._line = 1
        self._depth = 0
        self._operators = 0
        self._began: tuple[int, int] | None = None  # offset and line of the open statement's first token

    def split(self) -> Iterator[Statement]:
        for token in _TOKEN.finditer(self._text):
            kind = token.lastgroup
            if kind == "comment":
                self._comment(token.group())
            elif kind not in ("line", "space"):
                yield from self._significant(str(kind), token)
            self._line += token.group().count("\n")
        if self._began is not None:
            raise self._rejected(FaultCode.SYNTAX, "the last rule is not ended by `;`")

    def _comment(self, text: str) -> None:
        marker = _SOURCE.fullmatch(text.rstrip())
        if marker is not None and self._began is None:
            self._source, self._line = marker["name"], 0

    def _significant(self, kind: str, token: re.Match[str]) -> Iterator[Statement]:
        if self._began is None:
            self._began = (token.start(), self._line)
        if kind == "broken":
            raise self._rejected(FaultCode.SYNTAX, "a string is not closed")
        self._depth += {"open": 1, "close": -1}.get(kind, 0)
        self._operators += _weight(kind, token.group())
        self._check_limits(self._began[0], token)
        if kind == "end":
            yield Statement(text=self._text[self._began[0] : token.end()], source=self._source, line=self._began[1])
            self._began, self._depth, self._operators = None, 0, 0

    def _check_limits(self, began: int, token: re.Match[str]) -> None:
        if self._depth > DEEPEST_NESTING:
            raise self._rejected(FaultCode.LIMIT, f"brackets nest at most {DEEPEST_NESTING} deep")
        if self._operators > MOST_OPERATORS:
            raise self._rejected(FaultCode.LIMIT, f"a rule has at most {MOST_OPERATORS} operators and brackets")
        if token.end() - began > LARGEST_STATEMENT:
            raise self._rejected(FaultCode.LIMIT, f"a rule has at most {LARGEST_STATEMENT} characters")

    def _rejected(self, code: FaultCode, message: str) -> PolicyRejected:
        line = self._began[1] if self._began else self._line
        return PolicyRejected([Fault(code=code, message=message, source=self._source, line=line)])
