"""What a machine's other agents say of a main process: its own, inside one of them, or perhaps left behind by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from gateway.client import lineage
from gateway.client.lineage import Lineage, Standing
from gateway.client.processes import Identity, Process, Whereabouts
from tests.client.trees import TICKS, agent, its

PTS = 34816
TERMINAL = its(400, 1, "gnome-terminal", at=2)
SHELL = its(500, TERMINAL.pid, "-bash", at=3, terminal=PTS)
CLAUDE = its(600, SHELL.pid, "claude", at=10, session=SHELL.pid, terminal=PTS)
HONEST = Standing()
DOUBTFUL = Standing(is_doubtful=True)


def after(
    *agents: Process,
    seen_at: float = 20.0,
    ended: Sequence[Identity] = (),
    where: Mapping[int, Whereabouts] | None = None,
) -> Lineage:
    """What is known once these agents posted prompts; all run as account 1000 in one group unless `where` says else."""
    places = where or {}
    known = Lineage(
        ticks_per_second=TICKS,
        look=lambda process: places.get(process.pid, Whereabouts(account=1000, group="/user/session-1.scope")),
        is_alive=lambda identity: identity not in ended,
    )
    for one in agents:
        known.seen(one, at=seen_at)
    return known


def test_the_first_agent_of_a_machine_is_believed_wherever_it_hangs() -> None:
    adrift = its(900, 1, "cursor", at=30)
    assert after().standing(adrift, (), ()) == HONEST
    assert after(adrift).standing(adrift, (), (adrift.identity,)) == HONEST


def test_a_second_agent_in_a_terminal_of_its_own_is_believed() -> None:
    shell = its(700, TERMINAL.pid, "-bash", at=30, terminal=PTS + 1)
    other = its(701, shell.pid, "codex", at=31, session=700, terminal=PTS + 1)
    assert after(CLAUDE).standing(other, (shell, TERMINAL), ()) == HONEST


def test_what_hangs_below_an_agent_is_inside_it_whatever_its_environment_says() -> None:
    shell = its(2000, CLAUDE.pid, "bash", "-c", "env -i python forge.py", at=12)
    forge = its(2001, shell.pid, "python", "forge.py", at=12.1, session=2000)
    told = after(CLAUDE).standing(forge, (shell, CLAUDE, SHELL, TERMINAL), ())
    assert told == Standing(is_inside_agent=True, is_doubtful=True)


def test_a_terminal_below_an_agent_may_be_a_persons_or_the_agents_and_is_doubted() -> None:
    shell = its(2000, CLAUDE.pid, "/bin/bash", at=12, terminal=PTS + 1)
    other = its(2001, shell.pid, "codex", at=13, session=2000, terminal=PTS + 1)
    assert after(CLAUDE).standing(other, (shell, CLAUDE, SHELL), ()) == DOUBTFUL


ADRIFT = {
    "adopted by the first process": (its(900, 1, "python", at=30),),
    "adopted by a reaper nearer by, its session gone": (its(900, 400, "python", at=30, session=2000), TERMINAL),
    "leader of a session without a terminal": (its(900, 400, "python", at=30), TERMINAL),
    "in a terminal that such a one opened": (
        its(903, 902, "node", at=31, session=902, terminal=PTS + 1),
        its(902, 901, "bash", at=30.5, terminal=PTS + 1),
        its(901, 400, "script", at=30, session=901),
        TERMINAL,
    ),
    "below a parent nobody can see": (its(900, 899, "python", at=30, session=500),),
}


@pytest.mark.parametrize("chain", ADRIFT.values(), ids=ADRIFT)
def test_what_was_cut_loose_while_an_agent_was_at_work_is_doubted(chain: tuple[Process, ...]) -> None:
    assert after(CLAUDE).standing(chain[0], chain[1:], ()) == DOUBTFUL


@pytest.mark.parametrize("chain", ADRIFT.values(), ids=ADRIFT)
def test_what_is_older_than_every_agent_was_started_by_none(chain: tuple[Process, ...]) -> None:
    younger = its(5000, SHELL.pid, "claude", at=40, session=SHELL.pid, terminal=PTS)
    assert after(younger, seen_at=41).standing(chain[0], chain[1:], ()) == HONEST


def test_an_agent_that_ended_long_before_started_nothing() -> None:
    late = its(900, 1, "cursor", at=20 + 601)
    assert after(CLAUDE, ended=[CLAUDE.identity]).standing(late, (), ()) == HONEST
    soon = its(901, 1, "cursor", at=20 + 599)
    assert after(CLAUDE, ended=[CLAUDE.identity]).standing(soon, (), ()) == DOUBTFUL
    assert after(CLAUDE).standing(late, (), ()) == DOUBTFUL


GROUPS = {
    "/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-cursor-77.scope": HONEST,
    "/user.slice/user-1000.slice/session-9.scope": HONEST,
    "/user.slice/user-1000.slice/user@1000.service/app.slice/vte-spawn-9.scope": HONEST,
    # The agent's own, none at all, and where schedulers and `systemd-run` put what anybody asks of them.
    "/user/session-1.scope": DOUBTFUL,
    "": DOUBTFUL,
    "/": DOUBTFUL,
    "/system.slice/cron.service": DOUBTFUL,
    "/user.slice/user-1000.slice/user@1000.service/app.slice/run-r1.scope": DOUBTFUL,
}


@pytest.mark.parametrize(("group", "told"), GROUPS.items())
def test_what_a_person_opened_lies_in_a_group_of_its_own(group: str, told: Standing) -> None:
    desktop = its(900, 350, "cursor", at=30)
    manager = its(350, 1, "systemd", at=1)
    known = after(CLAUDE, where={900: Whereabouts(account=1000, group=group)})
    assert known.standing(desktop, (manager,), ()) == told


def test_what_stands_below_another_accounts_login_was_started_by_no_agent() -> None:
    """A new login: its daemon leads a session without a terminal, and runs as root."""
    daemon = its(800, 1, "sshd-session", at=30)
    shell = its(801, 800, "-bash", at=31, terminal=PTS + 1)
    other = its(802, 801, "codex", at=32, session=801, terminal=PTS + 1)
    known = after(CLAUDE, where={800: Whereabouts(account=0, group="/system.slice/ssh.service")})
    assert known.standing(other, (shell, daemon), ()) == HONEST


def test_what_was_entered_from_outside_its_container_is_nobodys_orphan() -> None:
    assert after(CLAUDE).standing(its(900, 0, "codex", at=30), (), ()) == HONEST


def test_two_living_main_processes_of_one_conversation_are_told() -> None:
    shell = its(700, TERMINAL.pid, "-bash", at=30, terminal=PTS + 1)
    resumed = its(701, shell.pid, "claude", "--resume", at=31, session=700, terminal=PTS + 1)
    rivals = [CLAUDE.identity, resumed.identity]
    assert after(CLAUDE).standing(resumed, (shell, TERMINAL), rivals) == Standing(is_second_agent=True)
    ended = after(CLAUDE, ended=[CLAUDE.identity])
    assert ended.standing(resumed, (shell, TERMINAL), rivals) == HONEST


def test_what_is_remembered_has_a_bound_and_keeps_who_came_last() -> None:
    known = after(CLAUDE)
    for number in range(lineage._MOST_AGENTS):
        known.seen(agent(10_000 + number, at=11), at=21)
    below = its(2000, CLAUDE.pid, "python", at=12, session=SHELL.pid, terminal=PTS)
    assert not known.standing(below, (CLAUDE, SHELL), ()).is_inside_agent
    newest = agent(10_000 + number, at=11)
    assert known.standing(its(2001, newest.pid, "python", at=12), (newest,), ()).is_inside_agent
