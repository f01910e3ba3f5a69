"""mitmdump's half of the comparison: one JSON line a call, as a plain audit of a reverse proxy is written.

Loaded by mitmdump (`-s bench/mitm_addon.py --set hoopweb_log=FILE`), which brings its own interpreter.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TextIO

from mitmproxy import ctx  # only there where mitmdump runs


class Audit:
    """Writes a call when its answer is whole, as an addon gets to see it; nothing waits for the disk."""

    def __init__(self) -> None:
        self._file: TextIO | None = None

    def load(self, loader: Any) -> None:
        loader.add_option("hoopweb_log", str, "", "where the lines go")

    def running(self) -> None:
        self._file = Path(ctx.options.hoopweb_log).open("a", buffering=1)  # noqa: SIM115  # open as long as the process

    def response(self, flow: Any) -> None:
        if self._file is not None:
            told = {
                "at": flow.request.timestamp_start,
                "method": flow.request.method,
                "url": flow.request.pretty_url,
                "headers": list(flow.request.headers.items()),
                "body": flow.request.get_text(strict=False),
                "status": flow.response.status_code,
                "answer": flow.response.get_text(strict=False),
            }
            self._file.write(json.dumps(told) + "\n")


addons = [Audit()]
