"""When the person at the browser last proved to be there. Voting asks for a fresh proof."""

from __future__ import annotations

from datetime import UTC, datetime

from django.http import HttpRequest

from gateway.identity.caller import Caller


def signed_in_at(request: HttpRequest) -> datetime:
    """Return when this browser last proved who sits at it; one that never did counts as ancient."""
    caller: Caller | None = getattr(request, "caller", None)
    if caller is None or caller.sign_in is None:
        return datetime.fromtimestamp(0, tz=UTC)
    return caller.sign_in.proved_at
