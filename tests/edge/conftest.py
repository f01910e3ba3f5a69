"""Async tests run each in a fresh uvloop, as the edge itself does; certificates are made once."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.edge.certificates import Certificates, make_certificates
from tests.edge.world import World, Worlds


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    uvloop.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def world(tmp_path: Path, certificates: Certificates) -> Worlds:
    """Return a maker of worlds: `async with world() as w` has a running edge, control plane and AWS."""

    @asynccontextmanager
    async def make(**settings: Any) -> AsyncIterator[World]:
        made = World(folder=tmp_path, certificates=certificates, settings=settings)
        try:
            await made.start()
            yield made
        finally:
            await made.stop()

    return make
