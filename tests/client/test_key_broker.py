"""A device's key under an account of its own: who may use it, for what, and what nobody is believed about."""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.wire import device_signature
from tests.client import payloads
from tests.client.key_brokers import CAPABILITIES, KEEPER, PERSON, STRANGER, Shared, as_account, shared
from tests.client.test_login import BEGIN, KNOWN, YES, opening
from tests.client.world import DEVICE, StandIn

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can be another account")

PROMPTS = "/api/v1/prompts/"
# One question to the key broker, its answer on stdout. No agent stands between the test and it.
ASK = """
import json, sys
from gateway.client import link
connection = link.try_connect(sys.argv[1])
print(link.ask_over(connection, json.loads(sys.argv[2])))
"""
PROMPT = {"conversation": "talk", "generation": "first", "text": "list the invoices"}


class Listening(StandIn):
    """Keeps the last signed request as it was on the wire."""

    wire: tuple[str, str, str, bytes] = ("", "", "", b"")

    def refusal(self, method: str, path: str, headers: Any, body: bytes) -> str:
        self.wire = (method, path, headers["Hoopweb-Signature"], body)
        return super().refusal(method, path, headers, body)


@pytest.fixture
def office(gateway: StandIn) -> Iterator[Shared]:
    gateway.__class__ = Listening
    with shared(gateway) as made:
        yield made


@pytest.fixture
def enrolled(office: Shared) -> Iterator[Shared]:
    """Logged in, with the broker that holds the key running."""
    with office.broker():
        log_in(office)
        yield office


def log_in(office: Shared) -> None:
    gateway = office.machine.gateway
    opening(gateway, YES)
    ran = office.login()
    assert (ran.returncode, ran.stderr) == (0, "")
    gateway.public_key = base64.b64decode(gateway.of(BEGIN[1])[-1]["public_key"])
    gateway.seen.clear()


def ask(office: Shared, uid: int = PERSON, **fields: str) -> tuple[int, str]:
    """What a process of this account hears, as its exit status and last line."""
    ran = as_account(uid, ASK, office.socket, json.dumps(fields))
    return ran.returncode, (ran.stdout or ran.stderr).strip().splitlines()[-1]


def post(office: Shared, body: Any, **more: str) -> tuple[int, str]:
    text = body if isinstance(body, str) else json.dumps(body)
    return ask(office, PERSON, **{"op": "call", "method": "POST", "path": PROMPTS, "body": text, **more})


def test_login_enrols_the_brokers_key_and_says_where_it_lies(office: Shared) -> None:
    opening(office.machine.gateway, YES)
    with office.broker():
        ran = office.login()
    assert ran.returncode == 0, ran.stderr
    assert f"account {KEEPER}" in ran.stdout
    assert office.machine.gateway.of(BEGIN[1])[0]["key_storage"] == "separate_account"
    assert not Path(office.machine.place().key_file).exists()
    kept = json.loads(Path(office.machine.place().profile_file).read_text())
    assert (kept["key_storage"], kept["broker_uid"], kept["broker_socket"]) == (
        "separate_account",
        KEEPER,
        office.socket,
    )


def test_the_key_is_out_of_the_persons_reach(enrolled: Shared) -> None:
    (key,) = enrolled.keys.rglob("device.key")
    found = key.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode), stat.S_IMODE(key.parent.stat().st_mode)) == (
        KEEPER,
        0o600,
        0o700,
    )
    read = "import sys; open(sys.argv[1], 'rb').read()"
    assert as_account(KEEPER, read, str(key)).returncode == 0
    ran = as_account(PERSON, read, str(key))
    assert ran.returncode == 1
    assert "PermissionError" in ran.stderr


def test_no_answer_holds_the_key(enrolled: Shared) -> None:
    (key,) = enrolled.keys.rglob("device.key")
    secret = key.read_text().strip().rpartition(":")[2]
    assert len(base64.b64decode(secret)) == 32
    for op in ("key", "enrol", "enrolled", "credentials", "hook", "call", "stop", ""):
        assert secret not in ask(enrolled, op=op, gateway="https://elsewhere.example")[1]


def test_another_account_is_refused(enrolled: Shared) -> None:
    for uid in (STRANGER, KEEPER, 0):
        status, told = ask(enrolled, uid, op="call", method="GET", path="/api/v1/device/")
        assert (status, "serves another account" in told) == (1, True)
    assert enrolled.machine.gateway.seen == []


