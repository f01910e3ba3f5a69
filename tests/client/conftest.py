"""A machine of its own for each test, with a gateway it can reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.world import Machine, StandIn, standing_in


@pytest.fixture
def gateway() -> Iterator[StandIn]:
    with standing_in() as stand_in:
        yield stand_in


@pytest.fixture
def machine(tmp_path: Path, gateway: StandIn) -> Iterator[Machine]:
    """Not enrolled yet; whatever brokers it starts are ended."""
    machine = Machine(home=tmp_path, gateway=gateway)
    yield machine
    machine.end()


@pytest.fixture
def laptop(machine: Machine) -> Machine:
    """An enrolled machine."""
    machine.enrol()
    return machine
