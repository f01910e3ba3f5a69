"""What an edge is told by its environment, read once at start.

Limits that no operator should tune stand beside the code they protect (`http1`, `walk`, `control`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit


class BadSettings(Exception):
    """The environment is not one an edge can start from; the text names the variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """One field per variable; the variable's name stands beside it."""

    listen: Address | None  # HOOPWEB_EDGE_LISTEN: host:port of the TLS listener
    tls_cert: Path | None  # HOOPWEB_EDGE_TLS_CERT: PEM chain, needed with a TLS listener
    tls_key: Path | None  # HOOPWEB_EDGE_TLS_KEY: PEM key of the chain
    listen_plain: Address | None  # HOOPWEB_EDGE_LISTEN_PLAIN: host:port without TLS, loopback only
    listen_health: Address | None  # HOOPWEB_EDGE_HEALTH: host:port that answers /-/ready and /-/live
    control_urls: tuple[str, ...]  # HOOPWEB_CONTROL_URL: web-edge, comma-separated for failover
    control_ca: Path | None  # HOOPWEB_CONTROL_CA: CA file of web-edge's certificate, instead of the public ones
    control_cert: Path | None  # HOOPWEB_CONTROL_CERT: PEM chain this edge shows web-edge (mutual TLS)
    control_key: Path | None  # HOOPWEB_CONTROL_KEY: PEM key of that chain
    state: Path  # HOOPWEB_EDGE_STATE: folder of the edge's key, id and journal
    enrol_token: str  # HOOPWEB_EDGE_ENROL_TOKEN: one-time, used only while not enrolled
    name: str  # HOOPWEB_EDGE_NAME: what people call this edge
    gateway_names: tuple[str, ...]  # HOOPWEB_GATEWAY_NAMES: what clients call this edge, comma-separated
    upstream_ca: Path | None  # HOOPWEB_EDGE_UPSTREAM_CA: further CA file trusted for upstream TLS
    journal_max_bytes: int  # HOOPWEB_EDGE_JOURNAL_MAX_BYTES: past this the edge stops admitting
    journal_fsync: bool  # HOOPWEB_EDGE_JOURNAL_FSYNC: 1 waits for the disk before each forward
    max_connections: int  # HOOPWEB_EDGE_MAX_CONNECTIONS: clients connected at once
    buffer_bytes: int  # HOOPWEB_EDGE_BUFFER_BYTES: all buffered bodies together
    control_seconds: float  # HOOPWEB_EDGE_CONTROL_SECONDS: how long an admission may go unanswered
    upstream_seconds: float  # HOOPWEB_EDGE_UPSTREAM_SECONDS: longest silence of an upstream
    names_model: (
        Path | None
    )  # HOOPWEB_NAMES_MODEL: folder of the model that finds people's names, where policy masks them
    names_model_digest: str  # HOOPWEB_NAMES_MODEL_DIGEST: what its files must be

    def __repr__(self) -> str:
        """Without the token: settings end up in logs."""
        return f"EdgeSettings(name={self.name!r}, listen={self.listen}, control_urls={self.control_urls})"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> EdgeSettings:
        """Read and check every variable; raises BadSettings naming the first that is wrong."""
        settings = cls(
            listen=_address(environ, "HOOPWEB_EDGE_LISTEN"),
            tls_cert=_path(environ, "HOOPWEB_EDGE_TLS_CERT"),
            tls_key=_path(environ, "HOOPWEB_EDGE_TLS_KEY"),
            listen_plain=_address(environ, "HOOPWEB_EDGE_LISTEN_PLAIN"),
            listen_health=_address(environ, "HOOPWEB_EDGE_HEALTH"),
            control_urls=_urls(environ, "HOOPWEB_CONTROL_URL"),
            control_ca=_path(environ, "HOOPWEB_CONTROL_CA"),
            control_cert=_path(environ, "HOOPWEB_CONTROL_CERT"),
            control_key=_path(environ, "HOOPWEB_CONTROL_KEY"),
            state=Path(_required(environ, "HOOPWEB_EDGE_STATE")),
            enrol_token=environ.get("HOOPWEB_EDGE_ENROL_TOKEN", "").strip(),
            name=environ.get("HOOPWEB_EDGE_NAME", "edge"),
            gateway_names=_names(environ, "HOOPWEB_GATEWAY_NAMES", "localhost"),
            upstream_ca=_path(environ, "HOOPWEB_EDGE_UPSTREAM_CA"),
            journal_max_bytes=int(_number(environ, "HOOPWEB_EDGE_JOURNAL_MAX_BYTES", 256 * 1024 * 1024)),
            journal_fsync=_number(environ, "HOOPWEB_EDGE_JOURNAL_FSYNC", 0) == 1,
            max_connections=int(_number(environ, "HOOPWEB_EDGE_MAX_CONNECTIONS", 2048)),
            buffer_bytes=int(_number(environ, "HOOPWEB_EDGE_BUFFER_BYTES", 128 * 1024 * 1024)),
            control_seconds=_number(environ, "HOOPWEB_EDGE_CONTROL_SECONDS", 10.0),
            # Lambda may run a synchronous invocation for 15 minutes before its first byte.
            upstream_seconds=_number(environ, "HOOPWEB_EDGE_UPSTREAM_SECONDS", 900.0),
            names_model=_path(environ, "HOOPWEB_NAMES_MODEL"),
            names_model_digest=environ.get("HOOPWEB_NAMES_MODEL_DIGEST", "").strip(),
        )
        settings._check()
        return settings

    def _check(self) -> None:
        if self.listen is None and self.listen_plain is None:
            raise BadSettings("set HOOPWEB_EDGE_LISTEN or HOOPWEB_EDGE_LISTEN_PLAIN to host:port")
        if self.listen is not None and (self.tls_cert is None or self.tls_key is None):
            raise BadSettings("HOOPWEB_EDGE_LISTEN needs HOOPWEB_EDGE_TLS_CERT and HOOPWEB_EDGE_TLS_KEY")
        if (self.control_cert is None) != (self.control_key is None):
            raise BadSettings("HOOPWEB_CONTROL_CERT and HOOPWEB_CONTROL_KEY go together")
        # A certificate shown to nobody would be a promise not kept.
        if self.control_cert is not None and not all(url.startswith("https://") for url in self.control_urls):
            raise BadSettings("HOOPWEB_CONTROL_CERT needs https:// addresses in HOOPWEB_CONTROL_URL")
        # Credentials' signatures and answers would cross the network in the clear.
        if self.listen_plain is not None and not _is_loopback(self.listen_plain.host):
            raise BadSettings("HOOPWEB_EDGE_LISTEN_PLAIN must be a loopback address")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise BadSettings(f"{name} is not set")
    return value


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    value = environ.get(name, "").strip()
    return Path(value) if value else None


def _number(environ: Mapping[str, str], name: str, default: float) -> float:
    value = environ.get(name, "").strip()
    if not value:
        return default
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e15:
        raise BadSettings(f"{name} is not a number the edge can use")
    return number


def _address(environ: Mapping[str, str], name: str) -> Address | None:
    value = environ.get(name, "").strip()
    if not value:
        return None
    host, _, port = value.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise BadSettings(f"{name} must be host:port")
    return Address(host=host.strip("[]"), port=int(port))


def _names(environ: Mapping[str, str], name: str, default: str) -> tuple[str, ...]:
    """Host names without port. The control plane reads the same variable; both must be told the same."""
    return tuple(part.strip().lower() for part in (environ.get(name) or default).split(",") if part.strip())


def _urls(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    urls = tuple(url.strip().rstrip("/") for url in _required(environ, name).split(",") if url.strip())
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise BadSettings(f"{name} must hold http:// or https:// addresses")
    if not urls:
        raise BadSettings(f"{name} is not set")
    return urls
