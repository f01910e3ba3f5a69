"""The compiled tables, made once if they are missing or stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.wire import tables, tables_compiler


@pytest.fixture(scope="session", autouse=True)
def compiled_tables() -> Path:
    tables_compiler.compile_tables(tables.FOLDER)
    return tables.FOLDER
