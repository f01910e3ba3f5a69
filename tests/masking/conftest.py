"""What the masking tests share: one scanner for the run, and a short way to send a body through a plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from gateway.masking.bodies import End, Withheld
from gateway.masking.content import ContentScanner
from gateway.masking.masker import open_body
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, MaskPath, MaskPlan, SensitivityClass

Send = Callable[..., End | Withheld]


@pytest.fixture(scope="session")
def scanner() -> ContentScanner:
    """One loaded scanner for the worker, from the compiled rules all other rooms' tests use (`test_commands` compiles)."""
    scanner = ContentScanner()
    scanner.load()
    return scanner


def plan(protocol: Protocol, *secret: str, body: BodyForm = BodyForm.STRUCTURE, **more: object) -> MaskPlan:
    """A plan that masks these paths, written `Credentials.SecretAccessKey`."""
    return MaskPlan(protocol=protocol, body=body, paths=paths(*secret), **more)  # type: ignore[arg-type]


def paths(*dotted: str) -> tuple[MaskPath, ...]:
    """Secret mask paths from their dotted form."""
    return tuple(MaskPath(path=tuple(each.split(".")), sensitivity=SensitivityClass.SECRET) for each in dotted)


@pytest.fixture
def send(scanner: ContentScanner) -> Send:
    """Send a body through a plan in chunks; gives what the edge would be told."""

    def run(
        body: bytes,
        mask: MaskPlan,
        *,
        status: int = 200,
        headers: Sequence[tuple[str, str]] = (),
        method: str = "GET",
        cuts: Sequence[int] = (),
    ) -> End | Withheld:
        masker = open_body(status, tuple(headers), mask, method=method, scanner=scanner)
        if isinstance(masker, Withheld):
            return masker
        sent = b""
        edges = [0, *sorted(cuts), len(body)]
        for start, end in pairwise(edges):
            out = masker.feed(body[start:end])
            if isinstance(out, Withheld):
                return out
            sent += out
        finished = masker.finish()
        if isinstance(finished, Withheld):
            return finished
        return End(headers=finished.headers, body=sent + finished.body, report=finished.report)

    return run
