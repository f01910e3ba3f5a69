"""A masked copy of the objects below a prefix, which an agent may read instead: streamed, never over what is not ours.

Whatever cannot be read is not copied, and counted.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from gateway.jobs.aws import Reach, client, stopped
from gateway.jobs.problems import JobStopped
from gateway.jobs.reading import MaskedObject, Unreadable, plan_for
from gateway.jobs.steps import Beat, Page, placed
from gateway.masking.content import ContentScanner, scanner_for
from gateway.masking.replacement import Tally
from gateway.wire.contract import OpaqueChoice

OBJECTS_A_PAGE = 10
LARGEST_OBJECT = 64 * 1024 * 1024 * 1024
# What says that an object is a masked copy, of what, and by which rules: without its key, in which a secret may stand.
SOURCE, KEY, RULES = "hoopweb-masked-from", "hoopweb-masked-key", "hoopweb-mask-rules"
# One part in memory at a time.
_TRANSFER = TransferConfig(multipart_threshold=8 * 1024 * 1024, multipart_chunksize=8 * 1024 * 1024, use_threads=False)
_KEPT = {"ContentType": "content-type", "ContentEncoding": "content-encoding"}
# A bucket whose policy says nothing has none.
_NO_POLICY = ("NoSuchBucketPolicy", "NoSuchPublicAccessBlockConfiguration")


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """With what a copy is masked, and whom it tells how far it is."""

    detectors: bytes
    rules: str
    beat: Beat

    @property
    def scanner(self) -> ContentScanner:
        return scanner_for(self.detectors)

    def said_of(self, bucket: str, one: Mapping[str, Any]) -> dict[str, str]:
        """What a copy of this object says of itself: the same only where neither object nor rules nor detectors changed."""
        own = f"+{hashlib.sha256(self.detectors).hexdigest()[:12]}" if self.detectors else ""
        key = hashlib.sha256(one["Key"].encode("utf-8", "replace")).hexdigest()[:32]
        return {SOURCE: f"{one['ETag'].strip(chr(34))}@{bucket}", KEY: key, RULES: f"{self.rules}{own}"}


def copy_page(reach: Reach, job: Mapping[str, Any], cursor: Mapping[str, Any] | None, how: How) -> Iterator[Page]:
    """One page of a copy, object by object; raises JobStopped where AWS or policy says no, or the destination is public,
    and JobDelayed where AWS is busy."""
    try:
        s3 = client(reach, "s3")
        if cursor is None:
            _check_private(s3, job["to_bucket"])
        yield from _page(s3, job, cursor, how)
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


def _page(s3: Any, target: Mapping[str, Any], cursor: Mapping[str, Any] | None, how: How) -> Iterator[Page]:
    after = {"StartAfter": cursor["after"]} if cursor else {}
    listed = s3.list_objects_v2(Bucket=target["bucket"], Prefix=target["prefix"], MaxKeys=OBJECTS_A_PAGE, **after)
    found = listed.get("Contents", ())
    for one in found:
        page = Page(cursor={"after": one["Key"]}, ends=False, counts=Counter(seen=1))
        page.counts["unscanned" if one["Size"] > LARGEST_OBJECT else _copied(s3, target, one, page, how)] += 1
        yield page
    yield Page(cursor={"after": found[-1]["Key"]} if listed.get("IsTruncated") and found else None)


def _copied(s3: Any, target: Mapping[str, Any], one: Mapping[str, Any], page: Page, how: How) -> str:
    """Copy one object; returns what came of it, as counts have it."""
    key, place = one["Key"], placed(how.scanner, f"s3://{target['bucket']}/{one['Key']}")
    how.beat(place, 0)
    # The name of a copy is read by whoever may not read the original.
    to = how.scanner.mask_text(f"{target['to_prefix']}{key[len(target['prefix']) :]}", Tally())
    said = how.said_of(target["bucket"], one)
    standing = _metadata(s3, target["to_bucket"], to)
    if standing is not None and (SOURCE not in standing or standing.get(KEY, said[KEY]) != said[KEY]):
        # Somebody's own, or the copy of another object whose name differs only in what is masked.
        return "kept"
    if standing is not None and {name: standing.get(name) for name in said} == said:
        return "up_to_date"
    try:
        # Another version than was listed is another object: the next run copies it.
        answer = s3.get_object(Bucket=target["bucket"], Key=key, IfMatch=one["ETag"])
        masked = MaskedObject(answer, plan_for(how.detectors, OpaqueChoice.WITHHOLD))
        _upload(s3, masked, target["to_bucket"], to, said, lambda done: how.beat(place, done))
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("PreconditionFailed", "NoSuchKey", "InvalidObjectState"):
            raise
        return "unread"
    except Unreadable:
        return "unscanned"
    if masked.report is not None:
        page.counts["bytes"] += masked.report.bytes_scanned
        page.take(place, masked.report.masked_by_type, masked.report.masked_by_rule)
    return "copied"


def _upload(
    s3: Any, masked: MaskedObject, bucket: str, to: str, said: Mapping[str, str], beat: Callable[[int], None]
) -> None:
    kept = {name: masked.headers[header] for name, header in _KEPT.items() if header in masked.headers}
    s3.upload_fileobj(
        _Stream(masked.chunks(), beat), bucket, to, ExtraArgs={"Metadata": dict(said), **kept}, Config=_TRANSFER
    )


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

    def __init__(self, chunks: Iterator[bytes], beat: Callable[[int], None]) -> None:
        super().__init__()
        self._chunks, self._beat = chunks, beat
        self._left, self._done = b"", 0

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
        self._done += have - len(self._left)
        self._beat(self._done)
        taken = data if wanted is None else data[:wanted]
        self._left = data[len(taken) :]
        return taken
