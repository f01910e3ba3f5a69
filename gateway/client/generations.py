"""Which prompt a process belongs to: the one that was open when its command began, not the newest one. Pure.

An agent's background command goes on calling while the next prompt runs. Its calls stay with the prompt that started it:
by the start of its process tree, or as first told. What a level may claim is decided by the gateway.
"""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from gateway.client.processes import Identity, Process

# A machine rarely runs ten conversations; each keeps as many prompts back as a background command may be old.
_MOST_CONVERSATIONS = 512
_MOST_GENERATIONS = 64
_MOST_TREES = 4096
# A conversation moves to a new main process when its agent is started again, and rarely has two at once.
_MOST_AGENTS = 16
# A hook's answer and the first command can fall into one clock tick.
_SLACK_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """One prompt as the gateway has it; `at` in seconds since the machine's boot.

    `agent` is the main process that posted it, None where that is not known.
    """

    generation: str
    at: float
    agent: Identity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where a process belongs. `generation` None leaves the choice to the gateway; `how` says it in words."""

    conversation: str
    generation: str | None
    how: str
    is_below_agent: bool
    is_outlived: bool = False
    # When the command that asks began, in seconds since boot; None without a command that can be told.
    began: float | None = None


@dataclass(slots=True)
class _Conversation:
    opened: list[Opened] = field(default_factory=list)
    # The main processes its hooks hung below, each with its session; the longest unused first.
    agents: OrderedDict[Identity, int] = field(default_factory=OrderedDict)

    def opened_by(self, agent: Identity | None) -> Sequence[Opened]:
        """The prompts a command below `agent` can belong to: not those of another main process."""
        return [one for one in self.opened if agent is None or one.agent in {None, agent}]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tree:
    """What was once found of a command, and stays true of it."""

    generation: str | None
    is_below_agent: bool


class Generations:
    """What the broker remembers, in bounded memory; forgets the longest unused first."""

    def __init__(self, *, ticks_per_second: float) -> None:
        self._ticks = ticks_per_second
        self._conversations: OrderedDict[str, _Conversation] = OrderedDict()
        self._trees: OrderedDict[tuple[str, Identity], _Tree] = OrderedDict()

    def opened(
        self, conversation: str, generation: str, *, at: float, agent: Process | None, is_doubtful: bool = False
    ) -> None:
        """A prompt was recorded; `agent` is the main process its hook hung below. Twice is once.

        One that is in doubt is no agent to hang below: many of them would push the conversation's own out.
        """
        held = self._conversations.setdefault(conversation, _Conversation())
        self._conversations.move_to_end(conversation)
        if agent is not None and not is_doubtful:
            held.agents[agent.identity] = agent.session
            held.agents.move_to_end(agent.identity)
            while len(held.agents) > _MOST_AGENTS:
                held.agents.popitem(last=False)
        if all(one.generation != generation for one in held.opened):
            # What waited in a spool is told late, and was open before what was told meanwhile.
            told = Opened(generation=generation, at=at, agent=agent.identity if agent is not None else None)
            insort(held.opened, told, key=lambda one: one.at)
            del held.opened[:-_MOST_GENERATIONS]
        while len(self._conversations) > _MOST_CONVERSATIONS:
            self._conversations.popitem(last=False)

    def agents_of(self, conversation: str) -> tuple[Identity, ...]:
        """The main processes that posted prompts of a conversation."""
        return tuple(self._agents(conversation))

    def knows(self, conversation: str) -> bool:
        """Whether a prompt of it was told."""
        return conversation in self._conversations

    def find(self, named: Sequence[str], chain: Sequence[Process]) -> Found:
        """Return where the process at the chain's foot belongs. `named` are the conversations of its environment."""
        conversation, how = self._conversation(named, chain)
        if not conversation:
            return Found(conversation="", generation=None, how=how, is_below_agent=False)
        held = self._conversations.get(conversation, _Conversation())
        agent = next((index for index, its in enumerate(chain) if its.identity in held.agents), None)
        anchor = _anchor(chain[1:agent] if agent is not None else _same_session(chain[1:]))
        is_below = agent is not None or (anchor is not None and _was_below(anchor, chain, held))
        opened = held.opened_by(chain[agent].identity if agent is not None else None)
        return self._found(conversation, opened, anchor, how, is_below_agent=is_below)

    def _found(
        self, conversation: str, opened: Sequence[Opened], anchor: Process | None, how: str, *, is_below_agent: bool
    ) -> Found:
        began = anchor.started_ticks / self._ticks if anchor is not None else None
        remembered = self._trees.get((conversation, anchor.identity)) if anchor is not None else None
        generation = (remembered.generation if remembered else None) or _open_at(opened, began)
        is_below_agent = is_below_agent or (remembered is not None and remembered.is_below_agent)
        if anchor is not None:
            self._remember((conversation, anchor.identity), _Tree(generation=generation, is_below_agent=is_below_agent))
        newest = opened[-1].generation if opened else generation
        return Found(
            conversation=conversation,
            generation=generation,
            how=f"{how}; {_words(generation, newest)}",
            is_below_agent=is_below_agent,
            is_outlived=generation is not None and generation != newest,
            began=began,
        )

    def _remember(self, tree: tuple[str, Identity], found: _Tree) -> None:
        self._trees[tree] = found
        self._trees.move_to_end(tree)
        while len(self._trees) > _MOST_TREES:
            self._trees.popitem(last=False)

    def _conversation(self, named: Sequence[str], chain: Sequence[Process]) -> tuple[str, str]:
        """The conversation meant, and how it was told; empty where two are as likely."""
        if len(named) == 1:
            return named[0], "the environment names the conversation"
        for its in chain[1:]:
            found = [name for name in named or self._conversations if its.identity in self._agents(name)]
            if found:
                told = "the nearest agent's of several named" if named else "the process tree leads to the agent"
                return (found[0], told) if len(found) == 1 else ("", "one agent above holds several conversations")
        return "", "the environment names several conversations" if named else "no agent is known here"

    def _agents(self, conversation: str) -> Collection[Identity]:
        held = self._conversations.get(conversation)
        return held.agents if held is not None else ()


def _words(generation: str | None, newest: str | None) -> str:
    if generation is None:
        return "which prompt started the command is not known here"
    return "its newest prompt started the command" if generation == newest else "an earlier prompt started the command"


def _open_at(opened: Sequence[Opened], began: float | None) -> str | None:
    """The prompt that was open when a command began; None where it began before all that are known."""
    if began is None:
        return opened[-1].generation if opened else None
    before = [one.generation for one in opened if one.at <= began + _SLACK_SECONDS]
    return before[-1] if before else None


def _anchor(between: Sequence[Process]) -> Process | None:
    """The command's own first process: the uppermost that is no shell waiting for commands."""
    return next((its for its in reversed(between) if not its.is_interactive_shell), None)


def _same_session(above: Sequence[Process]) -> Sequence[Process]:
    """Without the agent in sight, what shares the nearest process's session: past it come terminals and daemons."""
    return [its for its in above if its.session == above[0].session] if above else []


def _was_below(anchor: Process, chain: Sequence[Process], held: _Conversation) -> bool:
    """A command left behind when its shell ended, in an agent's session.

    A child is born into its parent's session: one that leads none and has another than its parent was adopted.
    """
    parent = next((its for its in chain[chain.index(anchor) + 1 :]), None)
    is_left_behind = parent is None or (anchor.session != anchor.pid and anchor.session != parent.session)
    return is_left_behind and anchor.session in held.agents.values()
