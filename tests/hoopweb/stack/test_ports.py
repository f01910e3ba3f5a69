"""Ports for listeners: free now, not of those that outgoing connections are given, and named where one is taken."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hoopweb.stack.plan import WEB_EDGE
from hoopweb.stack.ports import choose, free_port
from hoopweb.stack.problems import PortTaken, StackProblem


def test_a_free_port_can_be_listened_on_and_is_none_of_the_outgoing_ones() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    drawn = {free_port() for _ in range(30)}
    assert len(drawn) > 20
    assert all(port < lowest or lowest <= 10_240 for port in drawn)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", drawn.pop()))
        listener.listen()


def test_zero_asks_for_any_free_port() -> None:
    assert choose(WEB_EDGE, {WEB_EDGE.variable: "0"}) > 1024


def test_a_taken_port_is_told_with_its_variable() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(PortTaken, match=WEB_EDGE.variable):
            choose(WEB_EDGE, {WEB_EDGE.variable: str(listener.getsockname()[1])})


@pytest.mark.parametrize("text", ["http", "-1", "70000", "8080.5"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(StackProblem, match="no port"):
        choose(WEB_EDGE, {WEB_EDGE.variable: text})
