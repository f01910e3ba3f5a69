"""Runs many commands of the real aws CLI in one process: its start alone costs half a second each time.

`python -m tests.journeys.cli_runner` reads a JSON list of argument lists and writes what each command said and returned.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from typing import Any

from awscli.clidriver import create_clidriver  # type: ignore[import-untyped]  # it ships no types


class _Text(io.TextIOWrapper):
    """Standard output as the CLI expects it: text with bytes below, for what it streams."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def said(self) -> str:
        self.flush()
        raw = self.buffer.getvalue() if isinstance(self.buffer, io.BytesIO) else b""
        return raw.decode(errors="replace")


def run(arguments: list[str]) -> dict[str, Any]:
    """One command: its exit status, output and errors."""
    out, err = _Text(), _Text()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = create_clidriver().main(arguments)
    return {"status": status, "out": out.said(), "err": err.said()}


if __name__ == "__main__":
    json.dump([run(arguments) for arguments in json.load(sys.stdin)], sys.stdout)
