"""The one way out to a destination a tenant names: resolved once, judged, and dialled at exactly that address.

Which addresses are fit is `gateway.wire.addresses`; what is said there is each room's own matter.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

from django.conf import settings

from gateway.tenants.problems import DestinationRefused, DestinationUnreachable
from gateway.wire.addresses import Address, EgressPolicy, networks, read_address, refusal_of

_LABEL = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.?", re.IGNORECASE | re.ASCII)
# What a path and a query may hold on the wire: no space, no control character, nothing that splits a header.
_TARGET = re.compile(r"/[\x21-\x7e]*", re.ASCII)
_PORTS = {"https": 443, "http": 80}
LONGEST_URL = 2000
TIMEOUT_SECONDS = 5.0
LARGEST_ANSWER = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A host that was resolved and found fit. Dial `address`, never `host` again: the name may mean another by then."""

    host: str
    port: int
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a destination said: a final status, headers by lower-case name, the whole body."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def egress_policy() -> EgressPolicy:
    """The operator's lists, and the addresses of our own services as they stand now."""
    return EgressPolicy(
        allowed=networks(settings.EGRESS_ALLOWED),
        denied=networks(settings.EGRESS_DENIED),
        own=frozenset((address, port) for host, port in _own_services() for address in _known_addresses(host)),
    )


def _known_addresses(host: str) -> frozenset[Address]:
    try:
        return _own_addresses(host)
    except DestinationUnreachable:
        # A name of ours that nobody resolves here leads no tenant to it either.
        return frozenset()


def _own_services() -> list[tuple[str, int]]:
    database = settings.DATABASES["default"]
    found = [(str(database["HOST"]), int(str(database["PORT"])))]
    if settings.EMAIL_HOST:
        found.append((settings.EMAIL_HOST, settings.EMAIL_PORT))
    for url in (settings.CELERY_BROKER_URL, settings.PUBLIC_URL):
        parts = urlsplit(url)
        if parts.hostname:
            found.append((parts.hostname, parts.port or _PORTS.get(parts.scheme, 6379)))
    # A path is a socket in the file system, which no network address reaches.
    return [(host, port) for host, port in found if not host.startswith("/")]


@lru_cache(maxsize=16)
def _own_addresses(host: str) -> frozenset[Address]:
    return frozenset(_resolved(host, 0))


def _resolved(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise DestinationUnreachable(f"The name `{host}` does not resolve") from None
    return [read_address(str(entry[4][0])) for entry in found]


def resolve(host: str, port: int) -> Destination:
    """Resolve a host once and return the one address to dial; raises DestinationRefused or DestinationUnreachable.

    A name with one unfit address among its answers is refused whole: which one is dialled must not be luck.
    """
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (_NAME.fullmatch(bare) or ":" in bare) or _is_odd_number(bare):
        raise DestinationRefused("The host is neither a name nor an address")
    addresses = _resolved(bare, port)
    policy = egress_policy()
    for address in addresses:
        reason = refusal_of(address, port, policy)
        if reason is not None:
            raise DestinationRefused(f"`{bare}` is {reason}")
    return Destination(host=bare, port=port, address=addresses[0])


def _is_odd_number(host: str) -> bool:
    # `127.1`, `0x7f000001` and `2130706433` are addresses to the resolver; nobody writes a host so in earnest.
    last = host.rstrip(".").rsplit(".", 1)[-1]
    if not re.fullmatch(r"[0-9]+|0[xX][0-9a-fA-F]*", last):
        return False
    return not re.fullmatch(r"(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3}", host)


def check_url(url: str) -> Destination:
    """Judge the URL a tenant typed, as `fetch` would; raises DestinationRefused or DestinationUnreachable."""
    return _located(url)[1]


def _located(url: str) -> tuple[str, Destination, str]:
    """Return scheme, destination and request target."""
    if len(url) > LONGEST_URL or not re.fullmatch(r"[\x21-\x7e]+", url):
        raise DestinationRefused("An address is at most 2000 visible ASCII characters")
    try:
        parts = urlsplit(url)
        port = _PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
    except ValueError:
        raise DestinationRefused("The address cannot be read") from None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or "\\" in url or parts.fragment:
        raise DestinationRefused("An address is https://host/path, without user name and fragment")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _TARGET.fullmatch(target):
        raise DestinationRefused("The path cannot be sent")
    found = resolve(parts.hostname, port)
    # Clear text only inside this machine, which an operator must have opened by name.
    if parts.scheme == "http" and not found.address.is_loopback:
        raise DestinationRefused("Only https is dialled")
    return parts.scheme, found, target


def fetch(
    url: str,
    *,
    method: Literal["GET", "POST"] = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    largest_answer: int = LARGEST_ANSWER,
) -> Answer:
    """Ask once and return the whole answer. `timeout_seconds` bounds everything after the name was resolved.

    Raises DestinationRefused for a place that may not be dialled, and for an answer that redirects elsewhere;
    DestinationUnreachable for one that does not answer, answers too slowly or too much.
    """
    scheme, found, target = _located(url)
    try:
        with _dialled(scheme, found, timeout_seconds) as wire:
            wire.request(method, target, body=body, headers={"Accept-Encoding": "identity", **(headers or {})})
            answer = _read(wire.getresponse(), largest_answer)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DestinationUnreachable(f"`{found.host}`: {type(error).__name__}") from None
    if 300 <= answer.status < 400:
        raise DestinationRefused(f"`{found.host}` redirects elsewhere; give the final address")
    return answer


@contextmanager
def _dialled(scheme: str, found: Destination, seconds: float) -> Iterator[http.client.HTTPConnection]:
    with ExitStack() as closing:
        raw = socket.create_connection((str(found.address), found.port), timeout=seconds)
        closing.callback(raw.close)
        # Each single read is bounded by the socket; a peer that drips a byte at a time only by this clock. A handle
        # of its own: TLS takes the other one away.
        handle = closing.enter_context(raw.dup())
        clock = threading.Timer(seconds, _cut, [handle])
        clock.daemon = True
        clock.start()
        closing.callback(clock.cancel)
        wire = http.client.HTTPConnection(found.host, found.port, timeout=seconds)
        closing.callback(wire.close)
        # The port belongs into Host only where it is not the scheme's own.
        wire.default_port = _PORTS[scheme]
        # Certificate and SNI are for the name, whatever address it had.
        wire.sock = _tls().wrap_socket(raw, server_hostname=found.host) if scheme == "https" else raw
        yield wire


def _cut(handle: socket.socket) -> None:
    # Closed already: the fetch ended as its time did.
    with suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _read(answer: http.client.HTTPResponse, largest: int) -> Answer:
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        # We asked for none: a compressed answer could unfold to any size.
        raise DestinationUnreachable("It answered in an encoding nobody asked for")
    body = answer.read(largest + 1)
    if len(body) > largest:
        raise DestinationUnreachable(f"It answered with more than {largest} bytes")
    if answer.length:
        raise DestinationUnreachable("Its answer broke off")
    return Answer(status=answer.status, headers={k.lower(): v for k, v in answer.getheaders()}, body=body)
