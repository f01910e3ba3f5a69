"""Whether this process can serve, for the supervisor and load balancers: no tenant, no caller, no data."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 with {"status": "ok"} when the database answers, else 503. Says nothing else: anybody may ask."""
    is_well = _database_answers()
    answer = JsonResponse({"status": "ok" if is_well else "unavailable"}, status=200 if is_well else 503)
    answer["Cache-Control"] = "no-store"
    return answer
