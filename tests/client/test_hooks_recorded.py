"""`hoopweb hook` against the real control plane: what it answered well is in PostgreSQL, word for word, before it answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from audit.models import Event, Prompt, ToolUse
from audit.prompts import TEXT_COLUMN
from gateway.client import device_key
from gateway.client.state import KeyStorage, Profile, write_profile
from gateway.identity.models import Device, User
from gateway.sealing.services import unseal
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.client import payloads
from tests.client.payloads import COMMAND, CONVERSATION, PROMPT
from tests.client.world import Machine, StandIn

PROMPTS = {
    "cursor": payloads.CURSOR_PROMPT,
    "claude": payloads.CLAUDE_PROMPT,
    "codex": payloads.CODEX_PROMPT,
    "gemini": payloads.GEMINI_PROMPT,
}
_TOOLS = {
    "cursor": (payloads.CURSOR_BEFORE, payloads.CURSOR_AFTER),
    "claude": (payloads.CLAUDE_BEFORE, payloads.CLAUDE_AFTER),
    "codex": (payloads.CODEX_BEFORE, payloads.CODEX_AFTER),
    "gemini": (payloads.GEMINI_BEFORE, payloads.GEMINI_AFTER),
}


@pytest.fixture
def enrolled(
    transactional_db: None, acme: Tenant, alice: User, live_server: LiveServer, tmp_path: Path
) -> Iterator[Machine]:
    """Alice's machine, known to acme by its key."""
    machine = Machine(home=tmp_path, gateway=StandIn(url=live_server.url))
    key, device_id = device_key.generate(), uuid.uuid4()
    with in_tenant(acme):
        Device.objects.create(
            id=device_id, tenant=acme, user=alice, name="laptop", public_key=key.public_bytes, key_storage="file"
        )
    key.save(machine.place())
    profile = Profile(
        name="default",
        gateway=live_server.url,
        organisation="acme",
        device_id=str(device_id),
        device_name="laptop",
        key_storage=KeyStorage.FILE,
    )
    write_profile(machine.place(), profile)
    yield machine
    machine.end()


def hook(machine: Machine, payload: Any, **more: str) -> subprocess.CompletedProcess[str]:
    return machine.run("hook", given=json.dumps(payload), **more)


def prompts(tenant: Tenant) -> list[Prompt]:
    with in_tenant(tenant):
        return list(Prompt.objects.for_tenant(tenant).order_by("recorded_at"))


def events(tenant: Tenant) -> list[str]:
    with in_tenant(tenant):
        return [str(one.kind) for one in Event.objects.filter(tenant_id=tenant.pk).order_by("sequence")]


@pytest.mark.parametrize("agent", PROMPTS)
def test_a_prompt_and_its_tool_use_are_on_record(enrolled: Machine, acme: Tenant, agent: str) -> None:
    for payload in (PROMPTS[agent], *_TOOLS[agent]):
        ran = hook(enrolled, payload)
        assert (ran.returncode, ran.stderr) == (0, "")
    (prompt,) = prompts(acme)
    assert (prompt.conversation, prompt.agent_kind, prompt.source) == (CONVERSATION, agent, "person")
    with in_tenant(acme):
        exact = unseal(tenant_id=acme.pk, column=TEXT_COLUMN, sealed=bytes(prompt.sealed_text)).decode()
        use = ToolUse.objects.for_tenant(acme).get()
    assert exact == PROMPT
    assert (use.prompt_id, use.masked_command, use.cwd) == (prompt.pk, COMMAND, "/users/alice/billing")
    assert use.began_at is not None
    assert use.ended_at is not None


