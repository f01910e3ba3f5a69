"""Writing `demo.env` and other files that hold secrets: whole or not at all, closed to everybody else."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path


def write(path: Path, exports: Mapping[str, str]) -> None:
    """Write shell exports, one a line, each value quoted."""
    lines = (f"export {name}={_quoted(value)}\n" for name, value in exports.items())
    write_private(path, "".join(lines))


def _quoted(value: str) -> str:
    # Always in quotes, also where the shell would not need them: other readers of the file then have one form.
    quoted = shlex.quote(value)
    return quoted if quoted.startswith("'") else f"'{quoted}'"


def write_private(path: Path, text: str) -> None:
    """Replace a file at once; its mode is 0600 from the first byte. A reader sees the old text or the new."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    unfinished.replace(path)
