"""Every resource a reading touches, as ARNs: those it names, and those built from names in the connection's account.

What is done to them is `actions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.terms import Resource
from gateway.wire import tables
from gateway.wire.aws.actions import secrets_by_reference, statements_of
from gateway.wire.aws.reading import Reading, model
from gateway.wire.aws.resource_names import BUILT, EC2_IDS
from gateway.wire.request import decode_component

# The engine denies past 1,000; one more is enough to make it so.
MOST = 1_001
_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(\d{12}|aws|[a-z-]*):\S[^\x00-\x1f]*", re.ASCII)
_EC2_ID = re.compile(r"(?P<kind>[a-z-]{1,24})-[0-9a-f]{8,17}\Z", re.ASCII)
_LAMBDA = re.compile(
    r"(?:(?P<account>\d{12}):)?(?:function:)?(?P<name>[A-Za-z0-9_-]{1,140})(?::(?P<qualifier>[A-Za-z0-9$_-]+))?\Z",
    re.ASCII,
)
# A quote needs no space before it; a second name is an index of the first.
_PARTIQL_TABLE = re.compile(
    r"(?<![A-Za-z0-9_])(?:from|into|update)"
    r"(?:\s*\"(?P<quoted>(?:[^\"]|\"\")+)\"(?:\.\"?(?P<index>[A-Za-z0-9_.-]+))?|\s+(?P<plain>[A-Za-z0-9_][A-Za-z0-9_.-]*))",
    re.IGNORECASE,
)
_PARTIQL_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Home:
    """Where built ARNs live: the connection's partition, region and account."""

    partition: str
    region: str
    account: str

    def arn(self, service: str, rest: str, *, is_global: bool = False) -> str:
        place = ":" if is_global else f"{self.region}:{self.account}"
        return f"arn:{self.partition}:{service}:{place}:{rest}"

    def iam(self, rest: str) -> str:
        return f"arn:{self.partition}:iam::{self.account}:{rest}"


def resources_of(reading: Reading, *, account: str, region: str) -> tuple[Resource, ...]:
    """All resources of a reading, at most MOST and never none: without a name it is everything of the service."""
    home = _Home(partition=partition_of(region), region=region, account=account)
    found: dict[str, None] = {}
    for arn in _all_arns(reading, home):
        found[arn] = None
        if len(found) >= MOST:
            break
    return tuple(resource_of(arn) for arn in found) or (resource_of(_wildcard(reading, home)),)


def partition_of(region: str) -> str:
    """AWS's partition of a region."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def resource_of(arn: str) -> Resource:
    """A resource from its ARN; empty account or region means the ARN does not carry it."""
    _, _, service, region, account, _ = arn.split(":", 5)
    return Resource(arn=arn, service=service, account=account, region=region)


def _wildcard(reading: Reading, home: _Home) -> str:
    service = reading.operation.service
    prefix = model(service).table.iam_prefix if service in tables.index().services else service
    return home.arn(prefix, "*")


def _all_arns(reading: Reading, home: _Home) -> Iterator[str]:
    strings = _strings(reading.parameters)
    for _, text in (*strings, *_strings(reading.unknown)) if reading.unknown else strings:
        if text.startswith("arn:") and _ARN.fullmatch(text):
            yield text
    special = _SPECIAL.get(reading.operation.service)
    if special is not None:
        yield from special(reading, home)
    built = BUILT.get(reading.operation.service, {})
    for name, value in strings:
        template = built.get(name)
        if template and value and not _ARN.fullmatch(value):
            yield _fill(template, value, home)
        identity = _EC2_ID.match(value) if "-" in value else None
        if identity and identity["kind"] in EC2_IDS:
            yield _ec2_arn(identity["kind"], value, home)


def _strings(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Every string with the member name it stands under; a list's elements stand under the list's, keys too."""
    # Flat, and by type rather than by pattern: this walks every parameter of every call.
    found: list[tuple[str, str]] = []
    waiting: list[tuple[str, Any]] = [(name, value)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, str):
            found.append((name, value))
        elif isinstance(value, Mapping):
            for key, item in reversed(list(value.items())):
                waiting += ((key, item), ("", key))
        elif isinstance(value, list):
            waiting.extend((name, item) for item in reversed(value))
    return found


def _fill(template: str, value: str, home: _Home) -> str:
    service, _, rest = template.partition(":")
    filled = rest.replace("{}", value)
    if service == "iam":
        return home.iam(filled)
    return home.arn(service.removesuffix("!"), filled, is_global=service.endswith("!"))


def _ec2_arn(kind: str, value: str, home: _Home) -> str:
    # Images and snapshots are named without an account: they may be anybody's.
    if kind in ("ami", "snap"):
        return f"arn:{home.partition}:ec2:{home.region}::{EC2_IDS[kind]}/{value}"
    return home.arn("ec2", f"{EC2_IDS[kind]}/{value}")


# --- services whose names do not stand alone


def _s3(reading: Reading, home: _Home) -> Iterator[str]:
    bucket = reading.parameters.get("Bucket")
    if isinstance(bucket, str) and bucket:
        base = bucket if bucket.startswith("arn:") else home.arn("s3", bucket, is_global=True)
        joint = "/object/" if bucket.startswith("arn:") else "/"
        keys = list(_s3_keys(reading.parameters))
        yield from (f"{base}{joint}{key}" for key in keys)
        if not keys:
            yield base
    for name in ("CopySource", "RenameSource"):
        source = reading.parameters.get(name)
        if isinstance(source, str):
            yield from _copy_sources(source, bucket if name == "RenameSource" else None, home)


