"""What the doctor finds reachable past the gateway, on real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from gateway.client import doctor_reach
from gateway.client.doctor_findings import State


@pytest.fixture
def listening() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()


@pytest.fixture
def metadata() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_connection_is_tried_for_real(listening: tuple[str, int]) -> None:
    assert doctor_reach.can_connect(listening)
    assert not doctor_reach.can_connect(("127.0.0.1", 9))
    assert not doctor_reach.can_connect(("no-such-host.invalid", 443))


def test_aws_within_reach_is_told_by_the_regions_own_host() -> None:
    (found,) = doctor_reach.aws(["eu-west-1"], reaches=lambda address: address == ("sts.eu-west-1.amazonaws.com", 443))
    assert (found.check, found.state) == ("reach.aws", State.NOTE)
    assert "sts.eu-west-1.amazonaws.com" in found.told
    (found,) = doctor_reach.aws([], reaches=lambda _: False)
    assert found.state is State.GOOD


@pytest.mark.parametrize(
    ("variable", "state"), [({}, State.BROKEN), ({"AWS_EC2_METADATA_DISABLED": "true"}, State.WEAK)]
)
def test_instance_metadata_that_answers_is_told(metadata: str, variable: dict[str, str], state: State) -> None:
    (found,) = doctor_reach.metadata({"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata, **variable})
    assert found.state is state
    assert found.mend


def test_no_instance_metadata_is_good() -> None:
    (found,) = doctor_reach.metadata({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9"})
    assert found.state is State.GOOD


@pytest.mark.parametrize(
    "environment",
    [
        {"PGHOST": "db.acme.example"},
        {"DATABASE_URL": "postgresql://app:very-secret@db.acme.example/billing"},
        {"REPORTS_DB_URL": "postgres://app@db.acme.example:5432/x"},
        {"PGPASSFILE": "pgpass"},
    ],
)
def test_a_database_with_its_password_at_hand_is_told(tmp_path: Path, environment: dict[str, str]) -> None:
    passwords = tmp_path / "pgpass"
    passwords.write_text("# mine\ndb.acme.example:5432:*:app:very-secret\n*:*:*:x:y\n")
    environment = {name: str(passwords) if value == "pgpass" else value for name, value in environment.items()}
    tried: list[tuple[str, int]] = []

    def reaches(address: tuple[str, int]) -> bool:
        tried.append(address)
        return True

    (found,) = doctor_reach.databases({"HOME": str(tmp_path), **environment}, frozenset(), reaches=reaches)
    assert tried == [("db.acme.example", 5432)]
    assert found.state is State.WEAK
    assert "very-secret" not in found.told + found.mend


@pytest.mark.parametrize("url", ["postgres://[bad", "mysql://db.acme.example:99999/x", "not a url", "redis://:p@/0"])
def test_addresses_that_are_none_do_not_stop_the_doctor(tmp_path: Path, url: str) -> None:
    (found,) = doctor_reach.databases(
        {"HOME": str(tmp_path), "DATABASE_URL": url}, frozenset(), reaches=lambda _: False
    )
    assert found.state is State.GOOD


def test_the_gateways_own_database_port_is_no_finding(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "PGHOST": "db.gateway.example"}
    (found,) = doctor_reach.databases(environment, frozenset({"db.gateway.example"}), reaches=lambda _: True)
    assert found.state is State.GOOD
