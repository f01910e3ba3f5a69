"""What a chain of processes tells about a hook: whose main process it hangs below, and whether an agent's shell is
between. Pure but for one look at environments (`processes.is_in_agent_shell`).

The facts go to the gateway with each prompt; what follows from them is decided there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.client.processes import SHELLS, Process, is_in_agent_shell


def main_process(chain: Sequence[Process]) -> Process | None:
    """The process that started the hook: the nearest above that is no shell running one command.

    None where that is a shell that waits for commands: then a person or a script typed the hook's own command.
    """
    above = next((its for its in chain[1:] if not _is_launcher(its)), None)
    return None if above is None or above.is_interactive_shell else above


def _is_launcher(its: Process) -> bool:
    return its.name in SHELLS and not its.is_interactive_shell


def facts(chain: Sequence[Process]) -> dict[str, Any]:
    """What the gateway is told about where a hook hangs."""
    agent = main_process(chain)
    return {
        "agent_pid": agent.pid if agent is not None else None,
        "agent_started": agent.started_ticks if agent is not None else None,
        "parent_executable": (agent.executable or agent.name) if agent is not None else "",
        "is_inside_agent_shell": is_in_agent_shell(tuple(its.pid for its in chain)),
    }
