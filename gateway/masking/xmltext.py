"""AWS's XML answers (query, ec2, rest-xml) as leaves, and replacing their text without touching other bytes.

Well-formedness is defusedxml's judgement; what to replace is decided in `content`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from gateway.masking.jsontext import Malformed
from gateway.masking.leaves import Leaf
from gateway.masking.paths import ANY, PAGINATION_NAMES, States, kind_of, step
from gateway.masking.replacement import Scalar

_ENCODING = re.compile(r"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)[\"']")
# Exact only for a document that parsed and holds no DTD.
_MARKUP = re.compile(
    r"<!--(?P<comment>.*?)-->|<!\[CDATA\[(?P<cdata>.*?)\]\]>|<\?.*?\?>|</(?P<end>[^\s>]+)\s*>"
    r"|<(?P<start>[^\s/>]+)(?P<attributes>(?:\s+[^\s=]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*)\s*(?P<empty>/?)>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"([^\s=]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]+)|#([0-9]+)|(amp|lt|gt|quot|apos));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_LABELS = frozenset(("name", "key", "parameterkey", "optionname"))
_VALUES = frozenset(("value", "parametervalue"))
DEEPEST = 128


@dataclass(slots=True)
class _Element:
    """An open element: where its paths stand, and what its neighbours said."""

    name: str
    states: States
    kind: str | None
    label: str = ""
    has_children: bool = False


@dataclass(slots=True)
class _Run:
    """Text between two tags: its pieces joined, and the stretch of the document they fill."""

    start: int
    text: list[str] = field(default_factory=list)
    has_asides: bool = False


class XmlText:
    """A checked document. `leaves` are its texts and attribute values; raises Malformed on anything else."""

    def __init__(self, text: str, states: States = ()) -> None:
        _check(text)
        self._text = text
        self._start = states
        self._spans: list[tuple[int, int]] = []
        self._open: list[_Element] = []
        self.leaves: list[Leaf] = []
        self.forced: dict[int, Scalar] = {}
        self._read()

    def splice(self, replacements: Mapping[int, Scalar]) -> str:
        """The document with the leaves of these indexes replaced and escaped; the rest byte for byte."""
        return "".join(self._pieces(replacements))

    def _pieces(self, replacements: Mapping[int, Scalar]) -> Iterator[str]:
        done = 0
        for index, (start, end) in enumerate(self._spans):
            if index in replacements:
                yield self._text[done:start]
                yield _escape(str(replacements[index]))
                done = end
        yield self._text[done:]

    def _read(self) -> None:
        run = _Run(0)
        done = 0
        for match in _MARKUP.finditer(self._text):
            run.text.append(_unescape(self._text[done : match.start()]))
            done = match.end()
            if match["cdata"] is not None:
                run.text.append(match["cdata"])
            elif match["start"] is None and match["end"] is None:
                run.has_asides = self._may_drop(match)
            else:
                self._close_run(run, match.start(), is_end=match["end"] is not None)
                self._enter(match) if match["start"] is not None else self._open.pop()
                run = _Run(match.end())

    def _may_drop(self, match: re.Match[str]) -> bool:
        """Inside the body an aside is dropped with its run; outside, only the declaration is known to be empty."""
        if not self._open and not match[0].startswith("<?xml "):
            raise Malformed("an XML comment or instruction outside the answer")
        return True

    def _close_run(self, run: _Run, end: int, *, is_end: bool) -> None:
        """Record the text before a tag; comments and instructions inside the body are dropped, unread."""
        if not self._open:
            return
        element = self._open[-1]
        value = "".join(run.text)
        is_leaf = is_end and not element.has_children
        if is_leaf and len(self._open) > 1:
            self._note_label(element.name, value)
        if run.has_asides:
            self.forced[len(self._spans)] = value
        if run.has_asides or value.strip():
            self._add(run.start, end, self._label(element.name), value, element.kind, element.name)

    def _add(self, start: int, end: int, name: str, value: str, kind: str | None, tag: str) -> None:
        is_page = kind is None and tag in PAGINATION_NAMES and len(self._open) <= 3
        if value.strip() and not is_page:
            self.leaves.append(Leaf(len(self._spans), name, value, kind))
        self._spans.append((start, end))

    def _note_label(self, name: str, value: str) -> None:
        if name.lower() in _LABELS:
            self._open[-2].label = value

    def _label(self, name: str) -> str:
        parent = self._open[-2].label if len(self._open) > 1 else ""
        return parent if parent and name.lower() in _VALUES else name

    def _enter(self, match: re.Match[str]) -> None:
        name = match["start"].rsplit(":", 1)[-1]
        element = _Element(name, *self._below(name))
        if self._open:
            self._open[-1].has_children = True
        if len(self._open) >= DEEPEST:
            raise Malformed("XML nested too deeply")
        self._open.append(element)
        for attribute in _ATTRIBUTE.finditer(match["attributes"]):
            if not attribute[1].startswith("xmlns"):
                group = 2 if attribute[2] is not None else 3
                offset = match.start("attributes")
                span = (offset + attribute.start(group), offset + attribute.end(group))
                self._add(*span, attribute[1], _unescape(attribute[group]), element.kind, attribute[1])
        if match["empty"]:
            self._open.pop()

    def _below(self, name: str) -> tuple[States, str | None]:
        """Where the paths stand at a child element.

        Paths start below the result wrapper, so they are tried at the root, below it, and below `...Result` and
        `Error`. A flattened list has no element for `*`, and a map entry's value one more: both are stepped over.
        """
        if not self._start:
            return (), None
        if not self._open:
            return self._start, kind_of(self._start)
        parent = self._open[-1]
        states = _flattened(step(parent.states, name))
        if name in ("value", "Value"):
            states += tuple(node for node in parent.states if node not in states)
        if len(self._open) <= 2 and name.endswith(("Result", "Error", "Errors")):
            states += self._start
        is_key = name == "key" and parent.name == "entry"
        return states, None if is_key else parent.kind or kind_of(states)


def _flattened(states: States) -> States:
    return states + tuple(node.children[ANY] for node in states if ANY in node.children)


def _check(text: str) -> None:
    declared = _ENCODING.match(text)
    if declared and declared[1].lower() not in ("utf-8", "us-ascii", "ascii"):
        raise Malformed("XML in an encoding other than UTF-8")
    try:
        fromstring(text.encode(), forbid_dtd=True)
    except (ParseError, DefusedXmlException, UnicodeEncodeError, RecursionError):
        raise Malformed("not well-formed XML, or with a DTD") from None


def _unescape(text: str) -> str:
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(match: re.Match[str]) -> str:
    if match[1] or match[2]:
        return chr(int(match[1], 16) if match[1] else int(match[2]))
    return _NAMED[match[3]]


def _escape(text: str) -> str:
    for plain, reference in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&apos;")):
        text = text.replace(plain, reference)
    # A literal carriage return would come back as a line feed.
    return text.replace("\r", "&#13;")
