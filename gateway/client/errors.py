"""What can go wrong on a developer's machine: one line that says what, and what to do. `app` prints it.

Imports nothing: the way of `hoopweb credentials` leads through here. No message carries a secret.
"""

from __future__ import annotations


class ClientError(Exception):
    """A failure a person meets; the text is one or two whole sentences, `status` the exit status."""

    status = 1


class Usage(ClientError):
    """The command line is not understood."""

    status = 2


class NotLoggedIn(ClientError):
    """There is no enrolment under this profile."""


class StateBroken(ClientError):
    """A file of ours cannot be read as what it is."""


class Exposed(ClientError):
    """A file or socket of ours is open to others; refused, as ssh refuses."""


class GatewayUnreachable(ClientError):
    """Nobody answered, or what answered is no gateway."""


class Refused(ClientError):
    """The gateway answered with a problem: its HTTP status, stable code and own words."""

    def __init__(self, message: str, *, http_status: int, code: str) -> None:
        super().__init__(message)
        self.http_status, self.code = http_status, code


class BrokerFailed(ClientError):
    """The local broker cannot be started, is another person's, or ended in the middle of an answer."""
