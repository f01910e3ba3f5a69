"""What every test may use: the database as the app role sees it, and services of this run alone.

Known people and places are in the conftest of the rooms that own them.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.core.management.commands import flush
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations
from django.db.backends.signals import connection_created
from hypothesis import HealthCheck, settings
from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]  # has no stubs

from hoopweb.stack.services import Services

# No test is timed: a machine under load draws slowly.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Django's own lists of models and rights: the same after each test, and written anew they cost as much as the emptying.
KEPT = frozenset(("django_content_type", "auth_permission"))

AsOwner = Callable[[], AbstractContextManager[None]]


def pytest_collection_finish() -> None:
    """Ten thousand tests and the models of all AWS stay to the end: walking them again and again took a fifth of a run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(services: Services) -> None:
    """The server must be up before pytest-django creates its database on it."""
    assert services.postgres.is_ready()


@pytest.fixture(scope="session", autouse=True)
def flush_reaches_the_ledger() -> Iterator[None]:
    """Emptying after a transactional test must cascade: Django does not manage the ledger's table, and it refers to tenants."""
    plain = DatabaseOperations.sql_flush

    def cascading(self: DatabaseOperations, style: Any, tables: Any, **options: Any) -> Any:
        emptied = [table for table in tables if table not in KEPT]
        return plain(self, style, emptied, **(options | {"allow_cascade": True}))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", cascading)
        patch.setattr(flush, "emit_post_migrate_signal", lambda *_, **__: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def static_files_are_found_once() -> Iterator[None]:
    """Each new test client makes the middleware anew, which looked at every static file again: five sixths of a call."""
    plain = WhiteNoiseMiddleware.add_files_from_finders
    found: dict[str, Any] = {}

    def remembered(self: WhiteNoiseMiddleware) -> None:
        if not found:
            plain(self)
            found.update(self.files)
        self.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", remembered)
        yield


def _step_down(**_: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE; SET session_replication_role = origin; SET ROLE hoopweb_app")


def _step_up() -> None:
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE; SET session_replication_role = replica")


@pytest.fixture(autouse=True)
def app_role(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run every database test as the app role: a superuser's or owner's test of isolation proves nothing."""
    wanted = {"db", "transactional_db", "live_server"} & set(request.fixturenames)
    if not wanted and request.node.get_closest_marker("django_db") is None:
        yield
        return
    request.getfixturevalue("_django_db_helper")
    _step_down()
    # Threads of a test open connections of their own.
    connection_created.connect(_step_down_new, dispatch_uid="tests.app_role")
    yield
    connection_created.disconnect(dispatch_uid="tests.app_role")
    # A test in one transaction is rolled back, role included; a transactional one is emptied by the owner.
    if not connection.in_atomic_block:
        _step_up()


def _step_down_new(connection: Any, **_: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE hoopweb_app")


@pytest.fixture
def as_owner() -> AsOwner:
    """Return a context in which this connection is the owner role: for what the app role must not be able to do."""

    @contextmanager
    def stepped_up() -> Iterator[None]:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SET ROLE hoopweb_app")

    return stepped_up


# Known people and places (tests/people.py), for every room.
pytest_plugins = ("tests.people", "tests.story")
