"""Which network addresses a destination named by a tenant may have. Pure: an address and a policy in, a reason out.

Resolving names and dialling belong to `gateway.tenants.egress`, and to the edge for databases.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Where clouds hand credentials to whoever asks from inside. Never opened, whatever an operator lists.
_METADATA: tuple[Network, ...] = (
    ip_network("169.254.0.0/16"),  # EC2, ECS and EKS pod identity
    ip_network("fd00:ec2::/32"),  # the same over IPv6
    ip_network("168.63.129.16/32"),  # Azure's, in a public range
    ip_network("100.100.100.200/32"),  # Alibaba's, in the shared range
)
_LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
# IPv6-only networks reach IPv4 hosts through this prefix (RFC 6052): the address inside is what is judged.
_NAT64 = ip_network("64:ff9b::/96")
# Other ways to write an IPv4 address in IPv6. No honest name resolves to one.
_DISGUISES: tuple[Network, ...] = tuple(
    ip_network(text) for text in ("::ffff:0:0/96", "::/96", "2002::/16", "2001::/32", "64:ff9b:1::/48", "fec0::/10")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressPolicy:
    """What the operator of an installation opened and closed.

    `allowed` opens private ranges, and loopback where an entry lies wholly inside it. `denied` wins over all.
    `own` are (address, port) of our own services, which no tenant's destination may be.
    """

    allowed: tuple[Network, ...] = ()
    denied: tuple[Network, ...] = ()
    own: frozenset[tuple[Address, int]] = frozenset()


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read CIDR texts; raises ValueError for one that is none, or has host bits set."""
    return tuple(ip_network(text.strip()) for text in texts if text.strip())


def read_address(text: str) -> Address:
    """Read one address; raises ValueError. An IPv6 zone (`%eth0`) is kept, and judged as link-local."""
    return ip_address(text)


def refusal_of(address: Address, port: int, policy: EgressPolicy) -> str | None:
    """Say why this address may not be dialled, or None where it may."""
    if isinstance(address, IPv6Address):
        if address == IPv6Address("::1"):
            return _refusal(address, port, policy)
        if _in(address, [_NAT64]):
            return _refusal(IPv4Address(int(address) & 0xFFFFFFFF), port, policy)
        if _in(address, _DISGUISES):
            return "an IPv4 address written as IPv6, or a range long abolished"
    return _refusal(address, port, policy)


def _refusal(address: Address, port: int, policy: EgressPolicy) -> str | None:
    if not 0 < port < 65536:
        return "no port"
    if address.is_link_local or _in(address, _METADATA):
        return "link-local, where clouds keep credentials"
    if address.is_unspecified or address.is_multicast or _is_reserved(address):
        return "not one host's address"
    if (address, port) in policy.own:
        return "a service of this installation"
    if _in(address, policy.denied):
        return "denied by the operator"
    if address.is_loopback:
        return None if _in(address, _inside_loopback(policy.allowed)) else "loopback"
    if address.is_global or _in(address, policy.allowed):
        return None
    return "a private range the operator has not opened"


def _is_reserved(address: Address) -> bool:
    # Python counts all IPv6 beyond 2000::/3 as reserved, the private range fc00::/7 not among it.
    return address.is_reserved and not address.is_loopback


def _inside_loopback(allowed: Iterable[Network]) -> list[Network]:
    # An entry as wide as 0.0.0.0/0 must not open this very machine by accident.
    return [one for one in allowed if any(one.version == loop.version and one.subnet_of(loop) for loop in _LOOPBACK)]  # type: ignore[arg-type]  # versions are equal


def _in(address: Address, among: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in among)
