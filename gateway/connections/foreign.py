"""What a call names outside its connection's account and regions, refused before anything leaves. Pure.

The session policy of every role session says the same to AWS (`session_policies`); here the caller is told what to do.
Who may be let into an account is policy's (`facts.foreign_access`): names of IAM say who, not what.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from gateway.connections.aws_owned import REGISTRIES, is_offered_layer
from gateway.connections.endpoints import check_region, express_upstream, is_directory_bucket, known_regions
from gateway.connections.problems import ForeignAccount, RegionNotAllowed
from gateway.terms import AccessClass, Candidate, Resource

_ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)
# Members that say whose a thing is. `Owners` and the like are filters over what anybody may read, and stay out.
_ACCOUNT_MEMBERS = (
    "AccountId",
    "BackupVaultAccountId",
    "CatalogId",
    "ExpectedBucketOwner",
    "ExpectedSourceBucketOwner",
    "QueueOwnerAWSAccountId",
    "ResourceOwnerAccount",
    "SourceAccountId",
    "registryId",
    "registryIds",
)
# Here an account is what is managed, or who: an organisation's own members.
_OF_MANY_ACCOUNTS = frozenset(("account", "organizations", "identitystore", "sso", "sso-admin", "controltower"))
_WHO = frozenset(("iam", "sts", "organizations"))
# Members that hold the caller's own data or words: an ARN in them is text.
_DATA = frozenset(
    (
        "AttributeUpdates",
        "Body",
        "ClientContext",
        "Data",
        "Description",
        "Detail",
        "Environment",
        "Expected",
        "ExpressionAttributeValues",
        "Filters",
        "Input",
        "Item",
        "Key",
        "KeyConditions",
        "Message",
        "MessageAttributes",
        "MessageBody",
        "Metadata",
        "Parameters",
        "PutRequest",
        "QueryFilter",
        "Records",
        "ScanFilter",
        "SecretString",
        "Subject",
        "Tagging",
        "Tags",
        "TagSet",
        "UserData",
        "Value",
        "Values",
        "cause",
        "environment",
        "error",
        "input",
        "logEvents",
        "message",
        "metadata",
        "output",
        "parameters",
        "tags",
    )
)
_REGION_MEMBERS = frozenset(
    ("DestinationRegion", "LocationConstraint", "Region", "RegionName", "ReplicaRegion", "SourceRegion")
)
_READS = (AccessClass.LIST, AccessClass.READ)


def check_home(
    candidate: Candidate,
    parameters: Mapping[str, Any],
    *,
    account: str,
    accounts: Collection[str],
    regions: Collection[str],
) -> None:
    """Raise ForeignAccount or RegionNotAllowed where the call reaches out of the connection; `parameters` as read.

    `account` is where the call is made, `accounts` are all it may reach.
    """
    if account not in accounts:
        # A key given for a role there, before the account was taken from the connection's list.
        raise ForeignAccount(f"The account {account} of these keys")
    service = candidate.operation.service
    _check_zone(candidate, parameters, regions)
    if service not in _OF_MANY_ACCOUNTS:
        _check_members(service, parameters, accounts)
        abroad = [one for one in candidate.resources if _is_abroad(one, accounts)]
        for name in _meant(abroad, parameters):
            raise ForeignAccount(f"`{name[:200]}`")
    elsewhere = [one for one in candidate.resources if one.region and one.region not in regions and one.account]
    for name in _meant(elsewhere, parameters) if elsewhere else ():
        check_region(service=service, region=name.split(":")[3], regions=regions)
    if candidate.access not in _READS:
        _check_regions(parameters, regions)


def _check_zone(candidate: Candidate, parameters: Mapping[str, Any], regions: Collection[str]) -> None:
    """Raise EndpointUnknown for a directory bucket whose zone AWS's rules do not know: it would go to no host."""
    bucket = parameters.get("Bucket")
    if candidate.operation.service == "s3" and isinstance(bucket, str) and is_directory_bucket(bucket):
        express_upstream(bucket, next(iter(regions)), candidate.operation.name)


def _check_members(service: str, parameters: Mapping[str, Any], accounts: Collection[str]) -> None:
    for member in _ACCOUNT_MEMBERS:
        said = parameters.get(member)
        if said is None:
            continue
        for one in said if isinstance(said, list) else (said,):
            is_public = service == "ecr" and one in REGISTRIES
            if isinstance(one, str) and one not in accounts and _ACCOUNT.fullmatch(one) and not is_public:
                raise ForeignAccount(f"`{member}` {one}")


def _is_abroad(resource: Resource, accounts: Collection[str]) -> bool:
    if resource.account in accounts or resource.service in _WHO or not _ACCOUNT.fullmatch(resource.account):
        return False
    if resource.service != "lambda":
        return True
    kind, _, name = resource.arn.split(":", 5)[5].partition(":")
    return not (kind == "layer" and is_offered_layer(name, resource.account))


def _meant(resources: Collection[Resource], parameters: Mapping[str, Any]) -> Iterator[str]:
    """The ARNs that the call reaches for: all but those that stand in its data alone."""
    if not resources:
        return
    places = list(_places(parameters))
    for one in resources:
        is_data = [is_data for text, is_data in places if text == one.arn]
        # One that stands nowhere was built from a name, an address or a number: it is meant.
        if not is_data or not all(is_data):
            yield one.arn


def _places(value: Any, is_data: bool = False) -> Iterator[tuple[str, bool]]:
    waiting: list[tuple[Any, bool]] = [(value, is_data)]
    while waiting:
        value, is_data = waiting.pop()
        if isinstance(value, str):
            yield value, is_data
        elif isinstance(value, Mapping):
            waiting.extend((item, is_data or name in _DATA) for name, item in value.items())
        elif isinstance(value, list):
            waiting.extend((item, is_data) for item in value)


def _check_regions(parameters: Mapping[str, Any], regions: Collection[str]) -> None:
    """A copy, a replica or a bucket is made where it says, whichever region is asked."""
    waiting: list[Any] = [parameters]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            for name, item in value.items():
                is_place = name in _REGION_MEMBERS and isinstance(item, str)
                if is_place and item not in regions and item in known_regions():
                    raise RegionNotAllowed(f"`{name}` {item}")
                if name not in _DATA and not isinstance(item, str):
                    waiting.append(item)
        elif isinstance(value, list):
            waiting.extend(item for item in value if not isinstance(item, str))
