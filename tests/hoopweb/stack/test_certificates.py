"""The demo's certificate: good for this machine, for a year, and for nothing else."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from gateway.wire import tables
from hoopweb.stack import certificates
from hoopweb.stack.certificates import LIFETIME, RENEW_BEFORE, Certificates, ensure

NOW = datetime.now(UTC)


def _handshake(files: Certificates, name: str) -> None:
    """Serve one TLS connection with the certificate and connect to it as a client that trusts the authority."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    client = ssl.create_default_context(cafile=str(files.authority))
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # the default of later Pythons
    ours, theirs = socket.socketpair()
    answering = threading.Thread(target=_answer, args=(server, theirs))
    answering.start()
    try:
        with client.wrap_socket(ours, server_hostname=name) as connection:
            assert connection.recv(2) == b"ok"
    finally:
        ours.close()
        answering.join()


def _answer(context: ssl.SSLContext, connection: socket.socket) -> None:
    with connection:
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.sendall(b"ok")
        except (ssl.SSLError, OSError):
            return  # the client's own refusal is what the test looks at


TRUSTED = ["localhost", "127.0.0.1", "acme-reports.localhost", "any.s3.localhost", "::1", "hoopweb.localhost"]
# As botocore builds them with the endpoint https://hoopweb.localhost.
PREFIXED = ["any-bucket.hoopweb.localhost", "123456789012.hoopweb.localhost", "any.s3.hoopweb.localhost"]


@pytest.mark.parametrize("name", [*TRUSTED, *PREFIXED])
def test_clients_trust_it_for_this_machine(tmp_path: Path, name: str) -> None:
    _handshake(ensure(tmp_path, now=NOW), name)


def test_it_serves_every_host_prefix_of_awss_models(tmp_path: Path) -> None:
    prefixes = {
        operation.host_prefix.format(AccountId="123456789012", RequestRoute="route", graphIdentifier="g-1")
        for service in tables.index().services
        for operation in tables.service(service).operations.values()
    }
    assert len(prefixes) > 30
    certificate = x509.load_pem_x509_certificate(ensure(tmp_path, now=NOW).certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    served = set(names.get_values_for_type(x509.DNSName))
    for prefix in prefixes:
        name = f"{prefix}hoopweb.localhost"
        assert name in served or f"*.{name.partition('.')[2]}" in served, name


def test_one_for_fewer_names_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "NAMES", certificates.NAMES[:3])
    before = ensure(tmp_path, now=NOW).certificate.read_bytes()
    monkeypatch.undo()
    assert ensure(tmp_path, now=NOW).certificate.read_bytes() != before
    _handshake(ensure(tmp_path, now=NOW), "any-bucket.hoopweb.localhost")


@pytest.mark.parametrize("name", ["example.com", "s3.amazonaws.com", "localhost.example.com", "10.0.0.1"])
def test_clients_refuse_it_for_any_other(tmp_path: Path, name: str) -> None:
    files = ensure(tmp_path, now=NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(files, name)


def test_the_authority_may_speak_for_no_other_host(tmp_path: Path) -> None:
    authority = x509.load_pem_x509_certificate(ensure(tmp_path, now=NOW).authority.read_bytes())
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    permitted = {str(name.value) for name in constraints.value.permitted_subtrees or ()}
    assert permitted == {"localhost", "127.0.0.0/8", "::1/128"}


def test_the_authoritys_key_is_kept_nowhere(tmp_path: Path) -> None:
    ensure(tmp_path, now=NOW)
    assert {path.name for path in tmp_path.iterdir()} == {"ca.pem", "edge.pem", "edge-key.pem"}
    assert "PRIVATE" not in (tmp_path / "ca.pem").read_text()


def test_the_key_is_its_owners_alone(tmp_path: Path) -> None:
    assert stat.S_IMODE(ensure(tmp_path, now=NOW).key.stat().st_mode) == 0o600


def test_a_second_start_keeps_it(tmp_path: Path) -> None:
    before = ensure(tmp_path, now=NOW).certificate.read_bytes()
    assert ensure(tmp_path, now=NOW).certificate.read_bytes() == before


def test_it_is_renewed_before_it_ends(tmp_path: Path) -> None:
    before = ensure(tmp_path, now=NOW).certificate.read_bytes()
    almost = NOW + LIFETIME - RENEW_BEFORE
    assert ensure(tmp_path, now=almost - timedelta(days=1)).certificate.read_bytes() == before
    assert ensure(tmp_path, now=almost + timedelta(days=1)).certificate.read_bytes() != before


@pytest.mark.parametrize("name", ["ca.pem", "edge.pem", "edge-key.pem"])
@pytest.mark.parametrize("damage", ["removed", "cut short", "another's"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, name: str, damage: str) -> None:
    files = ensure(tmp_path, now=NOW)
    (tmp_path / "other").mkdir()
    other = ensure(tmp_path / "other", now=NOW).certificate.with_name(name).read_bytes()
    broken = tmp_path / name
    match damage:
        case "removed":
            broken.unlink()
        case "cut short":
            broken.write_bytes(broken.read_bytes()[:60])
        case _:
            broken.write_bytes(other)
    _handshake(ensure(tmp_path, now=NOW), "localhost")
    assert files.key.exists()
