"""The packs that ship with the product: rule texts beside this file, by name. Joining them is the engine's."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from gateway.policy.problems import PackUnknown

_FOLDER = Path(__file__).with_name("packs")


@cache
def _texts() -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted(_FOLDER.glob("*.cedar"))}


def pack_names() -> tuple[str, ...]:
    """The names of all packs of this version, sorted."""
    return tuple(_texts())


def pack_text(name: str) -> str:
    """The Cedar text of one pack; raises PackUnknown. The name is looked up, never made into a path."""
    try:
        return _texts()[name]
    except KeyError:
        raise PackUnknown(f"Pack `{name[:80]}`") from None
