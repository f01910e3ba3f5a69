"""PostgreSQL and Valkey as one thing to start: what the supervisor runs first, and all a database test needs.

The order of the other processes is `hoopweb.stack.processes`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hoopweb.stack.account import Account, may_traverse, private_folder, root_folder, service_account
from hoopweb.stack.child import Child, Program, start
from hoopweb.stack.embedded import programs, service_home
from hoopweb.stack.postgres import APP, DATABASE, LONGEST_SOCKET_FOLDER, OWNER, PORT, STOP_SIGNAL, Passwords, Postgres
from hoopweb.stack.problems import StartFailed
from hoopweb.stack.state import State
from hoopweb.stack.valkey import Valkey

READY_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The two services of one state folder; making it starts nothing."""

    state: State
    postgres: Postgres
    valkey: Valkey
    passwords: Passwords

    def environment(self, *, role: str = APP) -> dict[str, str]:
        """Return the variables `hoopweb.settings` reads to reach them as one database role."""
        password = {APP: self.passwords.app, OWNER: self.passwords.owner}[role]
        return {
            "HOOPWEB_STATE": str(self.state.root),
            "HOOPWEB_DB_HOST": str(self.postgres.socket_folder),
            "HOOPWEB_DB_PORT": str(PORT),
            "HOOPWEB_DB_NAME": DATABASE,
            "HOOPWEB_DB_USER": role,
            "HOOPWEB_DB_PASSWORD": password,
            "HOOPWEB_REDIS_URL": self.valkey.url,
            "HOOPWEB_SECRET_KEY_FILE": str(self.state.secret_file("django-secret-key")),
            "HOOPWEB_KEY_FILE": str(self.state.secret_file("sealing-key")),
        }

    def postgres_program(self) -> Program:
        return Program(
            argv=self.postgres.command(),
            environment=self.postgres.environment(),
            directory=self.postgres.home,
            log=self.state.folder("log") / "postgres.log",
            account=self.postgres.account,
            stop_signal=STOP_SIGNAL,
        )

    def valkey_program(self) -> Program:
        return Program(
            argv=self.valkey.command(),
            environment=self.valkey.environment(),
            directory=Path("/"),
            log=self.state.folder("log") / "valkey.log",
            account=self.postgres.account,
            standard_input=self.valkey.configuration(),
        )


def services(
    state: State, *, valkey_port: int, account_name: str = "nobody", settings: Mapping[str, str] | None = None
) -> Services:
    """Say where the services of a state folder live; secrets and folders are made, nothing is started."""
    state.root.mkdir(mode=0o755, parents=True, exist_ok=True)
    account = service_account(effective_uid=os.geteuid(), name=account_name)
    found = programs(account)
    return Services(
        state=state,
        postgres=Postgres(
            programs=found.postgres, home=_home(state, account), account=account, settings=dict(settings or {})
        ),
        valkey=Valkey(program=found.valkey, port=valkey_port, password=state.secret("valkey-password")),
        passwords=Passwords(
            superuser=state.secret("db-superuser-password"),
            owner=state.secret("db-owner-password"),
            app=state.secret("db-app-password"),
        ),
    )


def _home(state: State, account: Account | None) -> Path:
    """The state folder where the account can reach it and a socket's name fits; else a folder of our own elsewhere."""
    home = state.root / "postgres"
    fits = len(os.fsencode(home / "socket")) <= LONGEST_SOCKET_FOLDER
    if account is None:
        return home if fits else _short_home(state)
    if fits and may_traverse(state.root, account):
        return home
    return _root_home(state)


def _root_home(state: State) -> Path:
    """A folder under /var/lib for a checkout that lies in a closed home, named by the installation's own random id."""
    homes = root_folder(service_home() / "postgres")
    _forget_lost_homes(homes, state)
    home = root_folder(homes / state.secret("install-id"))
    (home / "origin").write_text(str(state.root))
    return home / "postgres"


def _forget_lost_homes(homes: Path, state: State) -> None:
    """Remove clusters nobody can open any more: this state folder's earlier ones, and those of interrupted tests.

    Any other whose state folder is missing may only be waiting for its disk to be mounted.
    """
    for home in homes.iterdir():
        if not (home / "origin").is_file():
            continue
        origin = State(root=Path((home / "origin").read_text()))
        is_ours = origin.root == state.root or origin.root.is_relative_to(tempfile.gettempdir())
        if is_ours and not _is_installation(origin, home.name):
            shutil.rmtree(home)


def _is_installation(state: State, identity: str) -> bool:
    secret = state.root / "secrets" / "install-id"
    return secret.is_file() and secret.read_text().strip() == identity


def _short_home(state: State) -> Path:
    """As an ordinary user: a short place for a state folder with a very long name."""
    cache = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    return private_folder(cache / "hoopweb", None) / state.secret("install-id")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningServices:
    """Services started on their own, for tests and one-off commands."""

    services: Services
    children: tuple[Child, ...]

    def stop(self) -> None:
        for child in self.children:
            child.stop()
        for child in self.children:
            child.stop_and_wait()


def run(wanted: Services) -> RunningServices:
    """Start both and return when both answer and the roles are there; raises StartFailed and leaves nothing running."""
    wanted.postgres.initialise(wanted.passwords)
    database, broker = start(wanted.postgres_program()), start(wanted.valkey_program())
    running = RunningServices(services=wanted, children=(database, broker))
    try:
        wait_until(wanted.postgres.is_ready, database, name="postgres", log=wanted.postgres_program().log)
        wait_until(wanted.valkey.is_ready, broker, name="valkey", log=wanted.valkey_program().log)
        wanted.postgres.ensure_roles(wanted.passwords)
    except BaseException:
        running.stop()
        raise
    return running


def remove(wanted: Services) -> None:
    """Delete the state folder and the cluster, wherever it lies."""
    elsewhere = wanted.postgres.home.parent
    if not wanted.postgres.home.is_relative_to(wanted.state.root):
        shutil.rmtree(elsewhere if (elsewhere / "origin").is_file() else wanted.postgres.home, ignore_errors=True)
    shutil.rmtree(wanted.state.root)


def wait_until(is_ready: Callable[[], bool], child: Child, *, name: str, log: Path) -> None:
    """Poll a readiness check while its process lives; raises StartFailed."""
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready():
        code = child.exit_code()
        if code is not None:
            raise StartFailed(name=name, why=f"it ended with {code}.", log=str(log))
        if time.monotonic() > deadline:
            raise StartFailed(name=name, why=f"not ready after {READY_SECONDS:.0f} seconds.", log=str(log))
        time.sleep(0.03)