def test_a_prompt_signed_there_is_the_devices_own(enrolled: Shared) -> None:
    ran = enrolled.machine.run("hook", given=json.dumps(payloads.CURSOR_PROMPT))
    assert (ran.returncode, ran.stderr) == (0, "")
    gateway = enrolled.machine.gateway
    assert isinstance(gateway, Listening)
    (seen,) = gateway.of(PROMPTS)
    assert seen["process"]["agent_pid"] == os.getpid()
    assert seen["process"]["is_inside_agent_shell"] is False
    method, path, header, body = gateway.wire
    signed = device_signature.read(header)
    assert device_signature.is_genuine(signed, gateway.public_key, method=method, target=path, body=body)


def test_an_agents_shell_is_seen_for_what_it_is(enrolled: Shared) -> None:
    """The kernel's word travels: the gateway refuses such a prompt as forged."""
    enrolled.machine.run("hook", given=json.dumps(payloads.CURSOR_PROMPT), CURSOR_AGENT="1")
    (seen,) = enrolled.machine.gateway.of(PROMPTS)
    assert seen["process"]["is_inside_agent_shell"] is True


def test_a_forged_process_fact_is_refused(enrolled: Shared) -> None:
    innocent = {"agent_pid": 1, "agent_started": 1, "parent_executable": "/bin/cursor", "is_inside_agent_shell": False}
    status, told = post(enrolled, {**PROMPT, "process": innocent})
    assert (status, "other processes" in told) == (1, True)
    assert enrolled.machine.gateway.seen == []
    assert post(enrolled, PROMPT)[0] == 0
    assert enrolled.machine.gateway.of(PROMPTS)[0]["process"]["agent_pid"] == os.getpid()


@pytest.mark.parametrize("body", ["", "hoopweb-device-v1\nPOST", "[]", '"text"', "{", "null"])
def test_arbitrary_bytes_are_not_signed(enrolled: Shared, body: str) -> None:
    status, told = post(enrolled, body)
    assert (status, "this is none" in told) == (1, True)
    assert enrolled.machine.gateway.seen == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/v1/keys/"), ("POST", "/api/v1/agent-credentials/"), ("GET", PROMPTS), ("PUT", PROMPTS)],
)
def test_other_requests_are_not_signed(enrolled: Shared, method: str, path: str) -> None:
    status, told = post(enrolled, PROMPT, method=method, path=path)
    assert (status, "does not sign this" in told) == (1, True)
    assert enrolled.machine.gateway.seen == []


def test_a_broker_that_cannot_see_signs_nothing(office: Shared) -> None:
    """Without its unit's capabilities an agent's shell would look like any other process."""
    with office.broker():
        log_in(office)
    with office.broker(capabilities="+dac_read_search"):
        ran = office.machine.run("hook", given=json.dumps(payloads.CURSOR_PROMPT), CURSOR_AGENT="1")
    assert json.loads(ran.stdout)["continue"] is False
    assert "cannot see" in ran.stdout
    assert office.machine.gateway.of(PROMPTS) == []


def test_the_person_cannot_end_it_or_give_it_another_gateway(enrolled: Shared) -> None:
    assert "whoever administers" in ask(enrolled, op="stop")[1]
    assert "holds a device already" in ask(enrolled, op="enrol", gateway="https://elsewhere.example")[1]
    assert "another version" in ask(enrolled, protocol="0", op="stop")[1]
    assert post(enrolled, PROMPT)[0] == 0


def test_a_login_that_another_one_crossed_enrols_nothing(office: Shared) -> None:
    with office.broker():
        first = ask(office, op="enrol", gateway="https://one.example")[1]
        assert ask(office, op="enrol", gateway="https://two.example")[1] != first
        status, told = ask(office, op="enrolled", public_key=first, device_id=DEVICE)
        assert (status, "Another login came between" in told) == (1, True)
        assert "holds no device" in post(office, PROMPT)[1]
    assert list(office.keys.rglob("device.key")) == []


def test_the_enrolment_outlives_the_service(office: Shared) -> None:
    with office.broker():
        log_in(office)
    told = office.machine.run("credentials", "--connection", "billing")
    assert (told.returncode, f"account {KEEPER} does not run" in told.stderr) == (1, True)
    with office.broker():
        assert json.loads(office.machine.run("credentials", "--connection", "billing").stdout)["Version"] == 1


def test_logout_deletes_the_key_there(enrolled: Shared) -> None:
    enrolled.machine.gateway.replies["DELETE", "/api/v1/device/"] = lambda _: (204, {})
    ran = enrolled.machine.run("logout")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [one.method for one in enrolled.machine.gateway.seen] == ["DELETE"]
    assert list(enrolled.keys.rglob("device.key")) == []
    assert "not enrolled" in enrolled.machine.run("credentials", "--connection", "billing").stderr
    log_in(enrolled)


