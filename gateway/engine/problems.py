"""Why a policy text was refused: every fault at once, each with its place.

How a fault is shown (problem+json, a page) is the caller's; a refused *call* is a Decision, never a problem.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateway.problems import Problem


class FaultCode(StrEnum):
    """What was wrong with the text; stable, the same in API answers and docs."""

    SYNTAX = "syntax"
    LIMIT = "limit"
    EMPTY = "empty"
    INVISIBLE = "invisible_character"
    TEMPLATE = "template"
    ID = "id"
    DUPLICATE_ID = "duplicate_id"
    ANNOTATION = "annotation"
    ACTION = "action"
    SCHEMA = "schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing to mend. `line` counts from 1 within `source` (a pack's name, empty for an unnamed text)."""

    code: FaultCode
    message: str
    source: str = ""
    line: int = 0
    rule_id: str = ""

    def __str__(self) -> str:
        place = f"{self.source or 'policy'}:{self.line}"
        return f"{place}: {self.rule_id + ': ' if self.rule_id else ''}{self.message}"


class PolicyRejected(Problem):
    """A policy text that must not be published. `faults` is never empty."""

    code = "policy.rejected"
    status = 422
    title = "The policy was not published"
    remedy = "Mend every fault and publish again; the current revision still decides."
    aws_code = "ValidationException"

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(str(fault) for fault in self.faults))