def test_the_record_is_there_at_the_moment_the_answer_is(enrolled: Machine, acme: Tenant) -> None:
    """As an agent sees it: the first byte of the answer, while the hook's process still lives."""
    hooking = subprocess.Popen(
        [sys.executable, "-m", "gateway.client", "hook", "cursor"],
        cwd=Path(__file__).parent.parent.parent,
        env=enrolled.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert hooking.stdin is not None
    assert hooking.stdout is not None
    hooking.stdin.write(payloads.raw(payloads.CURSOR_PROMPT))
    hooking.stdin.close()
    assert os.read(hooking.stdout.fileno(), 1) == b"{"
    assert len(prompts(acme)) == 1
    hooking.stdout.close()
    hooking.wait()


def test_the_same_prompt_twice_is_one_record(enrolled: Machine, acme: Tenant) -> None:
    assert [hook(enrolled, payloads.CURSOR_PROMPT).returncode for _ in range(2)] == [0, 0]
    assert len(prompts(acme)) == 1


def test_an_agents_shell_that_posts_an_innocent_prompt_is_refused_and_found(enrolled: Machine, acme: Tenant) -> None:
    ran = hook(enrolled, payloads.CURSOR_PROMPT, CURSOR_AGENT="1", CURSOR_CONVERSATION_ID=CONVERSATION)
    assert json.loads(ran.stdout)["continue"] is False
    assert prompts(acme) == []
    assert "prompt.forged" in events(acme)


def test_a_sub_agent_is_recorded_with_the_conversation_it_comes_from(enrolled: Machine, acme: Tenant) -> None:
    hook(enrolled, payloads.CURSOR_PROMPT)
    assert json.loads(hook(enrolled, payloads.CURSOR_SUBAGENT).stdout) == {"permission": "allow"}
    parent, child = prompts(acme)
    assert (child.parent_conversation, child.parent_tool_use) == (CONVERSATION, "call_3_task")
    assert (child.source, child.caused_by_id) == ("machine", parent.pk)


def test_what_was_spooled_is_on_record_late(enrolled: Machine, acme: Tenant, live_server: LiveServer) -> None:
    Path(enrolled.place().folder, "on_unreachable").write_text("spool\n")
    Path(enrolled.place().folder, "on_unreachable").chmod(0o600)
    profile = Path(enrolled.place().profile_file)
    there = profile.read_text()
    profile.write_text(there.replace(live_server.url, "http://127.0.0.1:9"))
    assert "marked late" in hook(enrolled, payloads.CURSOR_PROMPT).stderr
    assert prompts(acme) == []
    profile.write_text(there)
    hook(enrolled, payloads.CURSOR_BEFORE)
    (prompt,) = prompts(acme)
    assert (prompt.is_late, prompt.level_cap) == (True, "B")
    with in_tenant(acme):
        assert ToolUse.objects.for_tenant(acme).get().prompt_id == prompt.pk


def test_a_revoked_device_stops_the_agent(enrolled: Machine, acme: Tenant) -> None:
    with in_tenant(acme):
        Device.objects.for_tenant(acme).update(revoked_at=datetime.now(UTC))
    ran = hook(enrolled, payloads.CLAUDE_PROMPT)
    assert ran.returncode == 2
    assert json.loads(ran.stdout)["decision"] == "block"
    assert prompts(acme) == []


@pytest.mark.parametrize("text", ["a\x00b", "", "x" * 300_000])
def test_words_the_gateway_cannot_keep_stop_the_prompt_and_say_why(enrolled: Machine, acme: Tenant, text: str) -> None:
    told = json.loads(hook(enrolled, payloads.CURSOR_PROMPT | {"prompt": text}).stdout)
    recorded = prompts(acme)
    assert told["continue"] is (len(recorded) == 1)
    assert recorded or "text" in told["user_message"]


def test_the_doctor_finds_the_real_gateway_well(enrolled: Machine) -> None:
    found = json.loads(enrolled.run("doctor", "--json", "--offline").stdout)["findings"]
    states = {one["check"]: one["state"] for one in found}
    assert (states["enrolment"], states["broker"], states["device"], states["clock"]) == ("good",) * 4
