"""Command lines in the house's way: argparse, whose complaints become one line of `app`'s.

`credentials` reads its own two options by hand: SDKs wait for it.
"""

from __future__ import annotations

import argparse
import os
from typing import NoReturn

from gateway.client.errors import Usage
from gateway.client.state import Place, place_of


class Options(argparse.ArgumentParser):
    """A parser with `--profile`, that raises Usage instead of ending the process."""

    def __init__(self, name: str, told: str) -> None:
        super().__init__(prog=f"hoopweb {name}", description=told, allow_abbrev=False)
        self.add_argument("--profile", help="the enrolment to use (default: $HOOPWEB_PROFILE, then `default`)")

    def error(self, message: str) -> NoReturn:
        raise Usage(f"{message}; see `{self.prog} --help`.")


def place_named(profile: str | None) -> Place:
    """The folder of the profile a command line names."""
    return place_of(os.environ, profile)
