"""What a role session may do at most: the inline policy and managed policies given to AssumeRole.

Pure. A session policy only ever narrows the role: what it allows still needs the role's own permission.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from gateway.connections.chain import Narrowing
from gateway.connections.iam_reference import names_no_resource, unnamed
from gateway.connections.problems import SessionPolicyMalformed, SessionPolicyTooLarge
from gateway.terms import AccessClass

# STS refuses more plain text than this, inline and managed ARNs together.
LARGEST_PLAINTEXT = 2048
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"

# Reads that AWS's ReadOnlyAccess leaves out on purpose: our own policy decides who may make them.
_READ_ONLY_SESSION = {"StringEquals": {"s3express:SessionMode": "ReadOnly"}}
_FURTHER_READS = ("secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue", "ssm:GetParameter*")
# A read of an encrypted object decrypts behind the service; a direct kms:Decrypt is a Write and another pool's.
_THROUGH_SERVICES = {"StringLike": {"kms:ViaService": "*.amazonaws.com"}}

# AWS asks for one action over all objects of a directory bucket, whatever is done to them.
_DIRECTORY_BUCKET = re.compile(r"\Aarn:aws:s3:::([a-z0-9-]+--x-s3)(?:/|\Z)", re.ASCII)

# Requests of these carry us-east-1 wherever they concern the whole account.
_GLOBAL_ACTIONS = (
    "iam:*",
    "sts:*",
    "organizations:*",
    "account:*",
    "route53:*",
    "route53domains:*",
    "cloudfront:*",
    "globalaccelerator:*",
    "networkmanager:*",
    "waf:*",
    "shield:*",
    "support:*",
    "health:*",
    "budgets:*",
    "ce:*",
    "s3:ListAllMyBuckets",
    "ec2:DescribeRegions",
)

# Things of no account or of AWS's own, which every account uses: managed policies, public parameters, images, layers
# (whose are AWS's is told here, `aws_owned`: their accounts are more than a session policy has room for).
_OWNED_BY_AWS = (
    "arn:aws:iam::aws:policy/*",
    "arn:aws:ssm:*::*",
    "arn:aws:ec2:*::image/*",
    "arn:aws:lambda:*:*:layer:*",
    "arn:aws:ecr:*:763104351884:*",
    "arn:aws:ecr:*:602401143452:*",
)

# What changes who may do what. IAM allows no wildcard before the colon, so the resource policies are named.
PERMISSIONS_ACTIONS = (
    "iam:*",
    "sts:*",
    "organizations:*",
    "account:*",
    "sso:*",
    "ram:*",
    "kms:*Grant",
    "kms:PutKeyPolicy",
    "s3:*Policy*",
    "s3:Put*Acl",
    "s3:*AccessGrant*",
    "s3:*PublicAccessBlock",
    "s3:*OwnershipControls",
    "s3:Bypass*",
    "s3express:*Policy*",
    "lambda:*Permission",
    "lambda:*ResourcePolicy",
    "ec2:*Permission*",
    "ec2:*ResourcePolicy",
    "ec2:*BlockPublicAccess",
    "ec2:*SnapshotAttribute",
    "secretsmanager:*Policy",
    "dynamodb:*ResourcePolicy",
    "ssm:*ResourcePolicy",
    "ssm:*Permission",
    "sqs:*Permission",
    "sns:*Permission",
    "ecr:*RepositoryPolicy",
    "ecr:*RegistryPolicy",
    "logs:*ResourcePolicy",
    "events:*Permission",
    "events:*ResourcePolicy",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPolicy:
    """What to pass to AssumeRole as `Policy` and `PolicyArns`."""

    policy_json: str
    policy_arns: tuple[str, ...] = ()


def for_class(
    access: AccessClass, *, account: str, regions: Sequence[str], further: Sequence[str] = ()
) -> SessionPolicy:
    """Return the ceiling of one access class: a Read pool can only read, a Write pool cannot change permissions.

    `account` is where the session acts; `further` are accounts its calls may reach beside it, here and below.
    """
    reach = (account, *further)
    match access:
        case AccessClass.LIST | AccessClass.READ:
            return _policy(_reads(), reach, regions, managed=(READ_ONLY,))
        case AccessClass.WRITE | AccessClass.TAGGING:
            return _policy(_writes(account), reach, regions)
        case AccessClass.PERMISSIONS | AccessClass.CREDENTIAL:
            return _policy([_allow("*")], reach, regions)
    assert_never(access)


def for_call(
    actions: Sequence[str], arns: Sequence[str], *, account: str, regions: Sequence[str], further: Sequence[str] = ()
) -> SessionPolicy:
    """Return the ceiling of one approved call: its actions on its ARNs; raises SessionPolicyTooLarge.

    An action that AWS asks for on `*` only is allowed there; kinds of resource that the call must be allowed on
    and cannot name (those it creates) are allowed in the connection's account.
    """
    if not actions:
        raise ValueError("an approved call has at least one action")
    wanted = sorted(set(actions))
    free = [action for action in wanted if names_no_resource(action)]
    bound = [action for action in wanted if action not in free]
    statements = [_allow(*free)] if free else []
    if bound:
        created = (home for action in bound for home in unnamed(action, arns, account=account))
        statements.append(_allow(*bound, on=list(dict.fromkeys([*map(_literal, arns), *created])) or ["*"]))
    if zonal := sorted({name for arn in arns for name in _DIRECTORY_BUCKET.findall(arn)}):
        statements.append(
            _allow("s3express:CreateSession", on=[f"arn:aws:s3express:*:{account}:bucket/{name}" for name in zonal])
        )
    keys = _allow("kms:Decrypt", "kms:GenerateDataKey*", on=[f"arn:aws:kms:*:{account}:key/*"])
    return _policy([*statements, keys | {"Condition": _THROUGH_SERVICES}], (account, *further), regions)


_CHAINING = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
# What AWS asks for behind a call, beside the call's own action: keys of encrypted things, and S3 Express's session.
_BEHIND = ("kms:Decrypt", "kms:GenerateDataKey*")


def for_hop(
    role_arn: str, narrowing: Narrowing, *, account: str, regions: Sequence[str], further: Sequence[str] = ()
) -> SessionPolicy:
    """Return the ceiling of a session that does nothing but assume the next role of a chain."""
    if not narrowing:
        return _policy([_allow(*_CHAINING, on=[role_arn])], (account, *further), regions)
    # Tag and source identity are ours to set, so they need nobody's leave but ours.
    ours = _allow("sts:TagSession", "sts:SetSourceIdentity", on=[role_arn])
    return _narrowed(narrowing, _CHAINING, (account, *further), regions, ours)


def narrowed(
    narrowing: Narrowing, actions: Sequence[str], *, account: str, regions: Sequence[str], further: Sequence[str] = ()
) -> SessionPolicy:
    """Return what its maker left of a session, less everything that calls of these actions do not need.

    STS joins an inline policy and managed ones to what either allows; only denials can narrow what was asked for.
    Raises SessionPolicyTooLarge and SessionPolicyMalformed.
    """
    if not actions:
        raise ValueError("a call has at least one action")
    return _narrowed(narrowing, actions, (account, *further), regions)


def _narrowed(
    narrowing: Narrowing, actions: Sequence[str], reach: Sequence[str], regions: Sequence[str], *ours: dict[str, Any]
) -> SessionPolicy:
    wanted = sorted({*actions, *_BEHIND, *(["s3express:CreateSession"] if _is_of_s3(actions) else [])})
    only = {"Effect": "Deny", "NotAction": wanted, "Resource": "*"}
    statements = [*statements_of(narrowing.policy), *ours, only]
    return _policy(statements, reach, regions, managed=narrowing.policy_arns)


def _is_of_s3(actions: Sequence[str]) -> bool:
    return any(action.startswith(("s3:", "s3express:")) for action in actions)


def statements_of(policy: str) -> list[dict[str, Any]]:
    """The statements of a policy document somebody sent; none of an empty one. Raises SessionPolicyMalformed."""
    if not policy:
        return []
    try:
        document = json.loads(policy, object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        raise SessionPolicyMalformed from None
    found = document.get("Statement") if isinstance(document, dict) else None
    statements = [found] if isinstance(found, dict) else found
    if not isinstance(statements, list) or not all(isinstance(one, dict) for one in statements):
        raise SessionPolicyMalformed
    return statements


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # A name given twice is read differently by different readers; AWS refuses it too.
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _literal(arn: str) -> str:
    # A `$` from a client's own key name must not become a policy variable. `*` and `?` match themselves, and
    # stand in ARNs for what the call does not name (a new instance's id).
    return arn.replace("$", "${$}")


def _allow(*actions: str, on: Sequence[str] = ("*",)) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(on)}


def _reads() -> list[dict[str, Any]]:
    return [
        _allow(*_FURTHER_READS),
        _allow("kms:Decrypt") | {"Condition": _THROUGH_SERVICES},
        _allow("s3express:CreateSession") | {"Condition": _READ_ONLY_SESSION},
    ]


def _writes(account: str) -> list[dict[str, Any]]:
    return [
        {"Effect": "Allow", "NotAction": list(PERMISSIONS_ACTIONS), "Resource": "*"},
        # Creating a function or an instance passes a role; policy decides on that as an action of its own.
        _allow("iam:PassRole", "iam:CreateServiceLinkedRole", on=[f"arn:aws:iam::{account}:role/*"]),
        # Volumes and databases under a customer's key: only AWS's services themselves receive the grant.
        _allow("kms:CreateGrant") | {"Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}}},
    ]


def _walls(reach: Sequence[str], regions: Sequence[str]) -> list[dict[str, Any]]:
    """Deny all accounts and regions but these, whatever the statements before them allow."""
    accounts = list(dict.fromkeys(reach))
    return [
        {
            "Effect": "Deny",
            "Action": "*",
            "NotResource": list(_OWNED_BY_AWS),
            # A negated condition holds where its key is absent; without Null every call that names no resource
            # (ListBuckets) would be denied.
            "Condition": {
                "Null": {"aws:ResourceAccount": "false"},
                "StringNotEquals": {"aws:ResourceAccount": accounts if len(accounts) > 1 else accounts[0]},
            },
        },
        {
            "Effect": "Deny",
            "NotAction": list(_GLOBAL_ACTIONS),
            "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": list(regions)}},
        },
    ]


def _policy(
    statements: list[dict[str, Any]], reach: Sequence[str], regions: Sequence[str], *, managed: tuple[str, ...] = ()
) -> SessionPolicy:
    document = {"Version": "2012-10-17", "Statement": statements + _walls(reach, regions)}
    text = json.dumps(document, separators=(",", ":"))
    if len(text) + sum(map(len, managed)) > LARGEST_PLAINTEXT:
        raise SessionPolicyTooLarge(f"{len(text)} characters of {LARGEST_PLAINTEXT}")
    return SessionPolicy(policy_json=text, policy_arns=managed)
