"""From a verified request to what policy looks at: every operation it can mean, with actions, ARNs and parameters.

The four steps are `parsing`, `actions`, `resources` and `redaction`; deciding is the engine's.
"""

from __future__ import annotations

from gateway.terms import Candidate, strictest
from gateway.wire.aws.actions import actions_of
from gateway.wire.aws.carried import carried_by
from gateway.wire.aws.parsing import parse
from gateway.wire.aws.reading import Reading
from gateway.wire.aws.redaction import redacted_parameters
from gateway.wire.aws.resources import resources_of
from gateway.wire.aws.statements import statements_of
from gateway.wire.request import WireRequest
from gateway.wire.sigv4 import Claim


def candidates(request: WireRequest, claim: Claim, *, account: str, region: str) -> tuple[Candidate, ...]:
    """All readings of a request as candidates, never empty; `account` and `region` are the connection's.

    Raises a WireProblem for what cannot be read.
    """
    readings = parse(request, claim.service, claim.region)
    return tuple(candidate_of(reading, account=account, region=region) for reading in readings)


def candidate_of(reading: Reading, *, account: str, region: str) -> Candidate:
    """One reading in IAM's words, its secrets replaced."""
    actions = actions_of(reading)
    access = strictest(action.access for action in actions)
    carried = carried_by(reading, access)
    return Candidate(
        operation=reading.operation,
        access=access,
        actions=actions,
        resources=resources_of(reading, account=account, region=region),
        parameters=redacted_parameters(reading),
        effective=carried.effective,
        is_delegated=carried.is_delegated,
        unknown_members=reading.unknown_members,
        statements=statements_of(reading),
    )
