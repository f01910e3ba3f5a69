"""One reader for all: its process takes seconds to load the model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.names.reader import START_SECONDS, Reader
from tests.names.places import MODEL


@pytest.fixture(scope="session")
def reader() -> Iterator[Reader]:
    """A real model, loaded. Machines may be slow: it has as long for a reading as for its start."""
    made = Reader(MODEL, read_seconds=START_SECONDS)
    made.start()
    yield made
    made.close()
