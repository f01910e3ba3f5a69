"""A change to a person's file: shown first, kept as it was, written whole, taken back exactly.

What changes is `setup_agents`'s and `setup_aws`'s. A record beside the enrolment remembers what was there before.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable
from dataclasses import asdict, dataclass

from gateway.client.errors import ClientError
from gateway.client.own_files import read_own, write_own

# Settings of agents are kilobytes; somebody's gigabyte is not to be read into memory.
_LARGEST = 4 * 1024 * 1024
_SECRET = re.compile(r"(?i)^(.{0,200}?(?:secret|token|password|api_?key|access_?key)\w*\"?\s*[:=]\s*)(.+)$")


class SetupFailed(ClientError):
    """A file could not be read or written; it is as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file, before and after; None is "no file". `path` has no links in it any more."""

    path: str
    before: bytes | None
    after: bytes | None

    @property
    def is_none(self) -> bool:
        return self.before == self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is remembered of a file we changed: `backup` is empty where there was none, and ours is `after_sha256`."""

    path: str
    backup: str
    after_sha256: str
    made_folders: tuple[str, ...] = ()


def planned(path: str, change: Callable[[str, str], str]) -> Change:
    """What `change(path, text)` would make of a file; raises SetupFailed, or what `change` raises."""
    path = os.path.realpath(path)
    before = _read(path)
    text = _text(path, before or b"")
    after = change(path, text.removeprefix("\ufeff"))
    encoded = (("\ufeff" if text.startswith("\ufeff") else "") + after).encode()
    return Change(path=path, before=before, after=encoded if before is not None or after else None)


def shown(change: Change) -> str:
    """The difference for people; secrets that happen to stand near are covered."""
    before, after = ((side or b"").decode("utf-8", "replace").splitlines() for side in (change.before, change.after))
    names = [f"{change.path}{'' if side is not None else ' (no file)'}" for side in (change.before, change.after)]
    lines = difflib.unified_diff(before, after, names[0], names[1], lineterm="", n=2)
    return "\n".join(_SECRET.sub(r"\1****", line) for line in lines)


def write(home: str, change: Change, *, without_ours: Callable[[str, str], str]) -> str:
    """Put a change in place; returns the backup's path, empty where there was no file. Raises SetupFailed.

    `without_ours` tells what the person's own file would be where theirs was edited since our last change.
    """
    _check_unchanged(change)
    kept = _record(home, change.path)
    original = change.before
    if kept is not None and change.before is not None:
        original = _original(kept, change.before, without_ours)
    backup, folders = "", _missing_folders(os.path.dirname(change.path))
    if original is not None:
        backup = kept.backup if kept is not None and kept.backup else _free_name(f"{change.path}.before-hoopweb")
        _put(backup, original, mode=_mode(change.path))
    _put(change.path, change.after or b"", mode=_mode(change.path))
    folders = folders or (kept.made_folders if kept is not None else ())
    _keep(home, Kept(path=change.path, backup=backup, after_sha256=_sha(change.after or b""), made_folders=folders))
    return backup


def undone(home: str, path: str, without_ours: Callable[[str, str], str]) -> Change:
    """What taking our change back would make of a file: exactly what was, or, where it was edited since, all but ours."""
    path = os.path.realpath(path)
    before, kept = _read(path), _record(home, path)
    if before is None:
        return Change(path=path, before=None, after=None)
    if kept is None:
        return planned(path, without_ours)
    return Change(path=path, before=before, after=_original(kept, before, without_ours))


def take_back(home: str, change: Change) -> None:
    """Put the undone state in place and forget the record; raises SetupFailed."""
    _check_unchanged(change)
    kept = _record(home, change.path)
    if change.after is None:
        os.unlink(change.path)
    else:
        _put(change.path, change.after, mode=_mode(change.path))
    if kept is None:
        return
    for leftover in filter(None, (kept.backup, _record_path(home, change.path))):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(leftover)
    for folder in kept.made_folders:
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def _original(kept: Kept, now: bytes, without_ours: Callable[[str, str], str]) -> bytes | None:
    if _sha(now) == kept.after_sha256:
        found = _read(kept.backup) if kept.backup else None
        if not kept.backup or found is not None:
            return found
    return without_ours(kept.path, _text(kept.path, now)).encode()


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
                raise SetupFailed(f"{path} is no settings file. Nothing was changed.")
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SetupFailed(f"{path} cannot be read ({error.strerror}). Nothing was changed.") from None


def _text(path: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SetupFailed(f"{path}, line {line}: this is not UTF-8. Nothing was changed; mend it first.") from None


def _check_unchanged(change: Change) -> None:
    if _read(change.path) != change.before:
        raise SetupFailed(f"{change.path} changed in the meantime. Nothing was written: run the command again.")


def _put(path: str, content: bytes, *, mode: int) -> None:
    """The whole file or none, with the rights it had; raises SetupFailed."""
    new = f"{path}.{os.getpid()}.new"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, mode)
            file.write(content)
            file.flush()
            os.fsync(handle)
        os.replace(new, path)
    except OSError as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        raise SetupFailed(f"{path} cannot be written ({error.strerror}).") from None


def _mode(path: str) -> int:
    """The file's own rights; a new one is its owner's alone."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        return 0o600


def _free_name(path: str) -> str:
    names = [path, *(f"{path}.{number}" for number in range(2, 100))]
    for name in names:
        if not os.path.lexists(name):
            return name
    raise SetupFailed(f"{path} and a hundred more are there already: remove old ones first.")


def _missing_folders(folder: str) -> tuple[str, ...]:
    """The folders that will have to be made, innermost first."""
    missing: list[str] = []
    while folder and not os.path.isdir(folder) and len(missing) < 4:
        missing.append(folder)
        folder = os.path.dirname(folder)
    return tuple(missing)


def _record_path(home: str, path: str) -> str:
    return f"{home}/setup/{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json"


def _record(home: str, path: str) -> Kept | None:
    try:
        found = json.loads(read_own(_record_path(home, path)))
        return Kept(**{**found, "made_folders": tuple(found["made_folders"])})
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def _keep(home: str, kept: Kept) -> None:
    write_own(_record_path(home, kept.path), json.dumps(asdict(kept)).encode() + b"\n")


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
