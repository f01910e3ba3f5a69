"""Every operation a real client can send is found again, with the parameters it was given."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.terms import AccessClass, strictest
from gateway.wire import tables
from gateway.wire.aws.actions import actions_of
from gateway.wire.aws.candidates import candidates
from gateway.wire.aws.parsing import parse
from gateway.wire.problems import MissingAuthentication, SignatureProblem, WireProblem
from gateway.wire.sigv4 import claim_of, verify
from tests.wire import corpus
from tests.wire.corpus import Sample, comparable
from tests.wire.making import ACCOUNT, HOME, call

COMMON = [
    "acm",
    "apigateway",
    "athena",
    "autoscaling",
    "cloudformation",
    "cloudfront",
    "cloudtrail",
    "cloudwatch",
    "codebuild",
    "cognito-idp",
    "dynamodb",
    "ec2",
    "ecr",
    "ecs",
    "efs",
    "eks",
    "elasticache",
    "elbv2",
    "emr",
    "events",
    "firehose",
    "glue",
    "iam",
    "kinesis",
    "kms",
    "lambda",
    "logs",
    "opensearch",
    "organizations",
    "rds",
    "rds-data",
    "redshift-data",
    "route53",
    "s3",
    "s3control",
    "scheduler",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "stepfunctions",
    "sts",
    "wafv2",
]
# Members clients fill in by themselves.
ADDED = frozenset(("ChecksumAlgorithm", "ChecksumMode", "EncodingType", "ContentLength", "ContentMD5", "ContentType"))
STRICTNESS = list(AccessClass)


class Tally:
    """What became of a corpus; `kinds` counts outcomes, `misses` names what was not found."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.misses: list[str] = []

    def add(self, sample: Sample) -> None:
        kind = outcome(sample)
        self.kinds[kind] += 1
        if kind not in ("found", "unsigned"):
            self.misses.append(f"{kind}: {sample.service}.{sample.operation}")

    @property
    def signed(self) -> int:
        """All but what is refused by design: unsigned operations, and SimpleDB's, which know Signature Version 2 only."""
        old = sum(count for kind, count in self.kinds.items() if kind.endswith(".signature_v2"))
        return self.kinds.total() - self.kinds["unsigned"] - old

    def share(self, *kinds: str) -> float:
        return sum(self.kinds[kind] for kind in kinds) / self.signed


def outcome(sample: Sample) -> str:
    """found, parameters (found, but typed differently), unsigned, refused, wrong or weaker."""
    try:
        claim = claim_of(sample.request)
        digest = hashlib.sha256(sample.request.body).hexdigest()
        verify(sample.request, claim, corpus.SECRET, now=datetime.now(UTC), body_sha256=digest)
        readings = parse(sample.request, claim.service, claim.region)
    except MissingAuthentication:
        return "unsigned"
    except WireProblem as problem:
        return f"refused by {problem.code}"
    same = [r for r in readings if (r.operation.service, r.operation.name) == (sample.service, sample.operation)]
    if not same:
        return "wrong"
    own = strictest(action.access for action in actions_of(same[0]))
    whole = strictest(action.access for reading in readings for action in actions_of(reading))
    if STRICTNESS.index(whole) < STRICTNESS.index(own):
        return "weaker"
    return "found" if agrees(same[0].parameters, sample) else "parameters"


def agrees(parameters: Any, sample: Sample) -> bool:
    """Whether all that was given is read back; clients add tokens and checksums of their own."""
    given, read = comparable(sample.parameters), comparable(dict(parameters))
    table = tables.service(sample.service)
    shape = table.shape(table.operations[sample.operation].input)
    silent = {member.name for member in shape.members if _is_silent(table, member)} if shape else set()
    tokens = {member.name for member in shape.members if member.is_token} if shape else set()
    return all(read.get(name) == value for name, value in given.items() if name not in silent) and (
        set(read) - set(given) <= tokens | ADDED
    )


def _is_silent(table: Any, member: Any) -> bool:
    """Streams are never parsed."""
    shape = table.shapes[member.shape]
    return bool(shape.is_streaming or member.is_streaming or shape.is_event_stream)


@pytest.fixture(scope="module")
def minimal() -> Tally:
    tally = Tally()
    for service in COMMON:
        for sample in corpus.samples(service):
            tally.add(sample)
    return tally


def test_the_corpus_is_as_large_as_it_should_be(minimal: Any) -> None:
    assert minimal.kinds.total() > 4_000


def test_the_true_operation_is_among_the_candidates(minimal: Any) -> None:
    assert minimal.share("found", "parameters") >= 0.999, minimal.misses


def test_parameters_come_back_as_they_were_given(minimal: Any) -> None:
    assert minimal.share("found") >= 0.998, minimal.misses


def test_no_operation_is_read_into_a_weaker_class_than_its_own(minimal: Any) -> None:
    assert minimal.kinds["weaker"] == 0


@pytest.mark.parametrize("service", ["s3", "dynamodb", "lambda", "sqs", "sts", "iam", "route53", "cloudwatch"])
def test_with_every_member_set_too(service: Any) -> None:
    tally = Tally()
    for sample in corpus.samples(service, depth=3):
        tally.add(sample)
    assert tally.share("found", "parameters") == 1, tally.misses
    assert tally.share("found") >= 0.96, tally.misses


