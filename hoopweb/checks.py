"""What `manage.py check` says of the installation besides its database: settings that would only fail at a call.

The database's own checks are `gateway.tenants.checks`'.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from gateway.names.model import BadModel, check


def names_model_can_be_used(**_: Any) -> list[CheckMessage]:
    """A model that is named must be one: otherwise each answer that asks for people's names would be withheld."""
    if not settings.NAMES_MODEL:
        return []
    try:
        check(Path(settings.NAMES_MODEL), digest=settings.NAMES_MODEL_DIGEST)
    except BadModel as error:
        return [
            Error(
                f"HOOPWEB_NAMES_MODEL names a folder that cannot be used: {error}",
                hint="See docs/operations.md, Names of people. Until then answers that policy asks names of are withheld.",
                id="hoopweb.E001",
            )
        ]
    return []
