"""A process belongs to the prompt that was open when its command began, however many prompts came since."""

from __future__ import annotations

from gateway.client import generations
from gateway.client.generations import Generations
from tests.client.trees import AGENT, TICKS, agent, command, its

TALK = "conversation-1"


def remembering(*opened: tuple[str, float], conversation: str = TALK) -> Generations:
    known = Generations(ticks_per_second=TICKS)
    for generation, at in opened:
        known.opened(conversation, generation, at=at, agent=agent())
    return known


def test_a_command_belongs_to_the_prompt_open_when_it_began() -> None:
    known = remembering(("first", 10), ("second", 20))
    assert known.find([TALK], command(at=12, below=agent())).generation == "first"
    assert known.find([TALK], command(at=21, below=agent(), first_pid=3000)).generation == "second"


def test_a_background_command_keeps_its_prompt_while_the_next_one_runs() -> None:
    known = remembering(("first", 10))
    started = command(at=12, below=agent())
    assert not known.find([TALK], started).is_outlived
    known.opened(TALK, "second", at=20, agent=agent())
    found = known.find([TALK], started)
    assert (found.generation, found.is_outlived) == ("first", True)
    assert "an earlier prompt" in found.how


def test_a_child_that_starts_late_stays_with_the_command_that_started_it() -> None:
    known = remembering(("first", 10), ("second", 20))
    _, sdk, shell, above = command(at=12, below=agent())
    worker = its(2500, sdk.pid, "python", "worker.py", at=25, session=shell.pid)
    late = its(2501, worker.pid, "hoopweb", "credentials", at=25.1, session=shell.pid)
    assert known.find([TALK], (late, worker, sdk, shell, above)).generation == "first"


def test_a_shell_the_agent_keeps_open_binds_nothing_to_its_own_start() -> None:
    known = remembering(("first", 10), ("second", 20))
    kept = its(2000, agent().pid, "/bin/bash", "-i", at=12)
    sdk = its(2001, kept.pid, "python", "job.py", at=22, session=kept.pid)
    helper = its(2002, sdk.pid, "hoopweb", "credentials", at=22.1, session=kept.pid)
    assert known.find([TALK], (helper, sdk, kept, agent())).generation == "second"


def test_a_command_whose_shell_has_gone_is_told_by_its_own_start() -> None:
    known = remembering(("first", 10), ("second", 20))
    orphan = its(2001, 1, "python", "serve.py", at=12, session=2000)
    helper = its(2002, orphan.pid, "hoopweb", "credentials", at=25, session=2000)
    found = known.find([TALK], (helper, orphan))
    assert (found.generation, found.is_below_agent, found.is_outlived) == ("first", False, True)


def test_a_command_left_behind_in_the_agents_session_is_still_the_agents() -> None:
    """`serve &` in a shell that ends: its parent is the machine's first process, its session the agent's."""
    orphan = its(2001, 1, "python", "serve.py", at=12, session=AGENT)
    helper = its(2002, orphan.pid, "hoopweb", "credentials", at=25, session=AGENT)
    found = remembering(("first", 10)).find([TALK], (helper, orphan))
    assert (found.generation, found.is_below_agent) == ("first", True)


def test_a_command_once_seen_below_the_agent_stays_so_when_its_shell_ends() -> None:
    known = remembering(("first", 10))
    helper, *_ = command(at=12, below=agent())
    shellless = its(2001, agent().pid, "python", "job.py", at=12.1, session=2000)
    assert known.find([TALK], (helper, shellless, agent())).is_below_agent
    left = its(2001, 1, "python", "job.py", at=12.1, session=2000)
    assert known.find([TALK], (helper, left)).is_below_agent


def test_a_command_older_than_everything_known_is_left_to_the_gateway() -> None:
    found = remembering(("first", 10)).find([TALK], command(at=5, below=agent()))
    assert (found.conversation, found.generation) == (TALK, None)
    assert found.began == 5


def test_a_conversation_never_heard_of_is_named_and_nothing_more() -> None:
    found = remembering(("first", 10)).find(["another"], command(at=12, below=agent()))
    assert (found.conversation, found.generation, found.is_below_agent) == ("another", None, False)


