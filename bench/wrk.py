"""wrk as the client: the same signed request over keep-alive connections, by a program that costs next to nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from bench.raw import BODY, Target

WRK = shutil.which("wrk")


def throughput(target: Target, *, connections: int, seconds: float) -> float:
    """Calls a second at so many connections. Raises RuntimeError when any call was not answered well."""
    if WRK is None:
        raise RuntimeError("wrk is not installed")
    script = "wrk.method = 'POST'\n" + f"wrk.body = {_lua(BODY.decode())}\n"
    # wrk adds a Host of its own unless it finds one spelled so.
    named = ((name.title(), value) for name, value in target.headers())
    script += "".join(f"wrk.headers[{_lua(name)}] = {_lua(value)}\n" for name, value in named)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        argv = [WRK, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", file.name, target.url + "/"]
        told = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + 30, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    if rate is None or "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(f"not all calls were answered: {told}")
    return float(rate[1])


def _lua(text: str) -> str:
    """A Lua string: JSON's quoting is Lua's for the plain text of headers and of this body."""
    return json.dumps(text)


def version() -> str:
    """`wrk 4.1.0`, as it says itself; with its path, since nothing pins it."""
    if WRK is None:
        return "no wrk here (Debian: apt-get install wrk)"
    # It prints its version with its usage, and counts that as a failure.
    told = subprocess.run([WRK, "-v"], capture_output=True, text=True, check=False).stdout
    return f"{' '.join(told.split()[:2])} at {Path(WRK)}"
