"""The steps of the story. Each does one thing as an agent would, and checks what came back and what AWS saw."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from hoopweb.stack import seed
from hoopweb.story.world import Keys, NotAsTold, World

PROMPT = (
    "Clean up our sandbox account: check what the billing service stores, note what you find in "
    f"s3://{seed.SCRATCH}/notes.md, and shut down workers nobody uses."
)
DEVELOPER, AUDITOR, APPROVER = "HOOPWEB_DEVELOPER_API_KEY", "HOOPWEB_API_KEY", "HOOPWEB_APPROVER_API_KEY"
APPROVAL_SECONDS = 60
# Made by `bootstrap_demo`; other agents and connections may have joined them.
AGENT, CONNECTION = "demo-agent", "sandbox"


@dataclass(slots=True)
class Told:
    """What the story has learnt so far."""

    world: World
    conversation: str
    prompt_id: str = ""
    keys: Keys | None = None
    terminated: str = ""

    def client(self, service: str) -> Any:
        return self.world.client(service, self.held_keys)

    def aws(self, *arguments: str, config_file: Path | None = None) -> Any:
        return self.world.aws(*arguments, keys=self.held_keys, config_file=config_file)

    @property
    def held_keys(self) -> Keys:
        if self.keys is None:
            raise NotAsTold("No keys were issued")
        return self.keys


def new_story(world: World) -> Told:
    """A story of its own conversation, so that it can be told again and again."""
    return Told(world=world, conversation=f"demo-{uuid4().hex[:12]}")


def expect(condition: object, seen: object) -> None:
    """Raise NotAsTold with what was seen unless the condition holds."""
    if not condition:
        raise NotAsTold(f"Seen instead: {seen}")


@contextmanager
def refused(code: str) -> Iterator[dict[str, str]]:
    """Expect boto3 to raise exactly this error code; the message is given back."""
    found: dict[str, str] = {}
    try:
        yield found
    except ClientError as error:
        expect(error.response["Error"]["Code"] == code, error)
        found["message"] = error.response["Error"]["Message"]
        return
    raise NotAsTold("The call went through")


def prompt_is_recorded(told: Told) -> str:
    agent = _named(told.world.rest("GET", "agents/", key=DEVELOPER)["items"], AGENT)
    body = {
        "text": PROMPT,
        "conversation": told.conversation,
        "generation": "turn-1",
        "agent": agent["id"],
        "source": "person",
    }
    told.prompt_id = told.world.rest("POST", "prompts/", key=DEVELOPER, body=body)["id"]
    connection = _named(told.world.rest("GET", "connections/", key=DEVELOPER)["items"], CONNECTION)
    issued = told.world.rest(
        "POST",
        "keys/",
        key=DEVELOPER,
        body={
            "connection": connection["id"],
            "agent": agent["id"],
            "conversation": told.conversation,
            "generation": "turn-1",
        },
    )
    told.keys = Keys(
        access_key_id=issued["AccessKeyId"], secret=issued["SecretAccessKey"], token=issued["SessionToken"]
    )
    return f"{agent['name']} holds keys of {connection['name']} that are worth nothing at AWS"


def _named(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    found = next((item for item in items if item["name"] == name), None)
    if found is None:
        raise NotAsTold(f"There is no {name} among {[item['name'] for item in items]}")
    return found


def buckets_are_listed(told: Told) -> str:
    ran = told.aws("s3", "ls")
    expect(ran.returncode == 0 and seed.REPORTS in ran.stdout, ran.stdout + ran.stderr)
    return f"aws s3 ls: {len(ran.stdout.splitlines())} buckets"


def object_goes_and_comes(told: Told) -> str:
    s3 = told.client("s3")
    text = b"# Findings\n\nTwo workers idle since May.\n"
    s3.put_object(Bucket=seed.SCRATCH, Key="notes.md", Body=text, ContentType="text/markdown")
    read = s3.get_object(Bucket=seed.SCRATCH, Key="notes.md")["Body"].read()
    stored = told.world.truth("s3").get_object(Bucket=seed.SCRATCH, Key="notes.md")["Body"].read()
    expect(read == stored == text, (read, stored))
    return f"put and get of {len(text)} bytes, unchanged at both ends"


def config_is_masked(told: Told) -> str:
    read: str = told.client("s3").get_object(Bucket=seed.REPORTS, Key="config/billing.env")["Body"].read().decode()
    leaked = [s for s in (seed.DATABASE_PASSWORD, seed.SECRET_ACCESS_KEY) if s in read]
    expect(not leaked and "REDACTED" in read and "billing.internal" in read, read)
    return f"the agent saw: {read.splitlines()[1]}"


def secret_is_masked(told: Told) -> str:
    ran = told.aws("secretsmanager", "get-secret-value", "--secret-id", seed.SECRET, "--output", "json")
    expect(ran.returncode == 0, ran.stderr)
    value = json.loads(ran.stdout)["SecretString"]
    expect(seed.DATABASE_PASSWORD not in ran.stdout and "REDACTED" in value, ran.stdout)
    truth = told.world.truth("secretsmanager").get_secret_value(SecretId=seed.SECRET)["SecretString"]
    expect(seed.DATABASE_PASSWORD in truth, "the stand-in lost its secret")
    return f"the agent saw: {value}"


def tables_are_read(told: Told) -> str:
    dynamodb = told.client("dynamodb")
    item = dynamodb.get_item(TableName=seed.TABLE, Key={"id": {"S": "c-1"}})["Item"]
    count = dynamodb.scan(TableName=seed.TABLE)["Count"]
    expect(item["name"]["S"] == "Ada Byron" and count >= len(seed.CUSTOMERS), (item, count))
    return f"get_item and scan: {count} customers"


def function_is_invoked(told: Told) -> str:
    answer = told.client("lambda").invoke(FunctionName=seed.FUNCTION, Payload=json.dumps({"customer": "c-1"}))
    payload = answer["Payload"].read().decode()
    expect(seed.API_TOKEN not in payload and "REDACTED" in payload and "EUR 42.00" in payload, payload)
    return f"the agent saw: {payload}"


def minting_is_refused(told: Told) -> str:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config"
        config.write_text(f"[profile admin]\nrole_arn = {seed.ROLE_ARN}\ncredential_source = Environment\n")
        mark = told.world.log_mark()
        ran = told.aws("s3", "ls", "--profile", "admin", config_file=config)
    expect(ran.returncode != 0 and "AccessDenied" in ran.stderr and "hoopweb" in ran.stderr, ran.stdout + ran.stderr)
    # hoopweb assumes roles itself, for its own sessions: what must not be there is the agent's own attempt.
    expect(not _reached(told, mark, action="AssumeRole", agent="aws-cli"), "AssumeRole reached AWS")
    return "refused with advice: " + _last_line(ran.stderr)


def bucket_stays(told: Told) -> str:
    mark = told.world.log_mark()
    ran = told.aws("s3", "rb", f"s3://{seed.REPORTS}")
    expect(ran.returncode != 0 and "AccessDenied" in ran.stderr, ran.stdout + ran.stderr)
    names = [bucket["Name"] for bucket in told.world.truth("s3").list_buckets()["Buckets"]]
    expect(seed.REPORTS in names, names)
    reached = [line for line in told.world.upstream_lines(since=mark) if line["method"] == "DELETE"]
    expect(not reached, reached)
    return "refused, and it never reached AWS: " + _last_line(ran.stderr)


def termination_waits_for_bob(told: Told) -> str:
    worker = told.client("ec2").describe_instances(
        Filters=[{"Name": "instance-state-name", "Values": ["running"]}, {"Name": "tag:Name", "Values": ["billing-*"]}]
    )["Reservations"][0]["Instances"][0]["InstanceId"]
    mark, started = told.world.log_mark(), time.monotonic()
    approver = _Approver(told, instance=worker)
    approver.start()
    ran = told.aws("ec2", "terminate-instances", "--instance-ids", worker, "--output", "json")
    approver.join(APPROVAL_SECONDS)
    expect(ran.returncode == 0, ran.stderr + str(approver.failure or ""))
    expect(approver.failure is None and approver.approval, approver.failure)
    state = json.loads(ran.stdout)["TerminatingInstances"][0]["InstanceId"]
    truth = told.world.truth("ec2").describe_instances(InstanceIds=[worker])["Reservations"][0]["Instances"][0]
    expect(state == worker and truth["State"]["Name"] in {"terminated", "shutting-down"}, truth["State"])
    reached = _reached(told, mark, action="TerminateInstances", agent="")
    expect(len(reached) == 1, f"{len(reached)} TerminateInstances reached AWS")
    told.terminated = worker
    return f"held {time.monotonic() - started:.1f} s, approved by bob, run once by the worker: {worker} is gone"


class _Approver(threading.Thread):
    """Bob, at his own desk: finds the question in his inbox and says yes over the REST API."""

    def __init__(self, told: Told, *, instance: str) -> None:
        super().__init__(daemon=True)
        self._told, self._instance = told, instance
        self.approval: dict[str, Any] | None = None
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            self.approval = self._find()
            path = f"approvals/{self.approval['id']}/votes/"
            body = {"answer": "approve", "reason": "Idle since May; finance agrees."}
            self._told.world.rest("POST", path, key=APPROVER, body=body)
        except (NotAsTold, OSError) as failure:
            self.failure = failure

    def _find(self) -> dict[str, Any]:
        until = time.monotonic() + APPROVAL_SECONDS
        while time.monotonic() < until:
            pending = self._told.world.rest("GET", "approvals/?state=pending", key=APPROVER)["items"]
            for approval in pending:
                if self._instance in json.dumps(approval):
                    return dict(approval)
            time.sleep(0.3)
        raise NotAsTold("Nothing came into bob's inbox")


def tampering_is_refused(told: Told) -> str:
    dynamodb = told.client("dynamodb")

    def change(request: Any, **_: object) -> None:
        request.body = request.body.replace(b"c-1", b"c-2")

    dynamodb.meta.events.register("before-send.dynamodb.GetItem", change)
    mark = told.world.log_mark()
    with refused("InvalidSignatureException") as found:
        dynamodb.get_item(TableName=seed.TABLE, Key={"id": {"S": "c-1"}})
    expect(not _reached(told, mark, action="GetItem", agent=""), "a tampered call reached AWS")
    return "refused: " + found["message"].split(" (request")[0]


def auditor_sees_it_all(told: Told) -> str:
    sessions = told.world.rest("GET", "sessions/", key=AUDITOR)["items"]
    session = next((one for one in sessions if one["conversation"] == told.conversation), None)
    expect(session is not None, sessions[:1])
    assert session is not None  # noqa: S101  # expect raised otherwise
    timeline = told.world.rest("GET", f"sessions/{session['id']}/timeline/?limit=100", key=AUDITOR)
    text = json.dumps(timeline)
    calls = [call["request"] for turn in timeline["turns"] for call in turn["calls"]]
    expect(PROMPT in text, "the prompt is not beside its calls")
    for secret in (seed.DATABASE_PASSWORD, seed.API_TOKEN, seed.SECRET_ACCESS_KEY):
        expect(secret not in text, "a secret lies in the record")
    wanted = {"ListBuckets", "PutObject", "GetSecretValue", "Invoke", "AssumeRole", "DeleteBucket"}
    expect(wanted <= {call["operation"] for call in calls}, sorted({call["operation"] for call in calls}))
    page = f"{told.world.url}/sessions/{session['id']}/"
    return f"{len(calls)} calls beside their prompt: {page}\n{_table(calls)}\n   "


def _table(calls: list[dict[str, Any]]) -> str:
    lines = []
    for call in calls:
        masked = sum((call.get("masked") or {}).get("by_type", {}).values())
        note = f", {masked} masked" if masked else ""
        name = f"{call['service']}:{call['operation']}"
        lines.append(f"      {name:<36} {call['effect']:<6} {call['state']}{note}  [{', '.join(call['rule_ids'])}]")
    return "\n".join(lines)


def _reached(told: Told, mark: int, *, action: str, agent: str) -> list[dict[str, Any]]:
    """Requests of this action that reached the stand-in since the mark, by clients whose User-Agent has `agent`."""
    lines = told.world.upstream_lines(since=mark)
    return [line for line in lines if action in json.dumps(line) and agent in str(line.get("user_agent", ""))]


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.strip().splitlines()) if line.strip()), "").strip()


STEPS: tuple[tuple[str, Callable[[Told], str]], ...] = (
    ("A prompt is recorded, and the agent gets keys bound to it", prompt_is_recorded),
    ("The agent lists buckets with the aws CLI", buckets_are_listed),
    ("It stores a note and reads it back with boto3", object_goes_and_comes),
    ("It reads a configuration file with secrets in it", config_is_masked),
    ("It asks Secrets Manager for the database password", secret_is_masked),
    ("It reads DynamoDB", tables_are_read),
    ("It invokes a Lambda function", function_is_invoked),
    ("It tries to assume a role of its own", minting_is_refused),
    ("It tries to remove a bucket", bucket_stays),
    ("It wants to terminate an instance: a second person must agree", termination_waits_for_bob),
    ("Somebody changes a signed request on its way", tampering_is_refused),
    ("The auditor looks at the session", auditor_sees_it_all),
)
