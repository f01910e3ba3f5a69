"""`hoopweb credentials`: AWS's `credential_process`. Asks the broker and prints what it says; nothing else.

SDKs start this for each call (keys live three minutes), so no module is imported that the answer does not need. Whose
keys, and for which prompt, is the broker's to find out: it sees the process tree.
"""

from __future__ import annotations

import os
import sys

from gateway.client import link, places, surroundings
from gateway.client.errors import Usage

_HELP = """usage: hoopweb credentials --connection NAME [--profile NAME]

AWS's credential_process: prints keys of three minutes for one connection, bound to you, this device and the prompt
your agent works on. In an AWS profile:  credential_process = hoopweb credentials --connection NAME"""


def credentials(arguments: list[str]) -> int:
    """Print the JSON of version 1; raises ClientError, whose line SDKs show to whoever called them."""
    if {"-h", "--help"} & set(arguments):
        print(_HELP)
        return 0
    given = _options(arguments)
    profile = places.profile_name(os.environ, given.get("--profile"))
    named = [f"{agent}:{name}" for name, agent in surroundings.named_conversations(os.environ).items()]
    asked = {"op": "credentials", "connection": given["--connection"], "named": "\n".join(named)}
    sys.stdout.write(link.ask(places.home(os.environ), profile, asked))
    return 0


def _options(arguments: list[str]) -> dict[str, str]:
    """Both options, in either form; raises Usage for anything else."""
    given: dict[str, str] = {}
    waiting = list(arguments)
    while waiting:
        name, equals, value = waiting.pop(0).partition("=")
        if not equals and waiting:
            value = waiting.pop(0)
        if name not in {"--connection", "--profile"} or not value or name in given:
            raise Usage("`hoopweb credentials` takes --connection NAME and --profile NAME, once each.")
        given[name] = value
    if "--connection" not in given:
        raise Usage("Say for which connection: hoopweb credentials --connection NAME; `hoopweb status` lists them.")
    return given
