"""What can stop the launcher, in words for the person who typed `make run`.

Problems of running requests live in their rooms; these end the start.
"""

from __future__ import annotations


class StackProblem(Exception):
    """The stack cannot start or stay up. `remedy` says what to do about it."""

    def __init__(self, what: str, *, remedy: str) -> None:
        super().__init__(f"{what}\n  -> {remedy}")
        self.what = what
        self.remedy = remedy


class PortTaken(StackProblem):
    def __init__(self, *, port: int, variable: str, what: str) -> None:
        super().__init__(
            f"Port {port}, meant for {what}, is taken by another program.",
            remedy=f"Stop that program, or choose another port: {variable}={port + 1000} make run (0 takes any free one).",
        )


class AlreadyRunning(StackProblem):
    def __init__(self, *, state: str, pid: int) -> None:
        super().__init__(
            f"hoopweb already runs on {state} (process {pid}).",
            remedy="Stop it with Ctrl-C where it runs, or give this one its own state: HOOPWEB_STATE=/some/folder make run.",
        )


class StartFailed(StackProblem):
    def __init__(self, *, name: str, why: str, log: str) -> None:
        super().__init__(f"{name} did not start: {why}", remedy=f"Its log says more: {log}")
