"""The stand-in AWS's own record of what reached it: one JSON line a request, written before it is handled.

Tests hold it against hoopweb's tables, so nothing of hoopweb may write it but this.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

# A form past this is no AWS query call; its action is then left unread rather than buffered.
LARGEST_FORM_BYTES = 1024 * 1024
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/")


class AccessLog:
    """WSGI middleware. A line is in the file before the application sees the request."""

    def __init__(self, application: Application, path: Path) -> None:
        self._application = application
        # Appended by one write each: lines of several threads never mix.
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        line = json.dumps(describe(environ, now=datetime.now(UTC)), separators=(",", ":"))
        os.write(self._file, line.encode() + b"\n")
        return self._application(environ, start_response)


def describe(environ: Environ, *, now: datetime) -> dict[str, Any]:
    """Say who asked what. Of the credentials only the access key id, of the session token only whether there is one."""
    credential = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    return {
        "time": now.isoformat(),
        "method": environ.get("REQUEST_METHOD", ""),
        "path": environ.get("RAW_URI") or environ.get("PATH_INFO", ""),
        "host": environ.get("HTTP_HOST", ""),
        "user_agent": environ.get("HTTP_USER_AGENT", ""),
        "target": environ.get("HTTP_X_AMZ_TARGET", ""),
        "action": _action(environ),
        "access_key": credential.group(1) if credential else "",
        "has_session_token": "HTTP_X_AMZ_SECURITY_TOKEN" in environ,
    }


def _action(environ: Environ) -> str:
    """Return the Action of a query call, from the query string or from a form that is put back unread."""
    in_query = parse_qs(str(environ.get("QUERY_STRING", ""))).get("Action")
    if in_query:
        return in_query[0]
    length = environ.get("CONTENT_LENGTH") or "0"
    is_form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    if not is_form or not length.isdecimal() or int(length) > LARGEST_FORM_BYTES:
        return ""
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(body)
    return parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
