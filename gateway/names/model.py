"""A model of a language in a folder: what it says of itself, whether it may be used, and how it is loaded.

It is data: nothing in the folder is imported or run. Loading takes seconds and memory: only `__main__` does it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARY = "spacy"
LICENCES = frozenset(("MIT", "Apache-2.0", "Apache 2.0", "BSD-3-Clause", "BSD-2-Clause"))
# How models of different makers call a person.
LABELS = ("PERSON", "PER")
# The component that finds names, and those that read words for it where a model shares them.
_FINDER = "ner"
_NEEDED = frozenset((_FINDER, "tok2vec", "transformer", "curated_transformer"))
_CODE = frozenset((".py", ".pyc", ".so", ".pkl", ".pickle", ".pt", ".bin.py"))
LARGEST_META = 1024 * 1024
LARGEST_MODEL = 1024 * 1024 * 1024


class BadModel(Exception):
    """The folder is no model that may be used; the text says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What a model says of itself, and the digest over all its files."""

    folder: Path
    name: str
    version: str
    digest: str
    components: frozenset[str]

    @property
    def rule(self) -> str:
        """How masking records cite it."""
        return f"person:{self.name[:32]}@{self.version[:12]}+{self.digest[:12]}"


def check(folder: Path, *, digest: str = "") -> Model:
    """The model in this folder. Raises BadModel; with a `digest` also where any of its files is another."""
    meta = _meta(folder)
    _check_terms(meta)
    _check_library(str(meta.get("spacy_version", "")))
    found = _digest(folder)
    if digest and found != digest.lower():
        raise BadModel(f"its files have the digest {found}, and not the one that was pinned")
    return Model(
        folder=folder,
        name=f"{meta.get('lang', '')}_{meta.get('name', '')}",
        version=str(meta.get("version", "")),
        digest=found,
        components=frozenset(map(str, meta.get("components") or meta["pipeline"])),
    )


def _meta(folder: Path) -> dict[str, Any]:
    path = folder / "meta.json"
    try:
        if path.stat().st_size > LARGEST_META:
            raise BadModel("its meta.json is too large")
        meta = json.loads(path.read_bytes())
    except OSError:
        raise BadModel("there is no meta.json: name the folder that holds it, beside config.cfg") from None
    except ValueError:
        raise BadModel("its meta.json is no JSON") from None
    if not isinstance(meta, dict) or not (folder / "config.cfg").is_file():
        raise BadModel("it is no model of spaCy's: name the folder that holds meta.json and config.cfg")
    return meta


def _check_terms(meta: dict[str, Any]) -> None:
    if meta.get("license") not in LICENCES:
        raise BadModel(f"its licence is {str(meta.get('license'))[:40]!r}: use one under {', '.join(sorted(LICENCES))}")
    labels = meta.get("labels", {})
    known = labels.get(_FINDER, []) if isinstance(labels, dict) else []
    if _FINDER not in meta.get("pipeline", []) or not any(label in known for label in LABELS):
        raise BadModel("it does not find people: it needs the component `ner` with PERSON or PER")


def _check_library(wanted: str) -> None:
    try:
        found = metadata.version(LIBRARY)
    except metadata.PackageNotFoundError:
        raise BadModel("spaCy is not installed: ./bootstrap.sh names") from None
    # It comes with spaCy, and is wanted nowhere else.
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        if not wanted or found not in SpecifierSet(wanted):
            raise BadModel(f"it is made for spaCy {wanted[:40] or 'of no stated version'}, and {found} is installed")
    except InvalidSpecifier:
        raise BadModel("the version of spaCy it is made for cannot be read") from None


def _digest(folder: Path) -> str:
    """SHA-256 over names and bytes of all files, in order."""
    digest, total = hashlib.sha256(), 0
    for path in _files(folder):
        total += path.stat().st_size
        if total > LARGEST_MODEL:
            raise BadModel("it is larger than a gigabyte")
        with path.open("rb") as file:
            of_file = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{of_file}\n".encode())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise BadModel(f"{path.name} is a link: the model must be in one folder")
        if path.suffix in _CODE:
            raise BadModel(f"{path.name} is code: a model is data alone")
        if path.is_file():
            yield path


Finder = Callable[[Sequence[str]], list[list[tuple[int, int]]]]


def load(model: Model) -> Finder:
    """The model, ready to read: for each text where people's names stand, in code points. Raises BadModel."""
    import spacy

    try:
        pipeline = spacy.load(model.folder, exclude=sorted(model.components - _NEEDED))
    except (OSError, ValueError, TypeError, KeyError, ImportError) as error:
        raise BadModel(f"it does not load: {type(error).__name__}") from None

    def find(texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        return [
            [(name.start_char, name.end_char) for name in read.ents if name.label_ in LABELS]
            for read in pipeline.pipe(texts)
        ]

    return find
