"""Files and folders that are ours alone: what others may read or write is refused, as ssh refuses it.

What stands in them is `state`'s and `device_key`'s. Imports nothing slow: starting a broker comes through here.
"""

from __future__ import annotations

import os
import stat

from gateway.client.errors import Exposed, StateBroken

# No file of ours grows past a few kilobytes.
_LARGEST_FILE = 256 * 1024
_AGAIN = "run `hoopweb logout --forget`, then `hoopweb login`."


def make_folder(path: str) -> None:
    """A folder for us alone; raises Exposed where one is there that others may enter."""
    os.makedirs(path, mode=0o700, exist_ok=True)
    check_folder(path)


def check_folder(path: str) -> None:
    """Raises Exposed unless the folder is ours, no link, and closed to everybody else."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise Exposed(f"{path} is open to others or not yours: make it yours with `chmod 700 {path}`.")


def read_own(path: str, *, largest: int = _LARGEST_FILE) -> bytes:
    """The content of a file that is ours alone; raises FileNotFoundError, Exposed or StateBroken."""
    try:
        # A link could name another's file, a pipe would wait for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StateBroken(f"{path} cannot be read ({error.strerror}): {_AGAIN}") from None
    with os.fdopen(handle, "rb") as file:
        _check_own(path, os.fstat(file.fileno()), largest)
        return file.read(largest)


def _check_own(path: str, found: os.stat_result, largest: int) -> None:
    if not stat.S_ISREG(found.st_mode) or found.st_size > largest:
        raise StateBroken(f"{path} is no file of hoopweb's: {_AGAIN}")
    if found.st_uid != os.getuid():
        raise Exposed(f"{path} belongs to another account and is not used: run `hoopweb login` as yourself.")
    if found.st_mode & 0o077:
        raise Exposed(
            f"{path} is open to others (mode {stat.S_IMODE(found.st_mode):04o}) and is not used: "
            f"`chmod 600 {path}`, and log in again if others may have read it."
        )


def write_own(path: str, content: bytes) -> None:
    """Put a file in place whole, for its owner alone; raises StateBroken where the disk will not."""
    make_folder(os.path.dirname(path))
    new = f"{path}.{os.getpid()}.new"
    try:
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError as error:
        raise StateBroken(f"{path} cannot be written ({error.strerror}).") from None
