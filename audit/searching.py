"""Finding prompts by their words, on the masked text alone: what was masked can be found by nobody.

Which page of a list it is, is the caller's matter; the text index stands in the migration `prompt_search`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from audit.models import Prompt
from audit.problems import SearchRefused, SearchTooWide
from gateway.tenants.models import Tenant

LONGEST_SEARCH = 200
# More words than a person remembers of one prompt; each costs a walk through the index.
MOST_TERMS = 16
# A search shares the database with admissions: past this, a narrower one is asked for.
TIME_LIMIT_MILLISECONDS = 2_000
_TERM = re.compile(r'"([^"]*)"?|([^\s"]+)')
# The migration takes the same signs out of the text.
_SIGNS = re.compile(r"[!-/:-@\[-`{-~]+")
# The function runs as the table's owner, whom no policy of a reader's period binds: it is told the period.
_SEARCH = """
SELECT audit_search_prompts(%s, %s, %s, NULLIF(current_setting('app.evidence_since', true), '')::timestamptz,
                            NULLIF(current_setting('app.evidence_until', true), '')::timestamptz, %s, %s, %s)
"""


def wanted_of(words: str) -> str:
    """Return the words as PostgreSQL asks for them: all must occur, each as a beginning; in quotes exactly so.

    Raises SearchRefused for nothing to look for, and for more than LONGEST_SEARCH or MOST_TERMS hold.
    """
    if len(words) > LONGEST_SEARCH or "\0" in words:
        raise SearchRefused
    terms = [_term(*found) for found in _TERM.findall(words)]
    given = [term for term in terms if term]
    if not 0 < len(given) <= MOST_TERMS:
        raise SearchRefused
    return " & ".join(given)


def _term(quoted: str, single: str) -> str:
    # Without quotes and backslashes in it, what stands between quotes can only be words.
    text = " ".join(_SIGNS.sub(" ", quoted or single).split())
    if not any(character.isalnum() for character in text):
        return ""
    # One letter begins half the dictionary: it is looked for as it stands.
    return f"'{text}'" if quoted or len(text) == 1 else f"'{text}':*"


def searched(
    *,
    tenant: Tenant,
    words: str,
    conversation: str | None = None,
    before: tuple[datetime, UUID] | None = None,
    most: int,
) -> list[Prompt]:
    """Return at most `most` prompts with these words, newest first, without their sealed texts.

    Raises SearchRefused, and SearchTooWide where the answer would take too long.
    """
    before_at, before_id = before or (None, None)
    wanted = [tenant.pk, wanted_of(words), conversation, before_at, before_id, most]
    rows = Prompt.objects.for_tenant(tenant).filter(pk__in=_found(wanted)).defer("sealed_text", "sealed_salt")
    return list(rows.order_by("-recorded_at", "-id"))


def _found(wanted: Sequence[Any]) -> list[UUID]:
    try:
        # A savepoint: a search that is cut short must not spoil the page's transaction.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {TIME_LIMIT_MILLISECONDS}")
            cursor.execute(_SEARCH, wanted)
            found = [row[0] for row in cursor.fetchall()]
            cursor.execute("SET LOCAL statement_timeout TO DEFAULT")
            return found
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise SearchTooWide from None
        raise
