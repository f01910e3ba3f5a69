"""A masked copy of the objects below a prefix, which an agent may read instead: streamed, never over what is not ours.

Whatever cannot be read is not copied, and counted.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from gateway.jobs.aws import Reach, client, stopped
from gateway.jobs.problems import JobStopped
from gateway.jobs.reading import MaskedObject, Unreadable, plan_for
from gateway.jobs.steps import Page, placed
from gateway.masking.content import scanner_for
from gateway.masking.replacement import Tally
from gateway.wire.contract import OpaqueChoice

OBJECTS_A_PAGE = 10
LARGEST_OBJECT = 64 * 1024 * 1024 * 1024
# What says that an object is a masked copy, and of what.
SOURCE, RULES = "hoopweb-masked-from", "hoopweb-mask-rules"
# One part in memory at a time.
_TRANSFER = TransferConfig(multipart_threshold=8 * 1024 * 1024, multipart_chunksize=8 * 1024 * 1024, use_threads=False)
_KEPT = {"ContentType": "content-type", "ContentEncoding": "content-encoding"}
# A bucket whose policy says nothing has none.
_NO_POLICY = ("NoSuchBucketPolicy", "NoSuchPublicAccessBlockConfiguration")


def copy_page(
    reach: Reach, target: Mapping[str, Any], cursor: Mapping[str, Any] | None, detectors: bytes, rules: str
) -> Page:
    """One page of a copy; raises JobStopped where AWS or policy says no, or the destination is public."""
    try:
        s3 = client(reach, "s3")
        if cursor is None:
            _check_private(s3, target["to_bucket"])
        return _page(s3, target, cursor, detectors, rules)
    except (ClientError, BotoCoreError) as error:
        raise stopped(error, what="the copy") from None


def _check_private(s3: Any, bucket: str) -> None:
    try:
        status = s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NO_POLICY:
            raise
        return
    if status.get("IsPublic"):
        raise JobStopped("The bucket to copy to is public by its policy")


def _page(s3: Any, target: Mapping[str, Any], cursor: Mapping[str, Any] | None, detectors: bytes, rules: str) -> Page:
    page, after = Page(), {"StartAfter": cursor["after"]} if cursor else {}
    listed = s3.list_objects_v2(Bucket=target["bucket"], Prefix=target["prefix"], MaxKeys=OBJECTS_A_PAGE, **after)
    found = listed.get("Contents", ())
    for one in found:
        page.counts["seen"] += 1
        if one["Size"] > LARGEST_OBJECT:
            page.counts["unscanned"] += 1
        else:
            _copy(s3, target, one, page, detectors, rules)
    if listed.get("IsTruncated") and found:
        page.cursor = {"after": found[-1]["Key"]}
    return page


def _copy(s3: Any, target: Mapping[str, Any], one: Mapping[str, Any], page: Page, detectors: bytes, rules: str) -> None:
    key, scanner = one["Key"], scanner_for(detectors)
    to = f"{target['to_prefix']}{key[len(target['prefix']) :]}"
    # The name of a copy is read by whoever may not read the original.
    to = scanner.mask_text(to, Tally())
    source = f"{one['ETag'].strip(chr(34))}@{target['bucket']}"
    standing = _metadata(s3, target["to_bucket"], to)
    if standing is not None and SOURCE not in standing:
        page.counts["kept"] += 1
        return
    if standing is not None and (standing[SOURCE], standing.get(RULES)) == (source, rules):
        page.counts["up_to_date"] += 1
        return
    try:
        # Another version than was listed is another object: the next run copies it.
        answer = s3.get_object(Bucket=target["bucket"], Key=key, IfMatch=one["ETag"])
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("PreconditionFailed", "NoSuchKey", "InvalidObjectState"):
            raise
        page.counts["unread"] += 1
        return
    try:
        masked = MaskedObject(answer, plan_for(detectors, OpaqueChoice.WITHHOLD))
        kept = {name: masked.headers[header] for name, header in _KEPT.items() if header in masked.headers}
        s3.upload_fileobj(
            _Stream(masked.chunks()),
            target["to_bucket"],
            to,
            ExtraArgs={"Metadata": {SOURCE: source, RULES: rules}, **kept},
            Config=_TRANSFER,
        )
    except Unreadable:
        page.counts["unscanned"] += 1
        return
    report = masked.report
    page.counts["copied"] += 1
    if report is not None:
        page.counts["bytes"] += report.bytes_scanned
        page.take(placed(scanner, f"s3://{target['bucket']}/{key}"), report.masked_by_type, report.masked_by_rule)


def _metadata(s3: Any, bucket: str, key: str) -> Mapping[str, str] | None:
    """What is said of the object that stands there; None where none does."""
    try:
        metadata: Mapping[str, str] = s3.head_object(Bucket=bucket, Key=key)["Metadata"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey", "NotFound"):
            raise
        return None
    return metadata


class _Stream(io.RawIOBase):
    """Chunks as a file that can be read once, front to back: what the uploader takes."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._left = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        wanted = size if size is not None and size >= 0 else None
        parts, have = [self._left], len(self._left)
        while wanted is None or have < wanted:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            parts.append(chunk)
            have += len(chunk)
        data = b"".join(parts)
        taken = data if wanted is None else data[:wanted]
        self._left = data[len(taken) :]
        return taken
