"""What a client puts before the gateway's own name in Host: a bucket, an operation's prefix, a service's name.

Names it goes by come from whoever is asked to listen there. Where a request is sent never depends on this Host.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from urllib.parse import quote

from gateway.wire.canonical import S3_FAMILY
from gateway.wire.problems import MisplacedHost
from gateway.wire.request import WireRequest

# Through a proxy clients keep AWS's own names: bucket.s3.eu-west-1.amazonaws.com, s3.dualstack..., s3-accelerate...
_AWS_S3 = re.compile(
    r"(?P<bucket>.+)\.s3(?:-[a-z0-9-]+)?(?:\.[a-z0-9-]+){0,2}\.(?:amazonaws\.com(?:\.cn)?|api\.aws)\Z", re.ASCII
)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,253}[a-z0-9]\Z", re.ASCII)
_ACCOUNT = re.compile(r"\d{12}\Z", re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9-]{1,63}\Z", re.ASCII)
_TEMPLATE_LABEL = re.compile(r"\{(\w+)\}")
# The account of S3 control calls and the route of Object Lambda's answer stand where a bucket would stand.
_CONTROL_PATH = re.compile(r"/v20180820(?:/|\Z)")
_ROUTE_PATH = "/WriteGetObjectResponse"


def prefix_of(host: str, names: Collection[str]) -> str:
    """What stands before one of the gateway's names, its dot or dash included; empty for none and for foreign hosts."""
    name = host.lower().partition(":")[0] if not host.startswith("[") else ""
    fitting = [own for own in names if name.endswith(own.lower()) and name != own.lower()]
    if not fitting or name in {own.lower() for own in names}:
        return ""
    prefix = name[: len(name) - len(max(fitting, key=len))]
    return prefix if prefix.endswith((".", "-")) else ""


def bucket_of(request: WireRequest, signing_name: str, names: Collection[str]) -> str:
    """The bucket a virtual-hosted S3 request names in its Host; empty for every other request.

    Raises MisplacedHost when what stands there can be no bucket.
    """
    host = request.header("host") or ""
    prefix = prefix_of(host, names)
    if signing_name not in S3_FAMILY or not host or _is_host_label(request, prefix):
        return ""
    foreign = _AWS_S3.match(host.lower().partition(":")[0])
    bucket = prefix.removesuffix(".") if prefix.endswith(".") else (foreign["bucket"] if foreign else "")
    bucket = _without_endpoint(bucket)
    if bucket and not _BUCKET.match(bucket):
        raise MisplacedHost("What stands before the gateway's name is no bucket name")
    return bucket


def _without_endpoint(prefix: str) -> str:
    """`bucket.s3` and `bucket.s3.eu-west-1` name an S3 endpoint under the gateway's name, and a bucket under that."""
    labels = prefix.split(".")
    for place in (len(labels) - 1, len(labels) - 2):
        if place >= 0 and labels[place] == "s3":
            return ".".join(labels[:place])
    return prefix


def _is_host_label(request: WireRequest, prefix: str) -> bool:
    """Raises MisplacedHost for S3 control calls whose header names another account than their Host."""
    if _CONTROL_PATH.match(request.path):
        account, named = request.header("x-amz-account-id"), prefix.partition(".")[0]
        if account and _ACCOUNT.match(named) and named != account:
            raise MisplacedHost("Host and x-amz-account-id name different accounts")
        return named == account
    route = request.header("x-amz-request-route") or ""
    return request.path == _ROUTE_PATH and bool(route) and prefix.startswith(f"{route}.".lower())


def path_style(request: WireRequest, signing_name: str, names: Collection[str]) -> WireRequest:
    """The same request with its bucket in the path, as all reading and forwarding takes it; raises MisplacedHost.

    Call it after the signature was verified: the signature covers Host and path as they came.
    """
    bucket = bucket_of(request, signing_name, names)
    return replace(request, target=f"/{quote(bucket, safe='')}{request.target}") if bucket else request


def below_bucket(request: WireRequest) -> str:
    """The target of an S3 request in path style as a host takes it that has the bucket before its own name."""
    path, mark, query = request.target.partition("?")
    return "/" + path.removeprefix("/").partition("/")[2] + mark + query


# --- host prefixes of operations


def filled(template: str, values: Mapping[str, object]) -> str:
    """A host prefix (`api.`, `{AccountId}.`) with its labels; raises MisplacedHost when one is missing or no label."""

    def label(match: re.Match[str]) -> str:
        value = values.get(match[1])
        if not isinstance(value, str) or not _LABEL.match(value):
            raise MisplacedHost(f"{match[1]} stands in the host's name and is no label of one")
        return value

    return _TEMPLATE_LABEL.sub(label, template)