@pytest.mark.parametrize(("service", "protocol"), [("cloudwatch", "cbor"), ("cloudwatch", "query"), ("sqs", "json")])
def test_a_service_is_understood_in_each_protocol_it_speaks(service: Any, protocol: Any) -> None:
    for sample in list(corpus.forced(service, protocol))[:20]:
        assert outcome(sample) == "found", sample.operation


@pytest.mark.parametrize("service", ["lambda", "s3", "dynamodb", "sqs", "iam", "route53", "s3control"])
def test_whatever_is_changed_in_a_signed_request_is_refused(service: Any) -> None:
    assert believed_after_tampering(service) == []


def believed_after_tampering(service: str, **config: Any) -> list[str]:
    """Operations of a service whose tampered request was still believed."""
    believed = []
    for sample in corpus.samples(service, **config):
        for what, tampered in tamperings(sample):
            if not is_refused_by_signature(tampered):
                believed.append(f"{sample.operation}: {what}")
    return believed


def is_refused_by_signature(sample: Sample) -> bool:
    try:
        claim = claim_of(sample.request)
        digest = hashlib.sha256(sample.request.body).hexdigest()
        verify(sample.request, claim, corpus.SECRET, now=datetime.now(UTC), body_sha256=digest)
    except SignatureProblem:
        return True
    return False


def tamperings(sample: Sample) -> Iterator[tuple[str, Any]]:
    request = sample.request
    path, _, query = request.target.partition("?")
    changes: dict[str, dict[str, Any]] = {
        "path": {"target": f"{path}x" + (f"?{query}" if query else "")},
        "query": {"target": request.target + ("&x=1" if "?" in request.target else "?x=1")},
        "method": {"method": "PATCH" if request.method != "PATCH" else "PUT"},
        "header": {"headers": (*request.headers, ("x-amz-added", "1"))},
    }
    # Of an unsigned payload only the transport can say that it is whole.
    if "UNSIGNED" not in (request.header("x-amz-content-sha256") or ""):
        changes["body"] = {"body": request.body + b" "}
    for what, change in changes.items():
        altered = corpus.changed(request, **change)
        yield what, Sample(sample.service, sample.operation, sample.parameters, altered)


@pytest.mark.parametrize("checksums", ["when_supported", "when_required"])
@pytest.mark.parametrize("is_payload_signed", [True, False])
def test_each_way_boto_sends_an_upload_is_understood(checksums: Any, is_payload_signed: Any) -> None:
    """Real digest, UNSIGNED-PAYLOAD and STREAMING-UNSIGNED-PAYLOAD-TRAILER over https."""
    config = {
        "request_checksum_calculation": checksums,
        "s3": {"addressing_style": "path", "payload_signing_enabled": is_payload_signed},
    }
    tally = Tally()
    for sample in corpus.samples("s3", **config):
        tally.add(sample)
    assert tally.share("found", "parameters") == 1, tally.misses
    assert believed_after_tampering("s3", **config) == []


@pytest.mark.long
@pytest.mark.parametrize("protocol", ["json", "cbor", "query"])
def test_every_service_is_understood_in_each_protocol_it_speaks(protocol: Any) -> None:
    tally = Tally()
    named = {"cbor": "smithy-rpc-v2-cbor"}.get(protocol, protocol)
    for service in tables.index().services:
        if corpus.speaks(service, named):
            for sample in corpus.forced(service, protocol):
                tally.add(sample)
    assert tally.kinds.total() > 50
    assert tally.share("found", "parameters") >= 0.999, tally.misses
    assert tally.share("found") >= 0.99, tally.misses
    assert tally.kinds["weaker"] == 0


@pytest.mark.long
def test_no_request_of_any_service_may_be_tampered_with() -> None:
    assert {name: found for name in tables.index().services if (found := believed_after_tampering(name))} == {}


@pytest.mark.long
@pytest.mark.parametrize("depth", [0, 3])
def test_every_operation_of_every_service(depth: Any) -> None:
    tally = Tally()
    for service in tables.index().services:
        for sample in corpus.samples(service, depth=depth):
            tally.add(sample)
    assert tally.signed > 19_000
    assert tally.share("found", "parameters") >= 0.999, tally.misses
    assert tally.share("found") >= 0.99, tally.misses
    assert tally.kinds["weaker"] == 0


def test_unsigned_operations_are_told_from_malformed_ones() -> None:
    unsigned = [sample for sample in corpus.samples("sts") if outcome(sample) == "unsigned"]
    assert {sample.operation for sample in unsigned} == {"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}
    assert issubclass(MissingAuthentication, SignatureProblem)


def test_examining_a_small_call_costs_well_under_a_third_of_a_millisecond() -> None:
    """Claim, signature, operation, actions, resources and parameters of a DynamoDB GetItem, in CPU time."""
    made = call("dynamodb", "GetItem", TableName="orders", Key={"id": {"S": "1"}, "sort": {"S": "a"}})
    digest = hashlib.sha256(made.body).hexdigest()

    def examine() -> None:
        request = corpus.changed(made)
        claim = claim_of(request)
        verify(request, claim, corpus.SECRET, now=datetime.now(UTC), body_sha256=digest)
        assert candidates(request, claim, account=ACCOUNT, region=HOME)

    def seconds() -> float:
        began = time.process_time()
        for _ in range(100):
            examine()
        return (time.process_time() - began) / 100

    examine()
    assert min(seconds() for _ in range(5)) < 0.0003
