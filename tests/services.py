"""Private PostgreSQL and Valkey for a test run, as a pytest plugin (`-p tests.services` in pyproject.toml).

Their addresses are chosen when the plugin loads, before Django reads its settings; they are started by the first
test that needs them, so that pure tests cost nothing.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hoopweb.stack import postgres
from hoopweb.stack.ports import free_port
from hoopweb.stack.services import RunningServices, Services, remove, run, services
from hoopweb.stack.state import State

os.umask(0o022)
PRIVATE: Services = services(
    State(root=Path(tempfile.mkdtemp(prefix="hoopweb-test-"))),
    valkey_port=free_port(),
    settings=postgres.UNSAFE_AND_FAST,
)
# The owner creates and migrates the test database; each test then steps down to the app role (tests/conftest.py).
os.environ.update(PRIVATE.environment(role=postgres.OWNER))


def pytest_unconfigure() -> None:
    remove(PRIVATE)


@pytest.fixture(scope="session")
def services_running() -> Iterator[RunningServices]:
    """PostgreSQL and Valkey up, roles made. Database tests get them through `django_db_setup`."""
    running = run(PRIVATE)
    try:
        with PRIVATE.postgres.connect(postgres.SUPERUSER, PRIVATE.passwords.superuser, "postgres") as connection:
            connection.execute("ALTER ROLE hoopweb_owner CREATEDB")
            # Emptying append-only tables after a transactional test needs their triggers asleep.
            connection.execute("GRANT SET ON PARAMETER session_replication_role TO hoopweb_owner")
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session", name="services")
def _services(services_running: RunningServices) -> Services:
    return services_running.services
