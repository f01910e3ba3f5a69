"""When the person at the browser last proved to be there. Voting asks for a fresh proof."""

from __future__ import annotations

from datetime import UTC, datetime

from django.http import HttpRequest

_SIGNED_IN_AT = "signed_in_at"


def remember_sign_in(request: HttpRequest, now: datetime) -> None:
    request.session[_SIGNED_IN_AT] = int(now.timestamp())


def signed_in_at(request: HttpRequest) -> datetime:
    """Return when this browser's session was opened; a session that does not know counts as ancient."""
    return datetime.fromtimestamp(request.session.get(_SIGNED_IN_AT, 0), tz=UTC)
