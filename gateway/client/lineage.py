"""Whether what posts a prompt can be an agent's own main process, or may be something another agent's command started and
left behind. Pure but for two looks it is given.

An agent that is told to hide its own doing can start a program, cut it loose (double fork, `setsid`, an emptied environment)
and let it post an innocent prompt. The kernel forgets who started it, but not when, nor in which session and group: what
follows from them goes to the gateway with the prompt, and the level is decided there.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from gateway.client.processes import Identity, Process, Whereabouts

# A person rarely runs a dozen agents; the ones longest without a hook are forgotten first.
_MOST_AGENTS = 256
# How long after its last sign an agent that has ended may still have started something.
_AFTERLIFE_SECONDS = 600.0
# Where a service manager puts what a person opens: a login, a terminal's window, a desktop's program.
_OPENED_BY_A_PERSON = re.compile(r"(session-|app-|vte-spawn-|tmux-spawn-)[^/]*\.(scope|service)$")
Look = Callable[[Process], Whereabouts]
IsAlive = Callable[[Identity], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the agents known here say of a main process; all false for the first and for an ordinary other one."""

    # A known agent's main process stands above it, and no terminal between.
    is_inside_agent: bool = False
    # Another agent's command may have started it: in a terminal below that agent, or cut loose while it was at work.
    is_doubtful: bool = False
    # Another main process, still alive, has posted prompts of the same conversation.
    is_second_agent: bool = False


@dataclass(slots=True)
class _Agent:
    process: Process
    where: Whereabouts
    # Seconds since boot of its last prompt.
    seen_at: float


class Lineage:
    """The agents' main processes of one account, in bounded memory."""

    def __init__(self, *, ticks_per_second: float, look: Look, is_alive: IsAlive) -> None:
        self._ticks, self._look, self._is_alive = ticks_per_second, look, is_alive
        self._agents: OrderedDict[Identity, _Agent] = OrderedDict()

    def seen(self, main: Process, *, at: float) -> None:
        """This main process posted a prompt that was taken."""
        known = self._agents.setdefault(main.identity, _Agent(main, self._look(main), at))
        known.seen_at = max(known.seen_at, at)
        self._agents.move_to_end(main.identity)
        while len(self._agents) > _MOST_AGENTS:
            self._agents.popitem(last=False)

    def standing(self, main: Process, above: Sequence[Process], rivals: Sequence[Identity]) -> Standing:
        """What is to be said of `main`; `rivals` are the main processes that posted prompts of its conversation."""
        others = [one for identity, one in self._agents.items() if identity != main.identity]
        nearest = next((index for index, its in enumerate(above) if its.identity in self._agents), None)
        # A person's terminal in an editor hangs below the editor's agent, and so does one that an agent opens.
        has_terminal = any(its.is_interactive_shell and its.terminal for its in above[:nearest])
        return Standing(
            is_inside_agent=nearest is not None and not has_terminal,
            is_doubtful=nearest is not None or self._is_left_behind((main, *above), others),
            is_second_agent=any(one != main.identity and self._is_alive(one) for one in rivals),
        )

    def _is_left_behind(self, chain: Sequence[Process], others: Sequence[_Agent]) -> bool:
        own = self._look(chain[0])
        for its, parent in zip_longest(chain, chain[1:]):
            # An agent's command can become no other account, so what stands above one was not started by it.
            if self._look(its).account != own.account:
                return False
            if _may_be_adopted(its, parent) and any(self._may_have_started(one, its) for one in others):
                return True
        return False

    def _may_have_started(self, agent: _Agent, its: Process) -> bool:
        begun = its.started_ticks / self._ticks
        if its.started_ticks < agent.process.started_ticks:
            return False
        if begun > agent.seen_at + _AFTERLIFE_SECONDS and not self._is_alive(agent.process.identity):
            return False
        group = self._look(its).group
        return not (_OPENED_BY_A_PERSON.search(group) and agent.where.group and group != agent.where.group)


def _may_be_adopted(its: Process, parent: Process | None) -> bool:
    """Whether another than the one shown may have started it.

    A child is born into its parent's session. One in another session that it does not lead has lost its parent; one that leads
    a session without a terminal may have cut itself loose.
    """
    if its.parent == 0:  # entered from outside its container
        return False
    if parent is None:
        return True
    if its.session == its.pid:
        return its.terminal == 0
    return its.session != parent.session
