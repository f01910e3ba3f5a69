"""Which addresses a tenant's destination may have: the table of what is shut, and what an operator can open."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.addresses import EgressPolicy, networks, read_address, refusal_of

NOTHING_OPENED = EgressPolicy()
EVERYTHING_OPENED = EgressPolicy(allowed=networks(["0.0.0.0/0", "::/0"]))


def refused(address: str, policy: EgressPolicy = NOTHING_OPENED, port: int = 443) -> bool:
    return refusal_of(read_address(address), port, policy) is not None


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::5db8:d822"])
def test_a_public_address_is_dialled(address: str) -> None:
    assert not refused(address)


NEVER = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "168.63.129.16",
    "100.100.100.200",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "240.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:93.184.216.34",
    "::127.0.0.1",
    "::169.254.169.254",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "2001:0:a9fe:a9fe::1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a9fe:a9fe",
    "fec0::1",
    "127.0.0.1",
    "127.255.0.3",
    "::1",
]


@pytest.mark.parametrize("address", NEVER)
def test_no_wide_entry_opens_what_is_always_shut(address: str) -> None:
    assert refused(address)
    assert refused(address, EVERYTHING_OPENED)


PRIVATE = ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd12::1", "198.18.0.1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_range_is_shut_until_the_operator_opens_it(address: str) -> None:
    assert refused(address)
    assert not refused(address, EVERYTHING_OPENED)


def test_opening_one_range_opens_no_other() -> None:
    policy = EgressPolicy(allowed=networks(["10.1.0.0/16"]))
    assert not refused("10.1.2.3", policy)
    assert refused("10.2.2.3", policy)
    assert refused("192.168.1.1", policy)


@pytest.mark.parametrize(("entry", "address"), [("127.0.0.1/32", "127.0.0.1"), ("::1/128", "::1")])
def test_loopback_opens_only_to_an_entry_inside_it(entry: str, address: str) -> None:
    assert not refused(address, EgressPolicy(allowed=networks([entry])))
    assert refused("127.0.0.2", EgressPolicy(allowed=networks([entry])))


def test_our_own_service_stays_shut_where_its_network_is_open() -> None:
    own = frozenset({(read_address("10.1.2.3"), 5432)})
    policy = EgressPolicy(allowed=networks(["10.0.0.0/8"]), own=own)
    assert refused("10.1.2.3", policy, port=5432)
    assert not refused("10.1.2.3", policy, port=5433)


def test_what_the_operator_denies_wins() -> None:
    policy = EgressPolicy(allowed=networks(["10.0.0.0/8"]), denied=networks(["10.9.0.0/16", "93.184.216.0/24"]))
    assert refused("10.9.0.1", policy)
    assert refused("93.184.216.34", policy)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_what_is_no_port_is_refused(port: int) -> None:
    assert refused("93.184.216.34", port=port)


@given(plain=st.ip_addresses(v=4), prefix=st.sampled_from([0, 0xFFFF << 32, 0x64FF9B << 96]))
def test_no_way_to_write_an_ipv4_address_in_ipv6_opens_more_than_the_address_itself(
    plain: IPv4Address, prefix: int
) -> None:
    written = IPv6Address(prefix | int(plain))
    if not refused(str(written)):
        assert not refused(str(plain))


@pytest.mark.parametrize("text", ["10.0.0.1/8", "nonsense", "10.0.0.0/33", "::/129"])
def test_an_operators_list_that_is_not_exact_stops_the_start(text: str) -> None:
    with pytest.raises(ValueError):
        networks([text])
