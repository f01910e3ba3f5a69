"""The one way out: a name is resolved once, judged, and dialled at exactly the address that was judged."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from gateway.tenants import egress
from gateway.tenants.checks import egress_lists_are_exact
from gateway.tenants.egress import check_url, fetch, resolve
from gateway.tenants.problems import DestinationRefused, DestinationUnreachable
from tests.edge.certificates import make_certificates

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello"


@dataclass(slots=True)
class Peer:
    """A server that says exactly these bytes to everybody, and keeps what it was asked."""

    says: bytes = PLAIN
    pause_seconds: float = 0.0
    tls: ssl.SSLContext | None = None
    asked: list[bytes] = field(default_factory=list)
    port: int = 0
    _socket: socket.socket | None = None

    def start(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        assert self._socket is not None
        while True:
            try:
                client, _ = self._socket.accept()
                with self.tls.wrap_socket(client, server_side=True) if self.tls else client as wire:
                    self.asked.append(_request(wire))
                    for at in range(len(self.says)) if self.pause_seconds else [0]:
                        wire.sendall(self.says[at : at + 1] if self.pause_seconds else self.says)
                        time.sleep(self.pause_seconds)
            except OSError:
                if self._socket.fileno() == -1:
                    return

    def stop(self) -> None:
        assert self._socket is not None
        self._socket.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/here?a=b"


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def loopback_open(settings: Settings) -> None:
    settings.EGRESS_ALLOWED = ["127.0.0.1/32"]


class Names:
    """The name service of a test: each look-up of a name takes its next answer."""

    def __init__(self, answers: dict[str, list[list[str]]]) -> None:
        self.answers, self.asked = answers, 0

    def __call__(self, host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        if host not in self.answers:
            return socket_getaddrinfo(host, port, type=socket.SOCK_STREAM)
        self.asked += 1
        among = self.answers[host]
        addresses = among.pop(0) if len(among) > 1 else among[0]
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]


socket_getaddrinfo = socket.getaddrinfo


def named(monkeypatch: pytest.MonkeyPatch, **answers: list[list[str]]) -> Names:
    names = Names({name.replace("_", "."): value for name, value in answers.items()})
    monkeypatch.setattr(socket, "getaddrinfo", names)
    return names


def _request(wire: socket.socket) -> bytes:
    data = wire.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
    while len(body) < length:
        more = wire.recv(65536)
        data, body = data + more, body + more
    return data


def speaks_tls(peer: Peer, folder: Path) -> Path:
    """Give the peer a certificate for localhost and 127.0.0.1, and return it."""
    made = make_certificates(folder)
    peer.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    peer.tls.load_cert_chain(made.cert, made.key)
    return made.cert


def test_an_answer_comes_back_whole(peer: Peer, loopback_open: None) -> None:
    answer = fetch(peer.url, headers={"Accept": "text/plain"})
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "text/plain", b"hello")
    (asked,) = peer.asked
    assert asked.startswith(b"GET /here?a=b HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{peer.port}".encode() in asked


def test_a_body_is_posted(peer: Peer, loopback_open: None) -> None:
    fetch(peer.url, method="POST", body=b"a=1", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert peer.asked[0].startswith(b"POST ")
    assert peer.asked[0].endswith(b"\r\n\r\na=1")


def test_loopback_is_shut_until_it_is_opened_by_name(peer: Peer) -> None:
    with pytest.raises(DestinationRefused, match="loopback"):
        fetch(peer.url)
    assert peer.asked == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "017700000001", "[::1]", "[::ffff:127.0.0.1]",
     "169.254.169.254", "[fd00:ec2::254]", "[::ffff:a9fe:a9fe]", "10.0.0.1", "[fe80::1]", "0.0.0.0", "localhost"],
)  # fmt: skip
def test_no_way_of_writing_an_inside_host_gets_through(host: str) -> None:
    with pytest.raises(DestinationRefused):
        fetch(f"https://{host}/")


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "file:///etc/passwd", "gopher://a.example/", "https://", "https:///x", "//a.example/",
     "https://user@a.example/", "https://user:pw@a.example/", "https://a.example/#part", "https://a.example:0/",
     "https://a.example:99999/", "https://a.example:x/", "https://a example/", "https://a.example/\r\nHost: b",
     "https://a.example\\@b.example/", "https://\u0430.example/", "https://[::1/", "https://a..example/", "javascript:1",
     "https://" + "a" * 2000 + ".example/"],
)  # fmt: skip
def test_what_is_no_plain_https_address_is_refused_unresolved(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = named(monkeypatch, a_example=[["93.184.216.34"]])
    with pytest.raises(DestinationRefused):
        check_url(url)
    assert names.asked == 0 or url.endswith(("0/", "99999/"))


def test_clear_text_is_dialled_inside_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, idp_example=[["93.184.216.34"]])
    with pytest.raises(DestinationRefused, match="Only https"):
        check_url("http://idp.example/")


def test_a_name_that_changes_its_meaning_is_dialled_where_it_was_judged(
    peer: Peer, loopback_open: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = named(monkeypatch, rebinding_example=[["127.0.0.1"], ["169.254.169.254"]])
    assert fetch(f"http://rebinding.example:{peer.port}/").body == b"hello"
    assert names.asked == 1
    with pytest.raises(DestinationRefused, match="link-local"):
        fetch(f"http://rebinding.example:{peer.port}/")


def test_one_unfit_address_among_many_refuses_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, mixed_example=[["93.184.216.34", "10.0.0.1"]])
    with pytest.raises(DestinationRefused, match="private"):
        resolve("mixed.example", 443)


def test_what_is_dialled_is_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, db_example=[["93.184.216.34"]])
    found = resolve("db.example", 5432)
    assert (found.host, str(found.address), found.port) == ("db.example", "93.184.216.34", 5432)


def test_a_name_nobody_knows_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, gone_example=[[]])
    with pytest.raises(DestinationUnreachable):
        resolve("gone.example", 443)


def test_our_own_services_are_shut_even_where_their_network_is_open(settings: Settings, loopback_open: None) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:18080"
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:16379/0"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 10025
    for port in (18080, 16379, 10025):
        with pytest.raises(DestinationRefused, match="of this installation"):
            resolve("127.0.0.1", port)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_not_followed(peer: Peer, loopback_open: None, status: int) -> None:
    peer.says = f"HTTP/1.1 {status} Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".encode()
    with pytest.raises(DestinationRefused, match="redirects"):
        fetch(peer.url)
    assert len(peer.asked) == 1


@pytest.mark.parametrize(
    "says",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_an_answer_too_large_encoded_or_broken_off_is_no_answer(peer: Peer, loopback_open: None, says: bytes) -> None:
    peer.says = says
    with pytest.raises(DestinationUnreachable):
        fetch(peer.url, largest_answer=1000)


def test_a_peer_that_drips_is_cut_at_the_limit(peer: Peer, loopback_open: None) -> None:
    peer.pause_seconds = 0.05
    begun = time.monotonic()
    with pytest.raises(DestinationUnreachable):
        fetch(peer.url, timeout_seconds=0.3)
    assert time.monotonic() - begun < 1.0


def test_a_place_where_nobody_listens_is_unreachable(loopback_open: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(DestinationUnreachable):
        fetch(f"http://127.0.0.1:{port}/")


def test_the_certificate_must_be_for_the_name(
    peer: Peer, loopback_open: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = speaks_tls(peer, tmp_path)
    monkeypatch.setattr(egress, "_tls", lambda: ssl.create_default_context(cafile=str(certificate)))
    named(monkeypatch, localhost=[["127.0.0.1"]], other_example=[["127.0.0.1"]])
    assert fetch(f"https://localhost:{peer.port}/").body == b"hello"
    with pytest.raises(DestinationUnreachable):
        fetch(f"https://other.example:{peer.port}/")


def test_an_unknown_authority_is_refused(peer: Peer, loopback_open: None, tmp_path: Path) -> None:
    speaks_tls(peer, tmp_path)
    with pytest.raises(DestinationUnreachable):
        fetch(f"https://127.0.0.1:{peer.port}/")


@pytest.mark.parametrize(("listed", "errors"), [("10.0.0.0/8", 0), ("", 0), ("10.0.0.1/8", 1), ("all", 1)])
def test_an_operators_list_that_cannot_be_read_stops_the_start(settings: Settings, listed: str, errors: int) -> None:
    settings.EGRESS_ALLOWED = [listed]
    assert len(egress_lists_are_exact()) == errors