def test_conversations_side_by_side_do_not_mix() -> None:
    known = remembering(("left-1", 10), conversation="left")
    known.opened("right", "right-1", at=11, agent=agent())
    known.opened("left", "left-2", at=12, agent=agent())
    now = command(at=13, below=agent())
    assert known.find(["left"], now).generation == "left-2"
    assert known.find(["right"], now).generation == "right-1"


def test_without_a_variable_the_tree_leads_to_the_agents_one_conversation() -> None:
    found = remembering(("first", 10)).find([], command(at=12, below=agent()))
    assert (found.conversation, found.generation) == (TALK, "first")
    assert found.how.startswith("the process tree leads to the agent")


def test_an_agent_with_several_conversations_is_not_guessed_from() -> None:
    known = remembering(("first", 10))
    known.opened("other", "first", at=11, agent=agent())
    found = known.find([], command(at=12, below=agent()))
    assert (found.conversation, found.how) == ("", "one agent above holds several conversations")


def test_a_persons_own_terminal_belongs_to_nobodys_prompt() -> None:
    terminal = its(500, 1, "gnome-terminal", at=2)
    shell = its(501, 500, "-bash", at=3)
    sdk = its(502, 501, "aws", at=30, session=501)
    helper = its(503, 502, "hoopweb", "credentials", at=30.1, session=501)
    found = remembering(("first", 10)).find([], (helper, sdk, shell, terminal))
    assert (found.conversation, found.how) == ("", "no agent is known here")


def test_a_variable_exported_by_hand_is_told_from_one_below_the_agent() -> None:
    shell = its(501, 500, "-bash", at=3)
    sdk = its(502, 501, "aws", at=30, session=501)
    helper = its(503, 502, "hoopweb", "credentials", at=30.1, session=501)
    known = remembering(("first", 10))
    assert not known.find([TALK], (helper, sdk, shell)).is_below_agent
    assert known.find([TALK], command(at=12, below=agent())).is_below_agent


def test_of_two_nested_agents_the_nearer_one_is_meant() -> None:
    outer, inner = agent(), its(1500, 2000, "claude", at=15, session=2000)
    known = remembering(("outer-1", 10), conversation="outer")
    known.opened("inner", "inner-1", at=16, agent=inner)
    shell = its(2000, outer.pid, "bash", "-c", "claude -p task", at=14)
    found = known.find(["outer", "inner"], (*command(at=17, below=inner, first_pid=3000), shell, outer))
    assert (found.conversation, found.generation) == ("inner", "inner-1")


def test_two_agents_variables_with_neither_above_name_nobody() -> None:
    found = remembering(("first", 10)).find([TALK, "other"], command(at=12, below=its(7, 1, "cron", at=1)))
    assert (found.conversation, found.how) == ("", "the environment names several conversations")


def test_a_process_number_that_came_back_is_another_process() -> None:
    known = remembering(("first", 10), ("second", 20))
    assert known.find([TALK], command(at=12, below=agent())).generation == "first"
    assert known.find([TALK], command(at=30, below=agent())).generation == "second"


def test_the_same_prompt_told_twice_opens_once() -> None:
    known = remembering(("first", 10), ("first", 15))
    assert known.find([TALK], command(at=12, below=agent())).generation == "first"


def test_main_processes_in_doubt_do_not_push_the_agent_out_of_its_conversation() -> None:
    known = remembering(("first", 10))
    for number in range(generations._MOST_AGENTS + 1):
        known.opened(TALK, f"forged-{number}", at=20, agent=agent(5000 + number), is_doubtful=True)
    assert known.agents_of(TALK) == (agent().identity,)
    found = known.find([TALK], command(at=21, below=agent()))
    assert (found.generation, found.is_below_agent, found.is_outlived) == ("first", True, False)


def test_what_is_remembered_has_a_bound() -> None:
    known = remembering(("first", 10))
    for number in range(generations._MOST_CONVERSATIONS):
        known.opened(f"other-{number}", "one", at=11, agent=None)
    assert known.find([TALK], command(at=12, below=agent())).generation is None
    for number in range(generations._MOST_TREES + 10):
        known.find(["other-500"], command(at=12 + number, below=agent(), first_pid=4000))
    assert len(known._trees) == generations._MOST_TREES
