"""What a client asks for that wants credentials of AWS: checked, and put as a derived gateway key. Pure.

Making and keeping the key is `gateway.requests.minting`; how its calls are signed is `gateway.connections.sessions`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.connections.chain import LONGEST_CHAIN, Hop, Narrowing, steps_of
from gateway.connections.session_policies import statements_of
from gateway.requests.minting_problems import (
    ChainTooLong,
    ForeignRole,
    IdentityIsSet,
    MfaNotPassed,
    MintingMalformed,
    NarrowedAlready,
)

_ROLE = re.compile(r"arn:aws:iam::([0-9]{12}):role/([\x21-\x7e]{1,512}/)?([A-Za-z0-9_+=,.@-]{1,64})", re.ASCII)
_SESSION_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{2,64}")
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9_+=,.@:/-]{2,1224}")
_MANAGED = re.compile(r"arn:aws:iam::(aws|[0-9]{12}):policy/[\x21-\x7e]{1,512}")
_TAG_KEY, _TAG_VALUE = re.compile(r"[\w .:/=+@-]{1,128}"), re.compile(r"[\w .:/=+@-]{0,256}")
# STS takes fifty tags of a session, of which two are ours.
_MOST_TAGS, _MOST_MANAGED = 48, 10
_OUR_TAGS = "hoopweb:"
# What STS itself allows each to ask for, in seconds: shortest, longest, usual.
ROLE_SECONDS = (900, 43_200, 3_600)
TOKEN_SECONDS = (900, 129_600, 43_200)
# S3 Express sessions last five minutes, and a client renews them by itself.
EXPRESS_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class MintAsk:
    """The key a client wants: the roles its calls go through, and for how many seconds at most."""

    hops: tuple[Hop, ...]
    seconds: int


def for_role(
    parameters: Mapping[str, Any], *, own_role: str, accounts: Collection[str], person: str, hops: Sequence[Hop]
) -> MintAsk:
    """Read the parameters of AssumeRole, asked with a key of these hops; raises what is wrong with them."""
    _refuse_identity(parameters, person)
    role = role_named(parameters.get("RoleArn"), accounts=accounts)
    hop = Hop(
        role_arn=role,
        session_name=session_name(parameters),
        external_id=_matching(parameters, "ExternalId", _EXTERNAL_ID),
        tags=_tags(parameters),
        transitive=_transitive(parameters),
        narrowing=narrowing_asked(parameters),
    )
    return MintAsk(hops=_chained(own_role, hops, hop), seconds=seconds_asked(parameters, ROLE_SECONDS))


def for_token(parameters: Mapping[str, Any], *, hops: Sequence[Hop]) -> MintAsk:
    """Read the parameters of GetSessionToken: the same roles again."""
    _refuse_mfa(parameters)
    return MintAsk(hops=tuple(hops), seconds=seconds_asked(parameters, TOKEN_SECONDS))


def for_express(parameters: Mapping[str, Any], *, own_role: str, bucket_arn: str, hops: Sequence[Hop]) -> MintAsk:
    """Read the parameters of CreateSession: the same roles, for one bucket, and for reading alone where asked so."""
    is_reading = parameters.get("SessionMode") == "ReadOnly"
    statement: dict[str, Any] = {"Effect": "Allow", "Action": "s3express:*", "Resource": bucket_arn}
    if is_reading:
        statement["Condition"] = {"StringEquals": {"s3express:SessionMode": "ReadOnly"}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
    last = steps_of(own_role, hops)[-1]
    hop = Hop(
        role_arn=last.role_arn,
        session_name=last.session_name or "s3-express",
        external_id=last.external_id,
        tags=last.tags,
        transitive=last.transitive,
        narrowing=Narrowing(policy=policy),
    )
    return MintAsk(hops=_chained(own_role, hops, hop), seconds=EXPRESS_SECONDS)


def _chained(own_role: str, hops: Sequence[Hop], hop: Hop) -> tuple[Hop, ...]:
    """The hops with one more; the sum may not open what the one before had given away."""
    last = steps_of(own_role, hops)[-1]
    if hop.role_arn == last.role_arn and last.narrowing:
        raise NarrowedAlready
    chained = (*hops, hop) if hop.role_arn != last.role_arn or not hops else (*hops[:-1], hop)
    if len(steps_of(own_role, chained)) - 1 > LONGEST_CHAIN:
        raise ChainTooLong(f"At most {LONGEST_CHAIN} roles after the connection's own")
    return chained


def role_named(arn: object, *, accounts: Collection[str]) -> str:
    """A role's ARN in one of the connection's accounts; raises MintingMalformed, ForeignRole."""
    found = _ROLE.fullmatch(arn) if isinstance(arn, str) else None
    if found is None:
        raise MintingMalformed("RoleArn is not arn:aws:iam::ACCOUNT:role/NAME")
    if found.group(1) not in accounts:
        raise ForeignRole(f"The role is in account {found.group(1)}; the connection reaches {', '.join(accounts)}")
    return found.group()


def role_name(arn: str) -> str:
    """The name at the end of a role's ARN, without its path."""
    return arn.rpartition("/")[2]


