"""Where AWS's own endpoint rules send a service's calls, as botocore ships them.

The client's Host never takes part: only the parsed service and region do. Dialling is the edge's.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointProviderError, UnknownServiceError
from botocore.loaders import Loader

from gateway.connections.problems import EndpointUnknown, RegionNotAllowed

PARTITION = "aws"
# Two regions far apart: a service whose rules answer both with one address has only one, a global one.
_PROBES = ("eu-west-1", "ap-southeast-2")
_DIRECTORY_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{0,50}--[a-z0-9-]{3,30}--xa?-s3", re.ASCII)
# AWS's rules know the region's control endpoint by a bucket's name only; any of that form will do to list them all.
NO_BUCKET = "none--use1-az4--x-s3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where one service is in one region. `host` is what is signed; the dial fields differ only for a stand-in."""

    host: str
    port: int
    is_tls: bool
    signing_region: str
    signing_name: str
    dial_host: str
    dial_port: int

    @property
    def url(self) -> str:
        return f"{'https' if self.is_tls else 'http'}://{self.dial_host}:{self.dial_port}"

    @lru_cache(maxsize=1024)  # noqa: B019  # a frozen value: what is kept is kept by its worth, not for an object's life
    def dialled_at(self, url: str) -> Endpoint:
        """The same endpoint, dialled at a stand-in's `http(s)://host:port`; raises ValueError for another form."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
            raise ValueError("a stand-in is named by http(s)://host:port")
        is_tls = parts.scheme == "https"
        port = parts.port or (443 if is_tls else 80)
        return replace(self, is_tls=is_tls, dial_host=parts.hostname, dial_port=port)


@lru_cache(maxsize=1)
def _partitions() -> Any:
    return Loader().load_data("partitions")


@lru_cache(maxsize=1)
def known_regions() -> frozenset[str]:
    """Every region of the `aws` partition; its pseudo-region `aws-global` is none."""
    partition = next(one for one in _partitions()["partitions"] if one["id"] == PARTITION)
    return frozenset(partition["regions"]) - {"aws-global"}


@lru_cache(maxsize=512)
def _provider(service: str) -> EndpointProvider:
    try:
        rules = Loader().load_service_model(service, "endpoint-rule-set-1")
    except UnknownServiceError:
        raise EndpointUnknown(f"Service `{service[:80]}`") from None
    return EndpointProvider(rules, _partitions())


@lru_cache(maxsize=512)
def _signing_name(service: str) -> str:
    # A loader of its own: botocore keeps every model it loads, and ec2's alone takes 10 MB.
    metadata = Loader().load_service_model(service, "service-2")["metadata"]
    return str(metadata.get("signingName") or metadata["endpointPrefix"])


@lru_cache(maxsize=4096)
def upstream_of(service: str, region: str) -> Endpoint:
    """Return where a botocore service is in one region of the `aws` partition; raises EndpointUnknown."""
    if region not in known_regions():
        raise EndpointUnknown(f"Region `{region[:40]}`")
    provider = _provider(service)
    try:
        found = provider.resolve_endpoint(Region=region, UseDualStack=False, UseFIPS=False)
    except EndpointProviderError:
        raise EndpointUnknown(f"Service `{service[:80]}` in `{region}`") from None
    return _endpoint(service, region, str(found.url), found.properties)


def is_directory_bucket(bucket: str) -> bool:
    """Whether a name is of S3 Express: a bucket or an access point that lives in one zone."""
    return _DIRECTORY_BUCKET.fullmatch(bucket) is not None


@lru_cache(maxsize=1)
def _control_operations() -> frozenset[str]:
    model = Loader().load_service_model("s3", "service-2")
    told = {name: one.get("staticContextParams", {}) for name, one in model["operations"].items()}
    return frozenset(name for name, said in told.items() if "UseS3ExpressControlEndpoint" in said)


@lru_cache(maxsize=4096)
def express_upstream(bucket: str, region: str, operation: str) -> Endpoint:
    """Where an operation on a directory bucket goes; raises EndpointUnknown. With NO_BUCKET: the control endpoint.

    What is done to buckets goes to the region's control endpoint, bucket in the path; what is done to objects goes to
    a host of the zone, which takes the bucket before its own name only.
    """
    if region not in known_regions() or not (is_directory_bucket(bucket) or bucket == NO_BUCKET):
        raise EndpointUnknown(f"Bucket `{bucket[:80]}` in `{region[:40]}`")
    is_control = bucket == NO_BUCKET or operation in _control_operations()
    asked: dict[str, Any] = {"Bucket": bucket, "UseS3ExpressControlEndpoint": is_control}
    plain = {"Accelerate": False, "UseDualStack": False, "UseFIPS": False, "DisableS3ExpressSessionAuth": True}
    try:
        found = _provider("s3").resolve_endpoint(Region=region, **asked, **plain)
    except EndpointProviderError:
        raise EndpointUnknown(f"Bucket `{bucket[:80]}` in `{region}`") from None
    url = str(found.url)
    return _endpoint("s3", region, url.removesuffix(f"/{bucket}") if is_control else url, found.properties)


def _endpoint(service: str, region: str, url: str, properties: dict[str, Any]) -> Endpoint:
    parts = urlsplit(url)
    schemes = properties.get("authSchemes") or [{}]
    scheme: dict[str, Any] = next((one for one in schemes if one.get("name") == "sigv4"), {})
    if not parts.hostname or parts.path.strip("/"):
        raise EndpointUnknown(f"Service `{service}` has no plain host")
    is_tls = parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    return Endpoint(
        host=parts.hostname,
        port=port,
        is_tls=is_tls,
        signing_region=str(scheme.get("signingRegion", region)),
        signing_name=str(scheme.get("signingName") or _signing_name(service)),
        dial_host=parts.hostname,
        dial_port=port,
    )


@lru_cache(maxsize=512)
def is_global(service: str) -> bool:
    """Say whether the service has one address for the whole partition, as IAM and Route 53 do."""
    near, far = (upstream_of(service, region) for region in _PROBES)
    return near.host == far.host


def check_region(*, service: str, region: str, regions: Collection[str]) -> None:
    """Raise RegionNotAllowed unless the region is the connection's, or the service is global and this its region."""
    if region in regions:
        return
    if region in known_regions() and is_global(service) and upstream_of(service, region).signing_region == region:
        return
    raise RegionNotAllowed(f"Region `{region[:40]}`")
