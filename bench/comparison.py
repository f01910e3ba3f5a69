"""A general proxy beside ours: mitmdump in reverse with an addon that logs, over TLS, before the same upstream.

It neither checks signatures nor decides nor masks nor signs anew, and its log is not durable: the ratio flatters it.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from bench.raw import Target
from hoopweb.stack.ports import free_port

MITMDUMP = Path(".tools/bench-venv/bin/mitmdump")
ADDON = Path(__file__).with_name("mitm_addon.py")
LONGEST_START = 60.0


@contextlib.contextmanager
def mitmdump(upstream_url: str, keys: Mapping[str, str]) -> Iterator[tuple[Target, psutil.Process]]:
    """A running mitmdump before the upstream, and its process; nothing of it stays."""
    home, port = Path(tempfile.mkdtemp(prefix="mitmdump-")), free_port()
    argv = [str(MITMDUMP.absolute()), "--quiet", "--mode", f"reverse:{upstream_url}", "--listen-port", str(port)]
    argv += ["--listen-host", "127.0.0.1", "--set", f"confdir={home}", "-s", str(ADDON)]
    argv += ["--set", f"hoopweb_log={home / 'calls.jsonl'}"]
    process = subprocess.Popen(argv, cwd=home)
    try:
        _wait(process, port)
        authority = home / "mitmproxy-ca-cert.pem"
        yield Target(url=f"https://127.0.0.1:{port}", keys=keys, authority=authority), psutil.Process(process.pid)
        if not (home / "calls.jsonl").read_text():
            raise RuntimeError("mitmdump logged nothing")
    finally:
        process.terminate()
        process.wait(timeout=20)
        shutil.rmtree(home)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + LONGEST_START
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"mitmdump did not start (exit {process.poll()})")
