"""One line of an access review. Where the lines come from is `holders` and `groups`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hoopweb.reviews.models import HolderKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who or what holds a right. `access` says in words which; `last_used_at` is None for never, or unknown."""

    kind: HolderKind
    subject: UUID
    label: str
    access: str
    since: datetime
    last_used_at: datetime | None = None
