"""Where things lie on a developer's machine: the folder of a profile and its broker's socket.

Only names: reading and checking files is `state`'s. Imports nothing slow: `hoopweb credentials` comes through here.
"""

from __future__ import annotations

import os

from gateway.client.errors import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PROFILE = "default"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_LONGEST_PROFILE = 40
# sun_path is 108 bytes on Linux, its end included.
_LONGEST_SOCKET = 100


def home(environ: Mapping[str, str]) -> str:
    """The folder of all profiles: $HOOPWEB_HOME, or `hoopweb` where configuration lies."""
    own = environ.get("HOOPWEB_HOME")
    if own:
        return os.path.abspath(own)
    base = environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return f"{base}/hoopweb"


def profile_name(environ: Mapping[str, str], given: str | None = None) -> str:
    """The profile meant: the one given, $HOOPWEB_PROFILE, or `default`; raises Usage for a name of no use."""
    name = given or environ.get("HOOPWEB_PROFILE") or DEFAULT_PROFILE
    if not set(name) <= _PLAIN or len(name) > _LONGEST_PROFILE or name.startswith("."):
        raise Usage("A profile's name is up to 40 letters, digits, dots, dashes and underscores.")
    return name


def folder(home: str, profile: str) -> str:
    """The folder of one profile."""
    return f"{home}/profiles/{profile}"


def socket_path(home: str, profile: str) -> str:
    """Where the profile's broker listens: the same for every shell of the account, whatever its environment."""
    path = f"{folder(home, profile)}/run/broker.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET:
        return path
    import hashlib  # only the deepest homes need it

    short = hashlib.sha256(os.fsencode(path)).hexdigest()[:20]
    return f"/tmp/hoopweb-{os.getuid()}/{short}/broker.sock"  # noqa: S108  # its folder is checked: ours, and nobody else's
