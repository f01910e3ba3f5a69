"""Which turn a conversation is in, for agents that give their turns no id: one small file a conversation.

Gemini CLI names none, Claude Code not in every version. Agents' own ids never come through here.
"""

from __future__ import annotations

import contextlib
import hashlib
import os

from gateway.client.own_files import read_own, write_own
from gateway.client.state import Place

# A conversation that was not touched since five hundred others were is over.
_MOST_KEPT = 500


def begin(place: Place, agent: str, conversation: str, *, random: bytes) -> str:
    """A new turn's name, kept for the tool uses that follow; raises StateBroken or Exposed."""
    path = _path(place, agent, conversation)
    counted = current(place, agent, conversation).partition("-")[2].partition("-")[0]
    # The number is for people; the random part keeps a lost file from naming a second turn as an earlier one.
    turn = f"turn-{int(counted or 0) + 1}-{random.hex()}"
    write_own(path, turn.encode())
    _forget_oldest(os.path.dirname(path))
    return turn


def current(place: Place, agent: str, conversation: str) -> str:
    """The turn that began last; empty where none is known."""
    try:
        found = read_own(_path(place, agent, conversation)).decode("ascii", "replace")
    except FileNotFoundError:
        return ""
    counted = found.split("-")
    return found if len(counted) == 3 and counted[0] == "turn" and counted[1].isdecimal() else ""


def _path(place: Place, agent: str, conversation: str) -> str:
    told = f"{agent}\0{conversation}".encode("utf-8", "surrogatepass")
    return f"{place.folder}/turns/{hashlib.sha256(told).hexdigest()[:32]}"


def _forget_oldest(folder: str) -> None:
    names = os.listdir(folder)
    if len(names) <= _MOST_KEPT:
        return
    paths = sorted((f"{folder}/{name}" for name in names), key=lambda path: os.lstat(path).st_mtime_ns)
    for path in paths[: len(names) - _MOST_KEPT]:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
