"""Mutual TLS towards web-edge, served by the very server that serves it: without a certificate nobody is heard."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from gateway.edge.control_http import ControlHttp, Unanswered
from gateway.edge.control_tls import ControlTls
from gateway.edge.identity import Identity
from gateway.edge.settings import BadSettings, EdgeSettings
from gateway.edge.upstream import Pool
from hoopweb.stack.ports import free_port
from tests.edge.certificates import Certificates, issued_by, make_certificates

APP = """
def application(environ, start_response):
    size = int(environ.get("CONTENT_LENGTH") or 0)
    environ["wsgi.input"].read(size)
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", "5")])
    return [b"heard"]
"""


class Hello(msgspec.Struct):
    text: str = "hello"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutual")


@pytest.fixture(scope="module")
def server(folder: Path) -> Certificates:
    return make_certificates(folder)


@pytest.fixture(scope="module")
def authority(folder: Path) -> Certificates:
    (folder / "authority").mkdir()
    return make_certificates(folder / "authority")


@pytest.fixture(scope="module")
def mine(folder: Path, authority: Certificates) -> Certificates:
    """What the operator's authority gave this edge."""
    return issued_by(authority, folder / "mine")


@pytest.fixture(scope="module")
def url(folder: Path, server: Certificates, authority: Certificates) -> Iterator[str]:
    (folder / "heard_app.py").write_text(APP)
    port = free_port()
    tls = ["--ssl-certificate", server.cert, "--ssl-keyfile", server.key, "--ssl-ca", authority.cert]
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--port",
        port,
        *tls,
        "--ssl-client-verify",
        "heard_app:application",
    ]
    process = subprocess.Popen(
        [str(part) for part in command], cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}
    )
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"https://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


async def ask(url: str, state: Path, tls: ControlTls) -> bytes:
    identity = Identity.open(state)
    identity.enrolled(uuid4())
    pool = Pool(tls=tls)
    try:
        return await ControlHttp(urls=[url], identity=identity, pool=pool).post("/x", Hello(), seconds=3)
    finally:
        pool.close()


async def test_with_its_certificate_an_edge_is_heard(
    url: str, tmp_path: Path, server: Certificates, mine: Certificates
) -> None:
    tls = ControlTls(ca=server.cert, cert=mine.cert, key=mine.key)
    assert await ask(url, tmp_path, tls) == b"heard"


async def test_without_one_it_is_not_whatever_it_signs(url: str, tmp_path: Path, server: Certificates) -> None:
    with pytest.raises(Unanswered):
        await ask(url, tmp_path, ControlTls(ca=server.cert, cert=None, key=None))


async def test_nor_with_one_of_another_authority(url: str, tmp_path: Path, server: Certificates) -> None:
    stranger = issued_by(make_certificates(tmp_path), tmp_path / "theirs")
    with pytest.raises(Unanswered):
        await ask(url, tmp_path / "state", ControlTls(ca=server.cert, cert=stranger.cert, key=stranger.key))


async def test_a_control_plane_of_another_authority_is_told_nothing(
    url: str, tmp_path: Path, authority: Certificates, mine: Certificates
) -> None:
    with pytest.raises(Unanswered):
        await ask(url, tmp_path, ControlTls(ca=authority.cert, cert=mine.cert, key=mine.key))


async def test_a_renewed_certificate_is_shown_without_a_restart(
    url: str, tmp_path: Path, server: Certificates, mine: Certificates
) -> None:
    here = issued_by(make_certificates(tmp_path), tmp_path / "here")
    tls = ControlTls(ca=server.cert, cert=here.cert, key=here.key)
    with pytest.raises(Unanswered):
        await ask(url, tmp_path / "state", tls)
    shutil.copy(mine.cert, here.cert)
    # Certificate and key do not fit for a moment: what was good before is still shown.
    before = tls()
    shutil.copy(mine.key, here.key)
    assert tls() is not before
    assert await ask(url, tmp_path / "state", tls) == b"heard"


def test_files_that_cannot_be_read_are_heard_of_at_the_start(tmp_path: Path, mine: Certificates) -> None:
    (tmp_path / "junk").write_text("no certificate")
    with pytest.raises(ssl.SSLError):
        ControlTls(ca=None, cert=tmp_path / "junk", key=mine.key)()
    with pytest.raises(FileNotFoundError):
        ControlTls(ca=None, cert=tmp_path / "none", key=mine.key)()


@pytest.mark.parametrize(
    "changed",
    [
        {"HOOPWEB_CONTROL_CERT": "a.pem"},
        {"HOOPWEB_CONTROL_KEY": "a.key"},
        {"HOOPWEB_CONTROL_CERT": "a.pem", "HOOPWEB_CONTROL_KEY": "a.key", "HOOPWEB_CONTROL_URL": "http://control"},
    ],
    ids=["certificate alone", "key alone", "where nobody would see it"],
)
def test_half_of_a_setting_is_refused(changed: dict[str, str]) -> None:
    told = {
        "HOOPWEB_CONTROL_URL": "https://control",
        "HOOPWEB_EDGE_STATE": "s",
        "HOOPWEB_EDGE_LISTEN_PLAIN": "localhost:1",
    }
    with pytest.raises(BadSettings, match="HOOPWEB_CONTROL_CERT"):
        EdgeSettings.from_environment(told | changed)
