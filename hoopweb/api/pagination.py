"""Keyset pages: an opaque, strict cursor and no counts. OFFSET costs 300 times more at depth.

The order is always newest first; which rows are listed is the selectors' matter.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from hoopweb.api.errors import Malformed

LARGEST_PAGE = 100
USUAL_PAGE = 50
# Enough for the longest list name with a time and an id; anything longer is not ours.
_LONGEST_CURSOR = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LARGEST_BIGINT = 2**63 - 1


def _time(text: str) -> datetime:
    return _EPOCH + int(text) * _MICROSECOND


def _sequence(text: str) -> int:
    value = int(text)
    if value > _LARGEST_BIGINT:
        raise ValueError(text)
    return value


_WRITE: dict[type, Callable[[Any], str]] = {
    datetime: lambda at: str((at - _EPOCH) // _MICROSECOND),
    UUID: lambda id_: str(id_.hex),
    int: str,
}
_READ: dict[type, tuple[re.Pattern[str], Callable[[str], Any]]] = {
    datetime: (re.compile(r"[0-9]{1,18}", re.ASCII), _time),
    UUID: (re.compile(r"[0-9a-f]{32}", re.ASCII), UUID),
    int: (re.compile(r"[0-9]{1,19}", re.ASCII), _sequence),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some rows and the cursor of those that follow; None when there are none."""

    items: Sequence[Any]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyset:
    """One list's order: fields from the most to the least significant, all descending, the last one unique.

    `name` is in every cursor, so that a cursor of one list is refused by another.
    """

    name: str
    fields: Mapping[str, type]

    def write(self, row: Any) -> str:
        values = (_WRITE[kind](getattr(row, field)) for field, kind in self.fields.items())
        return base64.urlsafe_b64encode(":".join((self.name, *values)).encode()).decode().rstrip("=")

    def read(self, cursor: str) -> list[Any]:
        """Return one value a field; raises Malformed for anything this list did not write itself."""
        try:
            parts = self._parts(cursor)
            return [self._value(kind, text) for kind, text in zip(self.fields.values(), parts, strict=True)]
        except (ValueError, OverflowError):
            raise Malformed("`cursor` is not one this list gave") from None

    def _parts(self, cursor: str) -> list[str]:
        if len(cursor) > _LONGEST_CURSOR:
            raise ValueError
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except binascii.Error:
            raise ValueError from None
        name, *parts = raw.decode("ascii").split(":")
        if name != self.name:
            raise ValueError
        return parts

    @staticmethod
    def _value(kind: type, text: str) -> Any:
        pattern, read = _READ[kind]
        if not pattern.fullmatch(text):
            raise ValueError
        return read(text)

    def after(self, cursor: str) -> Q:
        """Rows that follow the cursor's. The outer bound lets the index start there; the rest breaks ties."""
        (first, *others), (value, *rest) = list(self.fields), self.read(cursor)
        if not others:
            return Q(**{f"{first}__lt": value})
        return Q(**{f"{first}__lte": value}) & (Q(**{f"{first}__lt": value}) | Q(**{f"{others[0]}__lt": rest[0]}))

    def page(self, rows: QuerySet[Any], *, cursor: str | None = None, limit: int) -> Page:
        """Take one page, reading one row more than shown to learn whether another follows."""
        wanted = rows.filter(self.after(cursor)) if cursor else rows
        found = list(wanted.order_by(*(f"-{field}" for field in self.fields))[: limit + 1])
        return self.cut(found, limit=limit)

    def cut(self, found: Sequence[Any], *, limit: int) -> Page:
        """Make a page of rows already in this order, read one further than shown."""
        shown = found[:limit]
        return Page(items=shown, next=self.write(shown[-1]) if len(found) > limit else None)


def newest(name: str, at: str) -> Keyset:
    """The usual order: by a time, then by id."""
    return Keyset(name=name, fields={at: datetime, "id": UUID})
