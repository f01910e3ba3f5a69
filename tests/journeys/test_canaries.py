"""Fifty kinds of secret in every place a call can carry them, and every way a call can end: none is kept in clear.

What is searched afterwards: every table as the database's superuser, every recording unsealed, every file the product
wrote (journals, logs), and all that agents and auditors were told.
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hyperscan
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from hoopweb.stack import postgres, seed
from tests.journeys import evidence
from tests.journeys.product import Product, Tenant
from tests.journeys.test_approvals import Call, vote
from tests.masking.canaries import Canary, canaries, fingerprint, traces

# What others read too (the demo's table and secret) stays as it is.
BUCKET, TABLE, SECRET = seed.SCRATCH, "canaries", "canaries"
DRAWN = canaries(20260304)
TEXT = "\n".join(one.text for one in DRAWN)
# On one line and short enough for a header or a name.
SHORT = [one for one in DRAWN if len(one.text) < 120 and one.text.isprintable()]
NAMES = [one for one in SHORT if one.text == one.secret and one.secret.replace("_", "").replace("-", "").isalnum()]
POLICY = """
@id("canary.refused") @advice("Not this queue.")
forbid (principal, action == Action::"sqs:SendMessage", resource);
@id("canary.asked") @effect("ask") @approvers("platform") @quorum("1") @advice("Somebody looks first.")
forbid (principal, action == Action::"ssm:PutParameter", resource);
"""


class Seen:
    """All that clients were told, and what they were told instead."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.codes: list[str] = []

    def __call__(self, act: Any, **parameters: Any) -> Any:
        try:
            answer = act(**parameters)
        except ClientError as error:
            self.codes.append(error.response["Error"]["Code"])
            self.told.append(json.dumps(error.response, default=repr))
            return None
        except BotoCoreError as error:
            self.codes.append(type(error).__name__)
            return None
        self.told.append(json.dumps(_readable(answer), default=repr))
        return answer


def _readable(value: Any) -> Any:
    """An answer with its bodies read: what an agent would see of it."""
    if isinstance(value, dict):
        return {name: _readable(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(each) for each in value]
    if hasattr(value, "read"):
        return value.read().decode("utf-8", "replace")
    return list(map(_readable, value)) if type(value).__name__ == "EventStream" else value


def _planted(product: Product) -> None:
    """What lies at AWS already: objects, items, a secret."""
    s3, dynamodb = product.truth("s3"), product.truth("dynamodb")
    s3.put_object(Bucket=BUCKET, Key="canaries.txt", Body=TEXT.encode(), Metadata={"note": SHORT[0].text})
    s3.put_object(Bucket=BUCKET, Key="canaries.json", Body=json.dumps({"rows": TEXT.split("\n")}).encode())
    s3.put_object(Bucket=BUCKET, Key="canaries.png", Body=b"\x89PNG\r\n\x1a\n" + TEXT.encode())
    s3.put_object(Bucket=BUCKET, Key="large.txt", Body=b"plain words of a line\n" * 100_000 + TEXT.encode())
    item = {"id": {"S": "canary"}, "notes": {"L": [{"S": one.text} for one in DRAWN]}, "blob": {"B": TEXT.encode()}}
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName=TABLE, Item=item)
    product.truth("secretsmanager").create_secret(Name=SECRET, SecretString=TEXT)


