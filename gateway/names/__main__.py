"""`python -m gateway.names FOLDER`: says whether the model there may be used, and its digest.

With `--serve` it reads names for the process that started it, until that one ends: standard input is a socket to it. It has
no secrets, no network and nothing but texts to read.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from pathlib import Path

import msgspec

from gateway.names import frames, model

# Masking is not to be held up by it on a machine that is busy.
NICENESS = 5


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m gateway.names", description="Check a model for people's names.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--digest", default="", help="what its files must be")
    parser.add_argument("--serve", action="store_true", help="read for the process at the other end of standard input")
    asked = parser.parse_args()
    return _read_for_asker(asked.folder, asked.digest) if asked.serve else _tell(asked.folder, asked.digest)


def _tell(folder: Path, digest: str) -> int:
    try:
        found = model.check(folder, digest=digest)
    except model.BadModel as error:
        print(f"This model cannot be used: {error}", file=sys.stderr)
        return 1
    print(f"{found.name} {found.version}\n{found.digest}")
    return 0


def _read_for_asker(folder: Path, digest: str) -> int:
    os.nice(NICENESS)
    with socket.socket(fileno=sys.stdin.fileno()) as asker:
        try:
            found = model.check(folder, digest=digest)
            find = model.load(found)
        except model.BadModel as error:
            frames.send(asker, frames.Ready(trouble=str(error)))
            return 2
        frames.send(asker, frames.Ready(rule=found.rule))
        return _serve(asker, find)


def _serve(asker: socket.socket, find: model.Finder) -> int:
    while True:
        try:
            asked = frames.receive(asker, frames.Texts)
            spans = tuple(map(tuple, find(asked.texts)))
            frames.send(asker, frames.Found(spans=spans))
        except (frames.Closed, ConnectionError):
            return 0
        except msgspec.DecodeError:
            return 1


if __name__ == "__main__":
    sys.exit(main())
