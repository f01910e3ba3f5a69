"""The unprivileged account PostgreSQL and Valkey run under when the launcher is root, and folders it may reach.

Which folders those are is asked of `hoopweb.stack.state`; nothing here starts a process.
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from hoopweb.stack.problems import StackProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user and group to drop to; supplementary groups are always dropped as well."""

    name: str
    uid: int
    gid: int


def service_account(*, effective_uid: int, name: str = "nobody") -> Account | None:
    """Return the account services must drop to, or None when we are an ordinary user already.

    PostgreSQL refuses to run as root, and needs an account with a passwd entry. Raises StackProblem without one.
    """
    if effective_uid != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise StackProblem(
            f"There is no account {name!r} to run PostgreSQL under.",
            remedy="Name an unprivileged one: HOOPWEB_SERVICE_ACCOUNT=postgres make run.",
        ) from None
    if entry.pw_uid == 0:
        raise StackProblem(f"{name!r} is root itself.", remedy="HOOPWEB_SERVICE_ACCOUNT must be unprivileged.")
    return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)


def may_traverse(folder: Path, account: Account) -> bool:
    """Say whether the account can pass through this folder and all above it, by their mode bits."""
    return all(_is_open(step.stat(), account) for step in (folder, *folder.parents) if step.exists())


def _is_open(status: os.stat_result, account: Account) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def private_folder(folder: Path, account: Account | None) -> Path:
    """Make (or take over) a folder only the account can enter; a link or another's folder is refused."""
    folder.mkdir(mode=0o700, exist_ok=True)
    # lstat and a descriptor opened without following links: what is checked is what is changed.
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        owner = os.fstat(handle).st_uid
        wanted = account.uid if account else os.geteuid()
        if owner not in {wanted, os.geteuid()}:
            raise StackProblem(f"{folder} belongs to user {owner}.", remedy="Remove it; the launcher makes its own.")
        os.fchmod(handle, 0o700)
        if account:
            os.fchown(handle, account.uid, account.gid)
    finally:
        os.close(handle)
    return folder


def root_folder(folder: Path) -> Path:
    """Make a folder that root alone can write and everybody can pass; anything else in its place, or above, is refused."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    # Above as well: who may rename a parent may put another folder, with other programs, in its place.
    for step in (folder, *folder.parents):
        status = step.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != 0 or status.st_mode & 0o022:
            raise StackProblem(
                f"{step} is not a folder of root's alone.",
                remedy="Set it right, or name another place: HOOPWEB_SERVICE_HOME=/srv/hoopweb make run.",
            )
    folder.chmod(0o755)
    return folder
