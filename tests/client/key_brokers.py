"""A machine with two accounts besides root: the person's, and the one a key broker runs under. Needs root to be made."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.client import link
from hoopweb.stack.plan import CHECKOUT
from tests.client.world import Machine, StandIn

PERSON, KEEPER, STRANGER = 60_001, 60_002, 60_003
# The interpreter may lie where root alone can look: all is read first, then the account is given up for good.
BECOME = """
import _strptime, encodings.ascii, encodings.idna, encodings.utf_8_sig, importlib, os, pkgutil, sys, traceback
import gateway.client
for found in pkgutil.iter_modules(gateway.client.__path__, "gateway.client."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
uid = int(sys.argv.pop(1))
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
"""
COMMAND = BECOME + "sys.exit(sys.modules['gateway.client.app'].main(sys.argv[1:]))"
# What the unit gives it: it must see what stands above a process of another account.
CAPABILITIES = "+sys_ptrace,+dac_read_search"


@dataclass(frozen=True, kw_only=True)
class Shared:
    """The person's machine, and the key broker's own folder and socket."""

    machine: Machine
    keys: Path
    socket: str

    def login(self, *more: str) -> subprocess.CompletedProcess[str]:
        given = ("--gateway", self.machine.gateway.url, "--organisation", "acme", "--name", "laptop", "--no-browser")
        return self.machine.run("login", *given, "--key-broker", self.socket, *more)

    @contextmanager
    def broker(self, capabilities: str = CAPABILITIES) -> Iterator[subprocess.Popen[str]]:
        """The key broker as a service manager starts it, until the block ends."""
        account = [f"--reuid={KEEPER}", f"--regid={KEEPER}", "--clear-groups"]
        given = [f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}"]
        serve = ["broker", "--serve-keys", "--for-user", str(PERSON), "--socket", self.socket]
        with subprocess.Popen(
            ["setpriv", *account, *given, sys.executable, "-m", "gateway.client", *serve],
            cwd=CHECKOUT,
            env={"PATH": os.environ["PATH"], "HOME": str(self.keys), "HOOPWEB_HOME": str(self.keys / "hoopweb")},
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            try:
                self._wait(running)
                yield running
            finally:
                running.terminate()

    def _wait(self, running: subprocess.Popen[str]) -> None:
        ends_at = time.monotonic() + 20.0
        while (connection := link.try_connect(self.socket)) is None:
            assert running.poll() is None, running.stderr.read() if running.stderr else ""
            assert time.monotonic() < ends_at
            time.sleep(0.02)
        connection.close()


@contextmanager
def shared(gateway: StandIn) -> Iterator[Shared]:
    """Folders as three accounts would have them."""
    with tempfile.TemporaryDirectory(prefix="hw-") as root:
        Path(root).chmod(0o755)
        for name, owner, mode in (("person", PERSON, 0o700), ("keys", KEEPER, 0o700), ("run", KEEPER, 0o755)):
            folder = Path(root, name)
            folder.mkdir()
            folder.chmod(mode)
            os.chown(folder, owner, owner)
        machine = Machine(home=Path(root, "person"), gateway=gateway, launch=("-c", COMMAND, str(PERSON)))
        yield Shared(machine=machine, keys=Path(root, "keys"), socket=f"{root}/run/broker.sock")


def as_account(uid: int, program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A Python program of another account."""
    return subprocess.run(
        [sys.executable, "-c", BECOME + program, str(uid), *arguments],
        cwd=CHECKOUT,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