def session_name(parameters: Mapping[str, Any]) -> str:
    if not _matching(parameters, "RoleSessionName", _SESSION_NAME):
        raise MintingMalformed("RoleSessionName is missing")
    return str(parameters["RoleSessionName"])


def _matching(parameters: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = parameters.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise MintingMalformed(f"{name} has characters or a length that STS does not take")
    return value


def seconds_asked(parameters: Mapping[str, Any], bounds: tuple[int, int, int]) -> int:
    shortest, longest, usual = bounds
    value = parameters.get("DurationSeconds", usual)
    if not isinstance(value, int) or isinstance(value, bool) or not shortest <= value <= longest:
        raise MintingMalformed(f"DurationSeconds is a number from {shortest} to {longest}")
    return value


def _refuse_mfa(parameters: Mapping[str, Any]) -> None:
    if parameters.get("SerialNumber") is not None or parameters.get("TokenCode") is not None:
        raise MfaNotPassed


def _refuse_identity(parameters: Mapping[str, Any], person: str) -> None:
    _refuse_mfa(parameters)
    if parameters.get("SourceIdentity") not in (None, person) or parameters.get("ProvidedContexts"):
        raise IdentityIsSet


def narrowing_asked(parameters: Mapping[str, Any]) -> Narrowing:
    """The session policies somebody asks for; raises SessionPolicyMalformed, MintingMalformed."""
    policy = parameters.get("Policy") or ""
    statements_of(policy)
    arns = [one.get("arn", "") for one in parameters.get("PolicyArns") or ()]
    if len(arns) > _MOST_MANAGED or not all(isinstance(arn, str) and _MANAGED.fullmatch(arn) for arn in arns):
        raise MintingMalformed(f"PolicyArns are at most {_MOST_MANAGED} ARNs of managed policies")
    return Narrowing(policy=policy, policy_arns=tuple(dict.fromkeys(arns)))


def _tags(parameters: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    tags = tuple((str(one.get("Key", "")), str(one.get("Value", ""))) for one in parameters.get("Tags") or ())
    if len(tags) > _MOST_TAGS or len({key.lower() for key, _ in tags}) < len(tags):
        raise MintingMalformed(f"Tags are at most {_MOST_TAGS}, each key once")
    for key, value in tags:
        if not _TAG_KEY.fullmatch(key) or not _TAG_VALUE.fullmatch(value):
            raise MintingMalformed("A tag has characters or a length that STS does not take")
        if key.lower().startswith(_OUR_TAGS):
            raise MintingMalformed(f"Tags that begin with `{_OUR_TAGS}` are hoopweb's own")
    return tags


def _transitive(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    keys = tuple(dict.fromkeys(parameters.get("TransitiveTagKeys") or ()))
    if not set(keys) <= {key for key, _ in _tags(parameters)}:
        raise MintingMalformed("TransitiveTagKeys names a tag that is not among Tags")
    return keys
