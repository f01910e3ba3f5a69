"""The packs that ship with the product: rule texts beside this file, by name. Joining them is the engine's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path

from gateway.engine import rules_of
from gateway.engine.rules import Rule
from gateway.policy.problems import PackUnknown

_FOLDER = Path(__file__).with_name("packs")
# What a new tenant's policy stands on. The other packs narrow everyday work and are switched on knowingly.
STARTING = (
    "copies-to-foreign-accounts",
    "credential-minting",
    "destroys-or-disables-protection",
    "evading-defences",
    "interactive-shells",
    "public-exposure",
    "secrets-reads",
    "starter",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """One pack: its name, what its head comment says in plain words, its Cedar text and its rules."""

    name: str
    title: str
    summary: str
    text: str
    rules: tuple[Rule, ...]

    @property
    def approvers(self) -> tuple[str, ...]:
        """The approval rules its asks name; a tenant needs each of them before anybody can answer."""
        return tuple(sorted({rule.ask.approvers for rule in self.rules if rule.ask is not None}))


@cache
def _packs() -> dict[str, Pack]:
    return {path.stem: _pack(path.stem, path.read_text("utf-8")) for path in sorted(_FOLDER.glob("*.cedar"))}


def _pack(name: str, text: str) -> Pack:
    """A pack's text opens with a comment: its title on the first line, what it is about on the others."""
    title, *lines = (line.removeprefix("//").strip() for line in takewhile(str.strip, text.splitlines()))
    return Pack(name=name, title=title.rstrip("."), summary=" ".join(lines), text=text, rules=rules_of(text))


def packs() -> tuple[Pack, ...]:
    """All packs of this version, by name."""
    return tuple(_packs().values())


def pack_names() -> tuple[str, ...]:
    """The names of all packs of this version, sorted."""
    return tuple(_packs())


def pack(name: str) -> Pack:
    """One pack; raises PackUnknown. The name is looked up, never made into a path."""
    try:
        return _packs()[name]
    except KeyError:
        raise PackUnknown(f"Pack `{name[:80]}`") from None


def pack_text(name: str) -> str:
    """The Cedar text of one pack; raises PackUnknown."""
    return pack(name).text
