"""The local broker: who may ask it, when it begins and ends, what it signs, what it keeps to itself."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.client import answering, api, link
from gateway.client.answering import Answering
from gateway.client.broker import Broker
from gateway.client.errors import BrokerFailed, ClientError, Refused
from hoopweb.stack.plan import CHECKOUT
from tests.client.world import Machine

CREDENTIALS = "/api/v1/agent-credentials/"
PROMPT = {"conversation": "talk", "generation": "first", "text": "list the invoices"}


def ask(machine: Machine, **fields: str) -> str:
    return link.ask(machine.place().home, "default", fields)


def keys(machine: Machine, *named: str) -> str:
    return ask(machine, op="credentials", connection="billing", named="\n".join(f"cursor:{name}" for name in named))


def _listening(machine: Machine) -> int:
    """The process of the broker, by its command line."""
    home = f"HOOPWEB_HOME={machine.place().home}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            is_broker = b"\0broker\0" in (entry / "cmdline").read_bytes()
            if is_broker and home in (entry / "environ").read_bytes().split(b"\0"):
                return int(entry.name)
        except OSError:
            continue
    raise AssertionError("no broker runs")


@contextmanager
def serving(
    machine: Machine, *, idle_seconds: float = 30.0, served_uid: int | None = None
) -> Iterator[threading.Thread]:
    """A broker in this very process, on the profile's own socket."""
    place = machine.place()
    Path(place.socket).parent.mkdir(mode=0o700, exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(place.socket)
        listener.listen()
        answers = Answering(place, api.open_gateway(place), monotonic=time.monotonic)
        uid = os.getuid() if served_uid is None else served_uid
        running = Broker(place, listener, answers, served_uid=uid, idle_seconds=idle_seconds)
        thread = threading.Thread(target=running.run)
        thread.start()
        try:
            yield thread
        finally:
            machine.end()
            running.end()
            thread.join(timeout=10)
        assert not thread.is_alive()


def test_socket_and_folder_are_the_owners_alone(laptop: Machine) -> None:
    keys(laptop)
    path = Path(laptop.place().socket)
    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.lstat().st_mode) == 0o700


def test_it_holds_nothing_of_whoever_started_it(laptop: Machine) -> None:
    """Agents wait until nobody holds their shell's output, and end what is in their shell's session."""
    ran = laptop.run("credentials", "--connection", "billing", CURSOR_CONVERSATION_ID="talk", AWS_SECRET="x")
    assert ran.returncode == 0
    proc = Path(f"/proc/{_listening(laptop)}")
    variables = {entry.partition(b"=")[0] for entry in (proc / "environ").read_bytes().split(b"\0")}
    assert variables <= {b"", b"HOME", b"PATH", b"LANG", b"LC_ALL", b"TZ", b"HOOPWEB_HOME"}
    assert {str((proc / "fd" / str(number)).readlink()) for number in range(3)} == {os.devnull}
    assert str((proc / "cwd").readlink()) == "/"
    assert os.getsid(int(proc.name)) == int(proc.name)


def test_a_question_from_another_account_is_refused(laptop: Machine) -> None:
    with serving(laptop, served_uid=os.getuid() + 1), pytest.raises(ClientError, match="serves another account"):
        keys(laptop)
    assert laptop.gateway.of(CREDENTIALS) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another account")
def test_a_broker_of_another_account_is_not_believed(laptop: Machine) -> None:
    path = laptop.place().socket
    Path(path).parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        # The kernel tells a caller who it was that began to listen.
        os.seteuid(65534)
        try:
            listener.listen()
        finally:
            os.seteuid(0)
        with pytest.raises(BrokerFailed, match="belongs to another account"):
            keys(laptop)
    assert laptop.gateway.seen == []


def test_what_a_killed_broker_left_is_cleared_away(laptop: Machine) -> None:
    first = keys(laptop)
    os.kill(_listening(laptop), signal.SIGKILL)
    assert keys(laptop) != first


def test_an_idle_broker_ends_and_takes_its_socket_with_it(laptop: Machine) -> None:
    with serving(laptop, idle_seconds=0.2) as thread:
        keys(laptop)
        thread.join(timeout=5)
        assert not thread.is_alive()
        assert not os.path.lexists(laptop.place().socket)
    assert json.loads(keys(laptop))["Version"] == 1


def test_a_new_enrolment_ends_the_broker_of_the_old_one(laptop: Machine) -> None:
    first = json.loads(keys(laptop))
    laptop.enrol()
    assert json.loads(keys(laptop))["AccessKeyId"] != first["AccessKeyId"]


