"""The embedded PostgreSQL: its cluster, its roles, and the command that serves it.

scram everywhere, the local socket included; reachable only through a socket in a closed folder. Tables are the
migrations' business.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from hoopweb.stack.account import Account, private_folder
from hoopweb.stack.problems import StackProblem

SUPERUSER, OWNER, APP, DATABASE = "postgres", "hoopweb_owner", "hoopweb_app", "hoopweb"
PORT = 5432  # only part of the socket's name: nothing listens on TCP
LONGEST_SOCKET_FOLDER = 80  # the kernel allows 107 bytes for the folder and "/.s.PGSQL.5432.lock"
# For private clusters of tests, which nobody needs after a crash.
UNSAFE_AND_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Passwords:
    superuser: str
    owner: str
    app: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """One cluster: programs, the home of its data and socket, and the account it runs under."""

    programs: Path
    home: Path
    account: Account | None
    settings: Mapping[str, str]

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def socket_folder(self) -> Path:
        return self.home / "socket"

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder),
            "unix_socket_permissions": "0700",
            "password_encryption": "scram-sha-256",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            # A refused statement's text and the row it meant hold values, and a log is read by more people than a table.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
            **self.settings,
        }
        options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        return [str(self.programs / "postgres"), "-D", str(self.data), *options]

    def environment(self) -> dict[str, str]:
        """Nothing of the caller's environment: a stray PGDATA or LANG must not reach the server."""
        return {"LC_ALL": "C.UTF-8", "PATH": os.defpath}

    def initialise(self, passwords: Passwords) -> None:
        """Create the cluster unless it is there. It appears whole or not at all."""
        private_folder(self.home, self.account)
        private_folder(self.socket_folder, self.account)
        if (self.data / "PG_VERSION").exists():
            self._clear_stale_pid()
            return
        unfinished = private_folder(self.home / "data.unfinished", self.account)
        _empty(unfinished)
        password_file = self._password_file(passwords.superuser)
        try:
            self._run("initdb", "-D", str(unfinished), f"--username={SUPERUSER}", f"--pwfile={password_file}", *_INITDB)
        finally:
            password_file.unlink()
        unfinished.rename(self.data)

    def is_ready(self) -> bool:
        """Ask the server itself, through its socket."""
        return self._ask("pg_isready", "-q", "-t", "2", "-h", str(self.socket_folder), "-p", str(PORT)).returncode == 0

    def ensure_roles(self, passwords: Passwords) -> None:
        """Make the owner and app roles and the database as the secrets say, however often it runs."""
        try:
            with self.connect(SUPERUSER, passwords.superuser, "postgres") as connection:
                _ensure_roles(connection, passwords)
        except psycopg.Error as error:
            raise StackProblem(
                f"PostgreSQL did not let us in: {error}",
                remedy="If secrets/ was lost, bring it back or start anew with `make clean`: nothing else opens the data.",
            ) from error

    def connect(self, role: str, password: str, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.socket_folder), port=PORT, user=role, password=password, dbname=database, autocommit=True
        )

    def _password_file(self, password: str) -> Path:
        # A file of the account's own: a pipe of root's cannot be opened again by another user.
        path = self.home / "initdb-password"
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(password)
            if self.account:
                os.fchown(handle, self.account.uid, self.account.gid)
        return path

    def _clear_stale_pid(self) -> None:
        """Remove a lock file left by a killed server. Its number may meanwhile be another program's."""
        path = self.data / "postmaster.pid"
        deadline = time.monotonic() + 15
        while path.exists() and _serves(int(path.read_text().split("\n", 1)[0]), self.data):
            if time.monotonic() > deadline:
                raise StackProblem(f"A PostgreSQL server still runs on {self.data}.", remedy="Stop that server first.")
            time.sleep(0.1)
        path.unlink(missing_ok=True)

    def _ask(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.programs / program), *arguments],
            env=self.environment(),
            cwd=self.home,
            user=self.account.uid if self.account else None,
            group=self.account.gid if self.account else None,
            extra_groups=[] if self.account else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def _run(self, program: str, *arguments: str) -> None:
        finished = self._ask(program, *arguments)
        if finished.returncode != 0:
            raise StackProblem(f"{program} failed: {finished.stderr.strip()}", remedy="See above; nothing was kept.")


STOP_SIGNAL = signal.SIGINT  # PostgreSQL's fast shutdown: sessions are ended, the cluster is left clean
_INITDB = ("--auth-local=scram-sha-256", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8")


def _serves(pid: int, data: Path) -> bool:
    """Say whether that process is a server on this cluster (a server's working directory is its data)."""
    try:
        return Path(f"/proc/{pid}/cwd").samefile(data)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False


def _empty(folder: Path) -> None:
    """Clear what an interrupted initdb left."""
    for entry in sorted(folder.rglob("*"), reverse=True):
        if entry.is_dir() and not entry.is_symlink():
            entry.rmdir()
        else:
            entry.unlink()


def _named(statement: str, *names: str) -> sql.Composed:
    return sql.SQL(statement).format(*(sql.Identifier(name) for name in names))


def _ensure_roles(connection: psycopg.Connection[tuple[object, ...]], passwords: Passwords) -> None:
    _ensure_role(connection, OWNER, passwords.owner)
    _ensure_role(connection, APP, passwords.app)
    # Tests and maintenance step down from owner to app; the other way is never granted.
    connection.execute(_named("GRANT {} TO {}", APP, OWNER))
    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
        connection.execute(_named("CREATE DATABASE {} OWNER {}", DATABASE, OWNER))
    connection.execute(_named("REVOKE ALL ON DATABASE {} FROM PUBLIC", DATABASE))
    connection.execute(_named("GRANT CONNECT ON DATABASE {} TO {}", DATABASE, APP))


def _ensure_role(connection: psycopg.Connection[tuple[object, ...]], role: str, password: str) -> None:
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone():
        connection.execute(_named("CREATE ROLE {}", role))
    rights = "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION"
    connection.execute(
        sql.SQL("ALTER ROLE {} WITH " + rights + " PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
    )
