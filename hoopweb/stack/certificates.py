"""The demo's own certificate authority and the edge's TLS certificate, for this machine only.

Production brings its own certificate (HOOPWEB_EDGE_TLS_CERT and _KEY).
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=365)
# Renewed at a start this close to the end, so that a demo never dies of it while it runs.
RENEW_BEFORE = timedelta(days=30)
# What clients may call the gateway: plainly, and where they put buckets and host prefixes before its name.
PLAIN_NAME, OPEN_NAME = "localhost", "hoopweb.localhost"
# Prefixes AWS's models put straight before a host's name, where no wildcard reaches, or two labels deep.
_HOST_PREFIXES = (
    *(f"{name}-" for name in ("analytics", "control-storage", "data", "query", "runtime", "storage")),
    *(f"{name}-" for name in ("stream", "sync", "tags", "workflows")),
    *(f"cp.{name}." for name in ("geofencing", "maps", "metadata", "places", "routes", "tracking")),
)
NAMES = (
    x509.DNSName(PLAIN_NAME),
    # OpenSSL refuses a wildcard right under a top-level name, other libraries take it; the demo's own buckets and
    # account are therefore spelled out as well.
    x509.DNSName("*.localhost"),
    x509.DNSName("*.s3.localhost"),
    x509.DNSName("acme-reports.localhost"),
    x509.DNSName("acme-scratch.localhost"),
    x509.DNSName("123456789012.localhost"),
    x509.DNSName(OPEN_NAME),
    x509.DNSName(f"*.{OPEN_NAME}"),
    x509.DNSName(f"*.s3.{OPEN_NAME}"),
    *(x509.DNSName(f"{prefix}{OPEN_NAME}") for prefix in _HOST_PREFIXES),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Files of the authority clients trust (AWS_CA_BUNDLE), and of the certificate and key the edge serves with."""

    authority: Path
    certificate: Path
    key: Path


def ensure(folder: Path, *, now: datetime) -> Certificates:
    """Return certificates good for at least RENEW_BEFORE, made anew where they are not."""
    files = Certificates(authority=folder / "ca.pem", certificate=folder / "edge.pem", key=folder / "edge-key.pem")
    if not _is_fresh(files, now):
        _issue(files, now)
    return files


def _is_fresh(files: Certificates, now: datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
        key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
        certificate.verify_directly_issued_by(authority)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    is_ours = key.public_key() == certificate.public_key() and tuple(names) == NAMES
    return is_ours and certificate.not_valid_after_utc - now > RENEW_BEFORE


def _issue(files: Certificates, now: datetime) -> None:
    """Make an authority, use it once and forget its key: nobody can ever issue a second certificate under it."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key, now)
    certificate = _leaf(key, authority, authority_key, now)
    _write(files.key, _pem(key), mode=0o600)
    _write(files.certificate, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
    _write(files.authority, authority.public_bytes(serialization.Encoding.PEM), mode=0o644)


def _authority(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hoopweb demo authority (this machine only)")])
    return (
        _builder(name, name, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        # Trusted by mistake in a browser, it still speaks for no other host.
        .add_extension(_only_this_machine(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _leaf(
    key: ec.EllipticCurvePrivateKey, authority: x509.Certificate, signer: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    return (
        _builder(name, authority.subject, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(NAMES), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # A clock a little behind must not refuse a certificate of this minute.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _only_this_machine() -> x509.NameConstraints:
    permitted = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_network("127.0.0.0/8")),
        x509.IPAddress(ipaddress.ip_network("::1/128")),
    ]
    return x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Replace a file whole; the mode holds from its first byte."""
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    partial.replace(path)