def test_another_version_of_the_client_gets_a_broker_of_its_own(
    laptop: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys(laptop)
    before = _listening(laptop)
    monkeypatch.setattr(link, "PROTOCOL", "0")
    with pytest.raises(BrokerFailed, match="keeps changing its version"):
        keys(laptop)
    monkeypatch.undo()
    keys(laptop)
    assert _listening(laptop) != before


def test_a_question_it_does_not_know_or_sign_is_refused(laptop: Machine) -> None:
    with pytest.raises(ClientError, match="does not know this question"):
        ask(laptop, op="key")
    for method, path in (("POST", "/api/v1/keys/"), ("GET", "/api/v1/prompts/"), ("POST", CREDENTIALS)):
        with pytest.raises(ClientError, match="does not sign this"):
            ask(laptop, op="call", method=method, path=path, body="{}")
    assert laptop.gateway.seen == []


@pytest.mark.parametrize(
    "sent",
    [b"", b"\0", b"\xff\xff\xff\xff", b"\0\0\0\x04op", b"\0\0\0\x03\xff\0\xff", b"GET / HTTP/1.1\r\n\r\n"],
    ids=["nothing", "cut head", "four gigabytes", "cut body", "no text", "http"],
)
def test_bytes_of_no_sense_harm_nobody(laptop: Machine, sent: bytes) -> None:
    keys(laptop)
    connection = link.try_connect(laptop.place().socket)
    assert connection is not None
    with connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        # What it did not read to the end is answered by a reset.
        with contextlib.suppress(ConnectionResetError):
            assert b"HWIA" not in connection.recv(65536)
    assert json.loads(keys(laptop))["Version"] == 1


def test_callers_who_say_nothing_keep_nobody_waiting(laptop: Machine) -> None:
    keys(laptop)
    silent = [link.try_connect(laptop.place().socket) for _ in range(20)]
    began = time.monotonic()
    keys(laptop)
    assert time.monotonic() - began < 1.0
    for connection in silent:
        assert connection is not None
        connection.close()


def test_a_prompt_is_signed_and_told_with_who_really_asks(laptop: Machine) -> None:
    told = api.call(laptop.place(), "POST", "/api/v1/prompts/", {**PROMPT, "process": {"agent_pid": 1}})
    assert told == {"id": "11111111-0000-4000-8000-000000000000"}
    (seen,) = laptop.gateway.of("/api/v1/prompts/")
    assert seen["text"] == PROMPT["text"]
    # The caller is this test; what hangs above it is the kernel's word, whatever was claimed.
    assert seen["process"]["agent_pid"] in {os.getppid(), None, *_ancestors()}
    assert seen["process"]["agent_pid"] != 1


def _ancestors() -> set[int]:
    from gateway.client.processes import chain

    return {its.pid for its in chain(os.getpid())}


def test_a_refused_prompt_is_told_with_its_status_and_code(laptop: Machine) -> None:
    laptop.gateway.replies["POST", "/api/v1/prompts/"] = lambda _: (409, {"code": "prompt.forged", "title": "No"})
    with pytest.raises(Refused) as caught:
        api.call(laptop.place(), "POST", "/api/v1/prompts/", PROMPT)
    assert (caught.value.http_status, caught.value.code, str(caught.value)) == (409, "prompt.forged", "No.")


# What an agent's hook does: it hangs below the agent's main process, here this test.
HOOK = """
import json, sys
from gateway.client import api
from gateway.client.state import Place
api.call(Place(home=sys.argv[1], profile="default"), "POST", "/api/v1/prompts/", json.loads(sys.argv[2]))
"""
# A job that needs keys twice, as a program with an SDK does.
JOB = """
import subprocess, sys
for _ in range(2):
    subprocess.run([sys.executable, "-m", "gateway.client", "credentials", "--connection", "b"], check=True)
    sys.stdin.readline()
"""


def submit(machine: Machine, generation: str) -> None:
    fields = json.dumps({**PROMPT, "generation": generation})
    subprocess.run([sys.executable, "-c", HOOK, machine.place().home, fields], cwd=CHECKOUT, check=True)
    # More than a clock tick; between a prompt and its first command a model thinks.
    time.sleep(0.1)


def test_a_process_that_outlives_its_prompt_stays_with_it(laptop: Machine) -> None:
    """A job begun under the first prompt asks again under the second: its keys remain the first one's."""
    submit(laptop, "first")
    job = subprocess.Popen(
        [sys.executable, "-c", JOB],
        cwd=CHECKOUT,
        env=laptop.environment(CURSOR_CONVERSATION_ID="talk"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert job.stdout is not None
    first = job.stdout.readline()
    submit(laptop, "second")
    rest, _ = job.communicate("\n\n", timeout=20)
    now = laptop.run("credentials", "--connection", "b", CURSOR_CONVERSATION_ID="talk").stdout
    assert rest == first != now
    asked = [(one["conversation"], one["generation"]) for one in laptop.gateway.of(CREDENTIALS)]
    assert asked == [("talk", "first"), ("talk", "second")]


def test_a_call_that_comes_before_its_conversations_hook_waits_for_it(laptop: Machine) -> None:
    """A sub-agent's first command can be faster than the event that tells of the sub-agent."""
    submit(laptop, "first")
    early = subprocess.Popen(
        [sys.executable, "-m", "gateway.client", "credentials", "--connection", "b"],
        cwd=CHECKOUT,
        env=laptop.environment(CURSOR_CONVERSATION_ID="child"),
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(0.5)
    fields = json.dumps({**PROMPT, "conversation": "child", "generation": "task"})
    subprocess.run([sys.executable, "-c", HOOK, laptop.place().home, fields], cwd=CHECKOUT, check=True)
    out, _ = early.communicate(timeout=20)
    assert json.loads(out)["Version"] == 1
    assert [one.path for one in laptop.gateway.seen] == ["/api/v1/prompts/"] * 2 + [CREDENTIALS]
    (asked,) = laptop.gateway.of(CREDENTIALS)
    assert (asked["conversation"], asked["process"]["is_below_agent"]) == ("child", True)


def test_a_conversation_no_hook_tells_of_is_waited_for_once(laptop: Machine) -> None:
    began = time.monotonic()
    keys(laptop, "unheard")
    first = time.monotonic() - began
    for _ in range(3):
        keys(laptop, "unheard")
    rest = time.monotonic() - began - first
    assert first > answering._HOOK_SECONDS > rest / 3
    assert len(laptop.gateway.of(CREDENTIALS)) == 4


def test_without_a_variable_keys_still_follow_the_agent_above(laptop: Machine) -> None:
    submit(laptop, "first")
    assert laptop.run("credentials", "--connection", "b").returncode == 0
    (asked,) = laptop.gateway.of(CREDENTIALS)
    assert (asked["conversation"], asked["generation"]) == ("talk", "first")


def test_a_variable_set_by_hand_gets_no_key_of_the_agents(laptop: Machine) -> None:
    """The same conversation and prompt, asked for from elsewhere: another key, and the gateway is told why."""
    environment = laptop.environment(CURSOR_CONVERSATION_ID="talk")
    fields = json.dumps({**PROMPT, "generation": "first"})
    agent = subprocess.Popen(
        [sys.executable, "-c", AGENT, HOOK, laptop.place().home, fields],
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert agent.stdout is not None
    below = agent.stdout.readline()
    elsewhere = subprocess.Popen(
        [sys.executable, "-c", DETACHED, sys.executable],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    out, _ = elsewhere.communicate(timeout=20)
    agent.communicate("\n", timeout=20)
    assert json.loads(out)["AccessKeyId"] != json.loads(below)["AccessKeyId"]
    told = [one["process"]["is_below_agent"] for one in laptop.gateway.of(CREDENTIALS)]
    assert told == [True, False]


# The agent's main process: its hook records the prompt, its command asks for keys, and it lives on.
AGENT = """
import subprocess, sys, time
subprocess.run([sys.executable, "-c", *sys.argv[1:]], check=True)
time.sleep(0.1)
ran = subprocess.run([sys.executable, "-m", "gateway.client", "credentials", "--connection", "b"], check=True,
                     capture_output=True, text=True)
print("".join(ran.stdout.split()), flush=True)
sys.stdin.readline()
"""
# Asks from a session of its own, after its parent is gone: nothing leads to the agent any more. Who adopts it is the
# machine's affair: process 1, or a reaper nearer by.
DETACHED = """
import os, subprocess, sys, time
parent = os.getpid()
if os.fork():
    os._exit(0)
os.setsid()
while os.getppid() == parent:
    time.sleep(0.01)
subprocess.run([sys.argv[1], "-m", "gateway.client", "credentials", "--connection", "b"], check=True)
"""


def test_a_refusal_said_before_the_question_is_still_heard() -> None:
    """A broker that serves another account answers at once and closes: the question finds nobody."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours:
        link.write_frame(its, [link.FAILED, "This broker serves another account."])
        its.close()
        with pytest.raises(ClientError, match="serves another account"):
            link.ask_over(ours, {"op": "credentials"})