def _s3_keys(parameters: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(parameters.get("Key"), str):
        yield parameters["Key"]
    for item in (parameters.get("Delete") or {}).get("Objects") or ():
        if isinstance(item.get("Key"), str):
            yield item["Key"]


def _copy_sources(source: str, bucket: str | None, home: _Home) -> Iterator[str]:
    """`bucket/key?versionId=...`, percent-encoded, with or without a leading slash, or an access point's ARN.

    What a reader may take for the version, or for one slash more, is told both ways: nobody documents S3's.
    """
    whole = decode_component(source)
    texts = (decode_component(source.partition("?versionId=")[0]).removeprefix("/"), whole.partition("?versionId=")[0])
    for text in dict.fromkeys((texts[0], *(one.lstrip("/") for one in texts))):
        named = f"{bucket}/{text}" if bucket and not text.startswith(f"{bucket}/") else text
        yield text if text.startswith("arn:") else home.arn("s3", named, is_global=True)


def _dynamodb(reading: Reading, home: _Home) -> Iterator[str]:
    for name in ("RequestItems", "KeyConditions"):
        if name == "RequestItems":
            for table in reading.parameters.get(name) or {}:
                yield table if table.startswith("arn:") else home.arn("dynamodb", f"table/{table}")
    table, index = reading.parameters.get("TableName"), reading.parameters.get("IndexName")
    if isinstance(table, str) and isinstance(index, str):
        base = table if table.startswith("arn:") else home.arn("dynamodb", f"table/{table}")
        yield f"{base}/index/{index}"
    for statement in statements_of(reading):
        found = _partiql_tables(statement)
        yield from (name if name.startswith("arn:") else home.arn("dynamodb", f"table/{name}") for name in found)


def _partiql_tables(statement: str) -> tuple[str, ...]:
    """The tables and indexes a statement may name; everything where none is found.

    Read with its comments and without them: what looks like one may stand in a string.
    """
    found: dict[str, None] = {}
    for text in (statement, _PARTIQL_COMMENT.sub(" ", statement)):
        for match in _PARTIQL_TABLE.finditer(text):
            name = (match["quoted"] or match["plain"]).replace('""', '"')
            found[name] = None
            # `t.i` may be a table of that name or an index of `t`.
            table, _, index = name.partition(".") if match["plain"] else (name, "", match["index"] or "")
            if index:
                found[table] = found[f"{table}/index/{index}"] = None
    return tuple(found) or ("*",)


def _lambda(reading: Reading, home: _Home) -> Iterator[str]:
    name = reading.parameters.get("FunctionName")
    match = _LAMBDA.match(name) if isinstance(name, str) else None
    if match is None:
        return
    qualifier = match["qualifier"] or reading.parameters.get("Qualifier")
    account = match["account"] or home.account
    tail = f":{qualifier}" if isinstance(qualifier, str) and qualifier else ""
    yield f"arn:{home.partition}:lambda:{home.region}:{account}:function:{match['name']}{tail}"


def _sqs(reading: Reading, home: _Home) -> Iterator[str]:
    url = reading.parameters.get("QueueUrl")
    if isinstance(url, str):
        segments = [segment for segment in url.split("/") if segment]
        account = segments[-2] if len(segments) >= 2 and re.fullmatch(r"\d{12}", segments[-2]) else home.account
        yield f"arn:{home.partition}:sqs:{home.region}:{account}:{segments[-1] if segments else '*'}"


def _kms(reading: Reading, home: _Home) -> Iterator[str]:
    for name, value in _strings(reading.parameters):
        if name.endswith("KeyId") and not value.startswith("arn:"):
            yield home.arn("kms", value if value.startswith("alias/") else f"key/{value}")


def _ssm(reading: Reading, home: _Home) -> Iterator[str]:
    """`Name` is a parameter's, a document's or a window's, as the operation's own name says."""
    operation = reading.operation.name
    for secret in secrets_by_reference(reading):
        yield home.arn("secretsmanager", f"secret:{secret.partition(':')[0]}")
    kind = next((kind for kind in ("Parameter", "Document") if kind in operation), "")
    for name, value in _strings(reading.parameters):
        if kind == "Parameter" and name in ("Name", "Names", "Path") and not value.startswith("arn:"):
            tail = "/*" if name == "Path" else ""
            yield home.arn("ssm", f"parameter/{value.partition(':')[0].strip('/')}{tail}")
        elif kind == "Document" and name == "Name":
            yield home.arn("ssm", f"document/{value}")


def _iam(reading: Reading, home: _Home) -> Iterator[str]:
    """Without a user name IAM takes the caller himself; which user that is, only AWS knows."""
    is_own = "AccessKey" in reading.operation.name or "LoginProfile" in reading.operation.name
    if is_own and "UserName" not in reading.parameters:
        yield home.iam("user/*")


_SPECIAL = {
    "s3": _s3,
    "dynamodb": _dynamodb,
    "lambda": _lambda,
    "sqs": _sqs,
    "kms": _kms,
    "ssm": _ssm,
    "iam": _iam,
}
