"""The command `hoopweb`: finds the subcommand and imports nothing but that one; the one place errors become words.

SDKs start this program on every call, so nothing stands here that a start has to wait for. What subcommands do is
theirs: each module offers a function that takes its arguments and returns an exit status.
"""

from __future__ import annotations

import sys

from gateway.client.errors import ClientError

VERSION = "0.1.0"
# name -> module, function, what it is for.
COMMANDS = {
    "login": ("gateway.client.login", "login", "enrol this machine with your organisation's gateway"),
    "logout": ("gateway.client.logout", "logout", "end this machine's enrolment and forget its key"),
    "status": ("gateway.client.status", "status", "who you are, by which device, at which gateway"),
    "credentials": ("gateway.client.credentials", "credentials", "short keys for AWS SDKs (credential_process)"),
    "exec": ("gateway.client.running", "execute", "run a command whose AWS calls go through the gateway"),
    "psql": ("gateway.client.running", "psql", "open psql through the gateway"),
    "hook": ("gateway.client.hooks", "hook", "what agents run at their hook events (JSON on stdin)"),
    "setup": ("gateway.client.setup", "setup", "connect cursor, claude, codex, gemini or aws"),
    "doctor": ("gateway.client.doctor", "doctor", "check every link from prompt to AWS call"),
    "broker": ("gateway.client.broker", "broker", "the local broker; starts by itself"),
}
USAGE_STATUS = 2


def main(arguments: list[str]) -> int:
    """Run one subcommand; returns the exit status. What went wrong is one line on stderr, never a traceback."""
    name = arguments[0] if arguments else "--help"
    if name in {"-h", "--help", "help"}:
        print(usage())
        return 0 if arguments else USAGE_STATUS
    if name in {"-V", "--version"}:
        print(f"hoopweb {VERSION}")
        return 0
    if name not in COMMANDS:
        print(f"hoopweb: there is no `{name[:40]!r}`; `hoopweb --help` lists what there is.", file=sys.stderr)
        return USAGE_STATUS
    return _run(name, arguments[1:])


def _run(name: str, arguments: list[str]) -> int:
    module, function, _ = COMMANDS[name]
    try:
        __import__(module)
        return int(getattr(sys.modules[module], function)(arguments))
    except ClientError as error:
        print(f"hoopweb: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141


def usage() -> str:
    """Every subcommand with what it is for."""
    lines = [f"  {name:<12} {told}" for name, (_, _, told) in COMMANDS.items()]
    return "\n".join(("usage: hoopweb COMMAND [--profile NAME] ...", "", *lines))