def test_status_and_doctor_name_the_storage_and_its_level(enrolled: Shared) -> None:
    enrolled.machine.gateway.replies["GET", "/api/v1/device/"] = lambda _: (200, KNOWN)
    assert "under another account" in (told := enrolled.machine.run("status").stdout)
    assert "level A can be reached" in told
    found = json.loads(enrolled.machine.run("doctor", "--json", "--offline").stdout)["findings"]
    (key,) = [one for one in found if one["check"] == "device_key"]
    assert (key["state"], "separate_account" in key["told"], "level A" in key["told"]) == ("good", True, True)


def test_what_waits_there_is_told_by_the_doctor_and_sent(enrolled: Shared) -> None:
    """Records and the organisation's choice lie in the broker's own folder, where no agent's shell writes."""
    gateway = enrolled.machine.gateway
    gateway.replies["GET", "/api/v1/device/"] = lambda _: (200, {**KNOWN, "on_unreachable": "spool"})
    assert enrolled.machine.run("hook", given=json.dumps(payloads.CURSOR_PROMPT)).returncode == 0
    gateway.replies["POST", PROMPTS] = lambda _: (503, {"code": "gateway.not_ready", "title": "Not ready"})
    later = {**payloads.CURSOR_PROMPT, "generation_id": "second"}
    assert "marked late" in enrolled.machine.run("hook", given=json.dumps(later)).stderr
    found = json.loads(enrolled.machine.run("doctor", "--json", "--offline").stdout)["findings"]
    told = " ".join(one["told"] for one in found if one["check"] in {"spool", "on_unreachable"})
    assert "1 records wait for the gateway" in told
    assert "while the gateway is away records wait here" in told
    del gateway.replies["POST", PROMPTS]
    assert enrolled.machine.run("hook", given=json.dumps({**later, "generation_id": "third"})).returncode == 0
    assert [one.get("is_late", False) for one in gateway.of(PROMPTS)][-2:] == [True, False]


def test_a_broker_of_the_persons_own_account_is_not_believed(office: Shared) -> None:
    """Anybody can listen on a socket: what runs as the person keeps nothing from the person."""
    listen = """
import socket
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
sys.exit(sys.modules["gateway.client.app"].main(sys.argv[2:]))
"""
    path = str(office.machine.home / "fake.sock")
    given = ("login", "--gateway", office.machine.gateway.url, "--organisation", "acme", "--key-broker", path)
    ran = as_account(PERSON, listen, path, *given, HOOPWEB_HOME=office.machine.place().home)
    assert (ran.returncode, "keeps no key from your account" in ran.stderr) == (1, True)
    assert office.machine.gateway.seen == []


def test_root_is_told_that_nothing_can_be_kept_from_it(office: Shared) -> None:
    given = ("login", "--gateway", office.machine.gateway.url, "--organisation", "acme", "--key-broker", office.socket)
    program = "sys.exit(sys.modules['gateway.client.app'].main(sys.argv[1:]))"
    with office.broker():
        ran = as_account(0, program, *given, HOOPWEB_HOME=str(office.keys.parent / "roots"))
    assert (ran.returncode, "you must not be root" in ran.stderr) == (1, True)
    assert office.machine.gateway.seen == []


def test_a_folder_others_may_write_to_is_not_believed(office: Shared) -> None:
    with office.broker():
        Path(office.socket).parent.chmod(0o777)
        ran = office.login()
    assert (ran.returncode, "it is not believed" in ran.stderr) == (1, True)


@pytest.mark.parametrize("name", [str(KEEPER), "0", "root", "nobody-of-that-name"])
def test_it_serves_no_account_that_could_read_it(office: Shared, name: str) -> None:
    program = "sys.exit(sys.modules['gateway.client.app'].main(sys.argv[1:]))"
    serve = ("broker", "--serve-keys", "--for-user", name, "--socket", office.socket)
    ran = as_account(KEEPER, program, *serve, HOOPWEB_HOME=str(office.keys / "hoopweb"))
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert not os.path.lexists(office.socket)


def test_the_unit_gives_it_what_it_needs() -> None:
    unit = Path(__file__).parents[2] / "deploy" / "client" / "hoopweb-keys@.service"
    (line,) = [line for line in unit.read_text().splitlines() if line.startswith("AmbientCapabilities=")]
    wanted = {f"CAP_{name.strip('+').upper()}" for name in CAPABILITIES.split(",")}
    assert set(line.partition("=")[2].split()) == wanted
