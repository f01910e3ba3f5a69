"""Packs: rule texts that ship with the product, joined with a tenant's own text into one.

Reading the files is the policy room's; this takes their text.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.engine import rules
from gateway.engine.problems import Fault, PolicyRejected
from gateway.engine.rules import Rule
from gateway.engine.statements import SOURCE_NAME, source_marker


def combine(texts: Mapping[str, str]) -> str:
    """Join named texts (name -> Cedar text) into one; faults keep their source and its line numbers.

    Raises PolicyRejected when a text does not parse or two rules share an @id; ValueError for a name that is not
    lower-case words joined by hyphens.
    """
    if bad := [name for name in texts if not SOURCE_NAME.fullmatch(name)]:
        raise ValueError(f"a source is named in lower-case words joined by hyphens: {bad[0]!r}")
    faults = [fault for text in texts.items() for fault in _faults(*text)]
    if faults:
        raise PolicyRejected(faults)
    joined = "\n".join(f"{source_marker(name)}\n{text}" for name, text in texts.items())
    rules.parse(joined)
    return joined


def rules_of(text: str) -> tuple[Rule, ...]:
    """The rules of a text, for showing what a pack or draft holds; raises PolicyRejected."""
    return tuple(each.rule for each in rules.parse(text))


def _faults(name: str, text: str) -> tuple[Fault, ...]:
    # Each text is parsed alone first: an unclosed string in one must not swallow its neighbour.
    try:
        rules.parse(f"{source_marker(name)}\n{text}")
    except PolicyRejected as rejected:
        return rejected.faults
    return ()
