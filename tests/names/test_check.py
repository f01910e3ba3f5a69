"""`manage.py check` tells of a model that is named and cannot be used, before a call meets it."""

from __future__ import annotations

from pathlib import Path

from django.core.checks import run_checks

from hoopweb.checks import names_model_can_be_used
from tests.names.places import MODEL


def test_no_model_is_no_trouble(settings: object) -> None:
    assert names_model_can_be_used() == []


def test_a_model_that_may_be_used_is_no_trouble(settings: object) -> None:
    settings.NAMES_MODEL = str(MODEL)  # type: ignore[attr-defined]  # pytest-django's wrapper
    assert names_model_can_be_used() == []


def test_a_folder_without_one_is_an_error_that_says_why(settings: object, tmp_path: Path) -> None:
    settings.NAMES_MODEL = str(tmp_path)  # type: ignore[attr-defined]  # pytest-django's wrapper
    [error] = [one for one in run_checks() if one.id == "hoopweb.E001"]
    assert "no meta.json" in error.msg


def test_another_models_bytes_are_an_error(settings: object) -> None:
    settings.NAMES_MODEL = str(MODEL)  # type: ignore[attr-defined]  # pytest-django's wrapper
    settings.NAMES_MODEL_DIGEST = "0" * 64  # type: ignore[attr-defined]
    [error] = names_model_can_be_used()
    assert "not the one that was pinned" in error.msg
