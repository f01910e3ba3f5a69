"""An agent's main process as hooks and shells see one: they hang below it, each with what real agents give them.

`python agent_process.py` reads one JSON order a line ({"id", "argv", "env", "given", "cwd"}), starts it as its own child,
and writes {"id", "status", "out", "err"} when it has ended. Nobody stands above it: it leaves its own parent first, so
that a test run from an agent's shell is no agent's shell to the hooks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import Any

_said = threading.Lock()


def obey(order: dict[str, Any]) -> None:
    ran = subprocess.run(
        order["argv"], env=order["env"], input=order["given"], cwd=order["cwd"],
        capture_output=True, text=True, check=False, start_new_session=True,
    )  # fmt: skip
    told = {"id": order["id"], "status": ran.returncode, "out": ran.stdout, "err": ran.stderr}
    with _said:
        print(json.dumps(told), flush=True)


def main() -> None:
    if os.fork():
        os._exit(0)
    for line in sys.stdin:
        threading.Thread(target=obey, args=(json.loads(line),)).start()


if __name__ == "__main__":
    main()
