"""A machine of its own for each test, with a gateway it can reach."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.world import Machine, StandIn, standing_in


@pytest.fixture
def gateway() -> Iterator[StandIn]:
    with standing_in() as stand_in:
        yield stand_in


@pytest.fixture
def machine(gateway: StandIn) -> Iterator[Machine]:
    """Not enrolled yet; whatever brokers it starts are ended. Its home is short, as people's are: a socket lies in it."""
    with tempfile.TemporaryDirectory(prefix="hw-") as home:
        machine = Machine(home=Path(home), gateway=gateway)
        yield machine
        machine.end()


@pytest.fixture
def laptop(machine: Machine) -> Machine:
    """An enrolled machine."""
    machine.enrol()
    return machine
