"""Which tool uses of a conversation began and have not ended: what a person interrupts, agents tell no end of.

A turn's end ends them, so that no generation stays open for a command that is gone. One small file a tool use.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from gateway.client.own_files import read_own, write_own
from gateway.client.state import Place

# An agent runs a few tools at once; more are left to the gateway, which closes what is silent for an hour.
_MOST_OPEN = 200
_LARGEST = 4 * 1024 * 1024


def note(place: Place, body: Mapping[str, Any]) -> None:
    """A tool use began (kept) or ended (forgotten); raises StateBroken or Exposed."""
    folder = _folder(place, str(body["conversation"]))
    path = f"{folder}/{_short(str(body['tool_use_id']))}.json"
    if body["phase"] == "before":
        if not os.path.isdir(folder) or len(os.listdir(folder)) < _MOST_OPEN:
            write_own(path, json.dumps(body).encode())
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def take(place: Place, conversation: str, *, generation: str | None) -> list[dict[str, Any]]:
    """The uses that are still open, forgotten here from now on: of one generation's own, or of all the conversation.

    A sub-agent's outlive the turn that began them.
    """
    folder = _folder(place, conversation)
    found: list[dict[str, Any]] = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        with contextlib.suppress(FileNotFoundError, ValueError):
            body = json.loads(read_own(f"{folder}/{name}", largest=_LARGEST))
            if generation is None or ((body["generation"] or "") == generation and "subagent" not in body):
                os.unlink(f"{folder}/{name}")
                found.append(body)
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    return found


def _folder(place: Place, conversation: str) -> str:
    return f"{place.folder}/open/{_short(conversation)}"


def _short(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
