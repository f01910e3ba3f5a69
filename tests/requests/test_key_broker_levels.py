"""A device whose key is kept under another account reaches level A: real login, hook and keys, to the decided call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from pytest_django.live_server_helper import LiveServer

from audit.models import Prompt
from gateway.identity.models import Device, GatewayKey, User
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from hoopweb.stack.plan import CHECKOUT
from tests.client import payloads
from tests.client.key_brokers import Shared, shared
from tests.client.world import Machine, StandIn
from tests.identity.test_devices import answer
from tests.identity.test_members import events
from tests.requests.world import EdgeLife, Keys, row_of

pytestmark = [
    pytest.mark.skipif(os.getuid() != 0, reason="only root can be another account"),
    pytest.mark.usefixtures("transactional_db", "ready", "billing_account"),
]
AGENTS_SHELL = {"CURSOR_AGENT": "1", "CURSOR_CONVERSATION_ID": payloads.CONVERSATION}


@pytest.fixture
def laptop(acme: Tenant, alice: User, live_server: LiveServer) -> Iterator[Machine]:
    """Alice's machine, logged in with its key under another account, by her yes on the page."""
    with shared(StandIn(url=live_server.url)) as office, office.broker():
        log_in(office, alice)
        yield office.machine


def log_in(office: Shared, person: User) -> None:
    machine = office.machine
    given = ["--gateway", machine.gateway.url, "--organisation", "acme", "--key-broker", office.socket, "--no-browser"]
    with subprocess.Popen(
        [sys.executable, *machine.launch, "login", *given],
        cwd=CHECKOUT,
        env=machine.environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        code = [running.stdout.readline() for _ in range(2)][1].split()[-1]
        assert answer(person, code)["Location"] == "/device/?done=allow"
        told, _ = running.communicate(timeout=60)
    assert running.returncode == 0, told


def keys_of_a_command(tenant: Tenant, machine: Machine) -> Keys:
    """What an SDK in the agent's shell holds."""
    ran = machine.run("credentials", "--connection", "billing", **AGENTS_SHELL)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    with in_tenant(tenant):
        row = GatewayKey.objects.for_tenant(tenant).get(access_key_id=told["AccessKeyId"])
    return Keys(
        row=row, access_key_id=told["AccessKeyId"], secret=told["SecretAccessKey"], token=told.get("SessionToken", "")
    )


def test_prompt_and_call_reach_level_a(edge: EdgeLife, acme: Tenant, laptop: Machine) -> None:
    with in_tenant(acme):
        assert Device.objects.for_tenant(acme).get().key_storage == "separate_account"
    ran = laptop.run("hook", given=json.dumps(payloads.CURSOR_PROMPT))
    assert (ran.returncode, ran.stderr) == (0, "")
    with in_tenant(acme):
        prompt = Prompt.objects.for_tenant(acme).get()
    assert (prompt.level_cap, prompt.conversation) == ("A", payloads.CONVERSATION)
    keys = keys_of_a_command(acme, laptop)
    item = keys.call("secretsmanager", "list_secrets")
    edge.admit(item)
    row = row_of(acme, item)
    assert (row.link, row.prompt_id) == ("A", prompt.pk)
    # The same machine: what an agent's shell posts is refused and found, so A is not to be had that way.
    forged = laptop.run("hook", given=json.dumps(payloads.CURSOR_PROMPT), **AGENTS_SHELL)
    assert json.loads(forged.stdout)["continue"] is False
    assert len(events(acme, "prompt.forged")) == 1
    with in_tenant(acme):
        assert Prompt.objects.for_tenant(acme).count() == 1