def _read(seen: Seen, tenant: Tenant, keys: dict[str, str]) -> None:
    """Answers of every form: objects, parts, items, errors with items in them, functions, streams."""
    s3, dynamodb, functions = (tenant.aws(each, keys=keys) for each in ("s3", "dynamodb", "lambda"))
    for key in ("canaries.txt", "canaries.json", "canaries.png", "large.txt"):
        seen(s3.get_object, Bucket=BUCKET, Key=key)
    seen(s3.get_object, Bucket=BUCKET, Key="canaries.txt", Range="bytes=200-1500")
    seen(dynamodb.get_item, TableName=TABLE, Key={"id": {"S": "canary"}})
    seen(dynamodb.scan, TableName=TABLE)
    guarded = {"ConditionExpression": "attribute_not_exists(id)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    fresh = {"id": {"S": "canary"}}
    seen(dynamodb.put_item, TableName=TABLE, Item=fresh, **guarded)
    seen(dynamodb.transact_write_items, TransactItems=[{"Put": {"TableName": TABLE, "Item": fresh, **guarded}}])
    seen(tenant.aws("secretsmanager", keys=keys).get_secret_value, SecretId=SECRET)
    failing = json.dumps({"raise": TEXT})
    seen(functions.invoke, FunctionName=seed.FUNCTION, Payload=failing, LogType="Tail")
    seen(functions.invoke_with_response_stream, FunctionName=seed.FUNCTION, Payload=failing, LogType="Tail")


def _write(seen: Seen, tenant: Tenant, keys: dict[str, str]) -> None:
    """Parameters, headers, queries, bodies, names; some of these calls AWS itself refuses."""
    s3, dynamodb = tenant.aws("s3", keys=keys), tenant.aws("dynamodb", keys=keys)
    for number, one in enumerate(SHORT):
        seen(s3.put_object, Bucket=BUCKET, Key=f"c-{number}", Body=TEXT.encode(), Metadata={"note": one.text})
    for one in NAMES:
        seen(s3.get_object, Bucket=BUCKET, Key=f"dumps/{one.secret}.txt")
        seen(s3.list_objects_v2, Bucket=BUCKET, Prefix=one.secret)
        seen(dynamodb.get_item, TableName=TABLE, Key={"id": {"S": one.secret}})
    attributes = {f"a{number}": {"S": one.text} for number, one in enumerate(DRAWN)}
    seen(dynamodb.put_item, TableName=TABLE, Item={"id": {"S": "written"}, **attributes})
    seen(dynamodb.put_item, TableName="nowhere", Item={"id": {"S": TEXT}})
    seen(tenant.aws("secretsmanager", keys=keys).put_secret_value, SecretId=SECRET, SecretString=TEXT)
    context = base64.b64encode(json.dumps({"custom": {"note": SHORT[1].text}}).encode()).decode()
    seen(
        tenant.aws("lambda", keys=keys).invoke,
        FunctionName=seed.FUNCTION,
        Payload=json.dumps({"x": TEXT}),
        ClientContext=context,
    )
    _queried(seen, tenant, keys)


def _queried(seen: Seen, tenant: Tenant, keys: dict[str, str]) -> None:
    """Secrets in a query string and a header that no model knows."""
    for one in SHORT[:12]:
        s3 = tenant.aws("s3", keys=keys)

        def plant(request: Any, one: Canary = one, **_: Any) -> None:
            request.headers["X-Debug-Note"] = one.text
            request.headers["User-Agent"] = f"agent/1 ({one.text})"
            request.params = {**(request.params or {}), "note": one.text}

        s3.meta.events.register("before-sign.s3.ListObjectsV2", plant)
        seen(s3.list_objects_v2, Bucket=BUCKET)


def _refused(seen: Seen, tenant: Tenant, keys: dict[str, str]) -> None:
    """By policy, by a signature that does not hold, and by an outsider's key."""
    queue = f"https://sqs.{seed.REGION}.amazonaws.com/{seed.ACCOUNT}/{seed.QUEUE}"
    seen(tenant.aws("sqs", keys=keys).send_message, QueueUrl=queue, MessageBody=TEXT)
    dynamodb = tenant.aws("dynamodb", keys=keys)

    def change(request: Any, **_: object) -> None:
        request.body = request.body.replace(b"written", b"changed")

    dynamodb.meta.events.register("before-send.dynamodb.PutItem", change)
    seen(dynamodb.put_item, TableName=TABLE, Item={"id": {"S": "written"}, "note": {"S": TEXT}})
    seen(
        tenant.aws("ssm", keys={**keys, "AWS_ACCESS_KEY_ID": "AKIANOBODY"}).get_parameter,
        Name=TEXT[:900],
    )


def _asked(seen: Seen, product: Product, tenant: Tenant, keys: dict[str, str]) -> None:
    """Held and approved, held and refused: what people are shown and what a worker runs."""
    ssm = tenant.aws("ssm", keys=keys)
    for name, answer in (("/canary/approved", "approve"), ("/canary/refused", "refuse")):
        call = Call(lambda name=name: seen(ssm.put_parameter, Name=name, Value=TEXT, Type="String", Overwrite=True))
        call.start()

        def found(name: str = name) -> Any:
            waiting = tenant.items("approvals/?state=pending", key="HOOPWEB_APPROVER_API_KEY")
            return next((one for one in waiting if name in json.dumps(one)), None)

        approval = product.wait(found, seconds=10, told="nobody was asked")
        seen.told.append(json.dumps(approval))
        assert vote(tenant, approval, answer).status == 201
        call.join(40)


def _killed(seen: Seen, product: Product, tenant: Tenant, keys: dict[str, str]) -> None:
    """An edge that dies amid calls, and an AWS that does not answer."""
    dynamodb = tenant.aws("dynamodb", keys=keys)

    def call() -> None:
        for number in range(40):
            seen(dynamodb.put_item, TableName=TABLE, Item={"id": {"S": f"k{number}"}, "note": {"S": TEXT}})

    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    product.kill("edge-1")
    caller.join(60)
    product.wait_back("edge-1", seconds=90)


def _told_of(product: Product, tenant: Tenant) -> Iterator[tuple[str, bytes]]:
    """What REST says of it all, and every recording unsealed."""
    for session in tenant.items("sessions/"):
        # A prompt's exact words are kept sealed, for who may read prompts: this reader may not.
        reply = tenant.rest("GET", f"sessions/{session['id']}/timeline/?limit=100", key="HOOPWEB_APPROVER_API_KEY")
        yield f"timeline {session['id']}", json.dumps(reply.body).encode()
    yield "events", json.dumps(tenant.items("events/?limit=100")).encode()
    yield "recordings", product.manage("shell", "-c", _UNSEALED).encode()


_UNSEALED = """
import sys
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.sealing.services import unseal
from audit.models import Recording
from audit.recordings import BODY_COLUMN
count = 0
for tenant in Tenant.objects.all():
    with in_tenant(tenant.pk):
        for one in Recording.objects.for_tenant(tenant.pk):
            count += 1
            body = unseal(tenant_id=tenant.pk, column=BODY_COLUMN, sealed=one.sealed_body)
            sys.stdout.write(body.decode('utf-8', 'replace') + chr(10))
print('RECORDINGS', count)
"""


def _dump(product: Product) -> Iterator[tuple[str, bytes]]:
    """Every table of every schema of ours, as the superuser copies it."""
    services = product.stack.plan.services
    tables = product.query(
        "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    with services.postgres.connect(postgres.SUPERUSER, services.passwords.superuser, postgres.DATABASE) as connection:
        for (table,) in tables:
            with connection.cursor().copy(f"COPY (SELECT * FROM {table}) TO STDOUT".encode()) as copied:
                yield f"table {table}", b"".join(bytes(row) for row in copied)


def _files(root: Path) -> Iterator[tuple[str, bytes]]:
    """Journals, logs and whatever else lies in the product's state; not the stand-in's own log of what AWS got."""
    for path in root.rglob("*"):
        if path.is_file() and "postgres" not in path.relative_to(root).parts[:1] and "standin" not in path.name:
            with contextlib.suppress(FileNotFoundError):
                yield f"file {path.relative_to(root)}", path.read_bytes()


class Search:
    """All canaries in all their forms, looked for in one pass."""

    def __init__(self, drawn: list[Canary]) -> None:
        forms = [(one, form) for one in drawn for form in traces(one)]
        self._owners = [one for one, _ in forms]
        self._database = hyperscan.Database()
        self._database.compile(
            expressions=[b"".join(b"\\x%02x" % byte for byte in form) for _, form in forms],
            ids=list(range(len(forms))),
            elements=len(forms),
            flags=[hyperscan.HS_FLAG_SINGLEMATCH] * len(forms),
        )

    def found(self, data: bytes) -> set[str]:
        hits: set[str] = set()

        def hit(place: int, _start: int, _end: int, _flags: int, _context: object) -> None:
            hits.add(fingerprint(self._owners[place]))

        self._database.scan(data or b" ", match_event_handler=hit)
        return hits


@pytest.fixture(scope="module")
def afterwards(product: Product, demo: Tenant) -> Seen:
    """Every call made, every way of failing gone through; all of it at its end."""
    seen = Seen()
    _planted(product)
    demo.prompt("canaries", f"Put these where they belong:\n{TEXT}")
    with demo.policy(POLICY):
        keys = demo.keys_for("canaries", generation="turn-1")
        _read(seen, demo, keys)
        _write(seen, demo, keys)
        _refused(seen, demo, keys)
        _asked(seen, product, demo, keys)
        _killed(seen, product, demo, keys)
    evidence.wait_until_final(product)
    return seen


def test_the_search_finds_what_is_there(product: Product, afterwards: Seen) -> None:
    search = Search(DRAWN)
    assert len(search.found(TEXT.encode())) == len(DRAWN)
    assert len(search.found(json.dumps({"a": TEXT}).encode().hex().encode())) >= len(DRAWN) - 1
    # Every way of ending was gone through.
    kinds = {row[0] for row in product.query("SELECT state FROM requests_proxiedrequest")}
    assert {"completed", "refused", "failed", "not_sent"} <= kinds, kinds
    assert "ResponseWithheld" in afterwards.codes
    assert "ConditionalCheckFailedException" in afterwards.codes


def test_no_agent_was_told_one(afterwards: Seen) -> None:
    search = Search(DRAWN)
    leaks = {told[:60]: found for told in afterwards.told if (found := search.found(told.encode()))}
    assert leaks == {}


def test_none_is_kept_in_clear(product: Product, demo: Tenant, afterwards: Seen) -> None:
    search = Search(DRAWN)
    places = (*_dump(product), *_told_of(product, demo), *_files(product.stack.plan.state.root))
    assert {"table public.audit_event", "recordings"} <= {name for name, _ in places}
    assert any("journal" in name for name, _ in places)
    assert {name: found for name, data in places if (found := search.found(data))} == {}
