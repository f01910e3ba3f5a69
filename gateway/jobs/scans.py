"""Looking for secrets in a bucket, a table or a log group, a page at a time; a report says where they lie, never what.

Sampling is by name, so a page that is read twice samples the same.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from gateway.jobs.aws import Reach, client, is_for_now, stopped
from gateway.jobs.reading import MaskedObject, Unreadable, plan_for
from gateway.jobs.steps import Beat, Page, look_at, placed
from gateway.masking.bodies import MaskReport
from gateway.masking.content import ContentScanner, scanner_for
from gateway.wire.contract import OpaqueChoice

OBJECTS_A_PAGE = 25
ITEMS_A_PAGE = 200
EVENTS_A_PAGE = 500
# Larger objects are counted as not scanned: a job must come to its end.
LARGEST_OBJECT = 1024 * 1024 * 1024
Step = Callable[[Reach, Mapping[str, Any], Mapping[str, Any] | None, bytes, Beat], Iterator[Page]]


def scan_page(
    reach: Reach, target: Mapping[str, Any], cursor: Mapping[str, Any] | None, detectors: bytes, beat: Beat
) -> Iterator[Page]:
    """One page of a scan, object by object; raises JobStopped where AWS or policy says no, JobDelayed where it is busy."""
    step = _STEPS[target["what"]]
    try:
        yield from step(reach, target, cursor, detectors, beat)
    except (ClientError, BotoCoreError) as error:
        raise stopped(error, what=f"the scan of the {target['what']}") from None


def is_sampled(name: str, percent: int) -> bool:
    """Whether this name is among the share that is looked at: the same each time it is asked."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "replace")).digest()[:4]) % 100 < percent


def _bucket(
    reach: Reach, target: Mapping[str, Any], cursor: Mapping[str, Any] | None, detectors: bytes, beat: Beat
) -> Iterator[Page]:
    s3, reading = client(reach, "s3"), _Reading(scanner=scanner_for(detectors), detectors=detectors, beat=beat)
    after = {"StartAfter": cursor["after"]} if cursor else {}
    listed = s3.list_objects_v2(
        Bucket=target["bucket"], Prefix=target.get("prefix", ""), MaxKeys=OBJECTS_A_PAGE, **after
    )
    found = listed.get("Contents", ())
    for one in found:
        page = Page(cursor={"after": one["Key"]}, ends=False, counts=Counter(seen=1))
        if not is_sampled(one["Key"], target["percent"]):
            page.counts["not_sampled"] += 1
        elif one["Size"] > LARGEST_OBJECT:
            page.counts["unscanned"] += 1
        else:
            _object(s3, target["bucket"], one["Key"], page, reading)
        yield page
    yield Page(cursor={"after": found[-1]["Key"]} if listed.get("IsTruncated") and found else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    scanner: ContentScanner
    detectors: bytes
    beat: Beat


def _object(s3: Any, bucket: str, key: str, page: Page, reading: _Reading) -> None:
    place = placed(reading.scanner, f"s3://{bucket}/{key}")
    reading.beat(place, 0)
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if is_for_now(error):
            raise
        # One object that is gone, archived or closed does not end a scan; a bucket that is closed ends it at the list.
        page.counts["unread"] += 1
        return
    report = _read(answer, place, reading)
    if report is None or (report.bytes_unscanned and not report.bytes_scanned):
        page.counts["unscanned"] += 1
        return
    page.counts["scanned"] += 1
    page.counts["bytes"] += report.bytes_scanned
    page.take(place, report.masked_by_type, report.masked_by_rule)


def _read(answer: Mapping[str, Any], place: str, reading: _Reading) -> MaskReport | None:
    done = 0
    try:
        masked = MaskedObject(answer, plan_for(reading.detectors, OpaqueChoice.PASS))
        for chunk in masked.chunks():
            done += len(chunk)
            reading.beat(place, done)
    except Unreadable:
        return None
    return masked.report


def _table(
    reach: Reach, target: Mapping[str, Any], cursor: Mapping[str, Any] | None, detectors: bytes, beat: Beat
) -> Iterator[Page]:
    dynamodb, scanner, page = client(reach, "dynamodb"), scanner_for(detectors), Page()
    keys = [one["AttributeName"] for one in dynamodb.describe_table(TableName=target["table"])["Table"]["KeySchema"]]
    start = {"ExclusiveStartKey": _key(cursor["after"])} if cursor else {}
    answer = dynamodb.scan(TableName=target["table"], Limit=ITEMS_A_PAGE, **start)
    for item in answer.get("Items", ()):
        name = "/".join(_plain(item.get(key)) for key in keys)
        page.counts["seen"] += 1
        if not is_sampled(name, target["percent"]):
            page.counts["not_sampled"] += 1
            continue
        place = f"dynamodb:{target['table']}/{name}"
        look_at(page, scanner, _readable(item), place)
        beat(placed(scanner, place), 0)
    if last := answer.get("LastEvaluatedKey"):
        page.cursor = {"after": _as_json(last)}
    yield page


def _as_json(key: Mapping[str, Any]) -> dict[str, Any]:
    """A key as the cursor keeps it: bytes as base64."""
    return {
        name: {kind: base64.b64encode(value).decode() if isinstance(value, bytes) else value}
        for name, attribute in key.items()
        for kind, value in attribute.items()
    }


def _key(kept: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {kind: base64.b64decode(value) if kind == "B" else value}
        for name, attribute in kept.items()
        for kind, value in attribute.items()
    }


def _plain(attribute: Mapping[str, Any] | None) -> str:
    return str(next(iter(attribute.values()))) if attribute else ""


def _readable(value: Any) -> Any:
    """Bytes as the text they may be; sets and numbers as JSON has them."""
    if isinstance(value, Mapping):
        return {str(name): _readable(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [_readable(each) for each in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _logs(
    reach: Reach, target: Mapping[str, Any], cursor: Mapping[str, Any] | None, detectors: bytes, beat: Beat
) -> Iterator[Page]:
    logs, scanner, page = client(reach, "logs"), scanner_for(detectors), Page()
    start = {"nextToken": cursor["token"]} if cursor else {}
    answer = logs.filter_log_events(logGroupName=target["log_group"], limit=EVENTS_A_PAGE, **start)
    for event in answer.get("events", ()):
        page.counts["seen"] += 1
        if not is_sampled(f"{event.get('eventId')}", target["percent"]):
            page.counts["not_sampled"] += 1
            continue
        place = f"logs:{target['log_group']}/{event.get('logStreamName', '')}"
        look_at(page, scanner, event["message"], place)
        beat(placed(scanner, place), 0)
    if token := answer.get("nextToken"):
        page.cursor = {"token": token}
    yield page


_STEPS: Mapping[str, Step] = {"bucket": _bucket, "table": _table, "log-group": _logs}
