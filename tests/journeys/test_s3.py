"""S3 by an ordinary boto3 through the running product: every way to address, to upload and to read an object."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hoopweb.stack import seed
from tests.journeys.clients import fetch, names_below_localhost
from tests.journeys.product import Product, Tenant

BUCKET = seed.SCRATCH
TEXT = b"a line of text that hides nothing\n"
CLEARED = """
@id("journey.s3.cleared") @clear("body")
permit (principal, action == Action::"s3:GetObject", resource == Hoopweb::Resource::"arn:aws:s3:::%s/cleared.bin");
"""


@pytest.fixture(autouse=True)
def _resolving() -> Iterator[None]:
    with names_below_localhost():
        yield


VIRTUAL = {"s3": {"addressing_style": "virtual"}}
ADDRESSED: dict[str, dict[str, Any]] = {
    "path": {},
    "virtual": VIRTUAL,
    "virtual-s3": {**VIRTUAL, "name": "s3.hoopweb.localhost"},
}
# What a client says of its body; the first is what boto3 does by itself over TLS.
SENT: dict[str, dict[str, Any]] = {
    "trailer": {},
    "digest": {"request_checksum_calculation": "when_required", "s3": {"payload_signing_enabled": True}},
    "unsigned": {"request_checksum_calculation": "when_required", "s3": {"payload_signing_enabled": False}},
}


class S3Clients:
    """boto3 clients by how they address buckets; made once, since making one takes longer than its calls."""

    def __init__(self, demo: Tenant) -> None:
        self._demo = demo
        self._made: dict[str, Any] = {}

    def __call__(self, addressing: str = "path", **config: Any) -> Any:
        style = ADDRESSED[addressing]
        options = {**style, **config, "s3": {**style.get("s3", {}), **config.get("s3", {})}}
        if repr(options) not in self._made:
            self._made[repr(options)] = self._demo.aws("s3", **options)
        return self._made[repr(options)]


@pytest.fixture(scope="module")
def s3_by(demo: Tenant) -> S3Clients:
    return S3Clients(demo)


@pytest.fixture
def s3(s3_by: S3Clients) -> Any:
    return s3_by()


def refused(act: Callable[[], Any]) -> dict[str, Any]:
    with pytest.raises(ClientError) as error:
        act()
    return dict(error.value.response)


@pytest.mark.parametrize("addressing", ADDRESSED)
def test_an_objects_life_is_the_same_however_its_bucket_is_named(
    product: Product, s3_by: S3Clients, addressing: str
) -> None:
    s3, key = s3_by(addressing), f"{addressing}/life"
    s3.put_object(Bucket=BUCKET, Key=key, Body=TEXT, Metadata={"owner": "billing team"}, ContentType="text/plain")
    assert product.truth("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read() == TEXT
    got = s3.get_object(Bucket=BUCKET, Key=key)
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (TEXT, {"owner": "billing team"}, "text/plain")
    assert s3.head_object(Bucket=BUCKET, Key=key)["ContentLength"] == len(TEXT)
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET, Prefix=key)["Contents"]] == [key]
    s3.copy_object(Bucket=BUCKET, Key=f"{key}-copy", CopySource={"Bucket": BUCKET, "Key": key})
    deleted = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key}, {"Key": f"{key}-copy"}]})
    assert len(deleted["Deleted"]) == 2
    assert refused(lambda: s3.get_object(Bucket=BUCKET, Key=key))["Error"]["Code"] == "NoSuchKey"


def test_the_record_names_the_bucket_and_key_of_a_virtual_hosted_call(demo: Tenant, s3_by: S3Clients) -> None:
    answer = s3_by("virtual").put_object(Bucket=BUCKET, Key="seen/by-auditors", Body=TEXT)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    call = demo.items("requests/?operation=PutObject")[0]
    assert f"arn:aws:s3:::{BUCKET}/seen/by-auditors" in str(call)


@pytest.mark.parametrize("mode", SENT)
@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_what_was_sent_is_what_arrived(product: Product, s3_by: S3Clients, mode: str, size: int) -> None:
    s3, body = s3_by(**SENT[mode]), (TEXT * (size // len(TEXT) + 1))[:size]
    s3.put_object(Bucket=BUCKET, Key=f"sent/{mode}", Body=io.BytesIO(body))
    assert product.truth("s3").get_object(Bucket=BUCKET, Key=f"sent/{mode}")["Body"].read() == body


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_the_client_makes_reach_s3(product: Product, s3: Any, algorithm: str) -> None:
    made = s3.put_object(Bucket=BUCKET, Key="sum", Body=io.BytesIO(TEXT), ChecksumAlgorithm=algorithm)
    attributes = product.truth("s3").head_object(Bucket=BUCKET, Key="sum", ChecksumMode="ENABLED")
    assert attributes[f"Checksum{algorithm}"] == made[f"Checksum{algorithm}"]


KEYS = ["a b/é+(1)//x", "/leading", "trailing/", "a//b", "..", "../up", "a/../b", "%41", "a%2Fb", "?q", "#h", "ü" * 100]
KEYS += ["a&b=c;d", "💥", ".", "x" * 1024, "q'uote\"", "<xml>", "tab\tx", "v20180820/x", "*", "${aws:username}"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("addressing", ["path", "virtual"])
def test_odd_keys_name_the_same_object_here_and_at_aws(
    product: Product, s3_by: S3Clients, addressing: str, key: str
) -> None:
    s3 = s3_by(addressing)
    s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode()[:9])
    assert product.truth("s3").head_object(Bucket=BUCKET, Key=key)["ContentLength"] == len(key.encode()[:9])
    s3.head_object(Bucket=BUCKET, Key=key)
    s3.delete_object(Bucket=BUCKET, Key=key)


@pytest.mark.parametrize("addressing", ["path", "virtual"])
def test_an_upload_in_parts_is_made_listed_copied_into_and_abandoned(
    product: Product, s3_by: S3Clients, addressing: str
) -> None:
    s3, key = s3_by(addressing), f"parts/{addressing}"
    part = TEXT * (5 * 1024 * 1024 // len(TEXT) + 1)
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    told = {"Bucket": BUCKET, "Key": key, "UploadId": upload}
    first = s3.upload_part(**told, PartNumber=1, Body=part)["ETag"]
    source = {"Bucket": seed.REPORTS, "Key": "notes.txt"}
    second = s3.upload_part_copy(**told, PartNumber=2, CopySource=source, CopySourceRange="bytes=0-8")
    assert len(s3.list_parts(**told)["Parts"]) == 2
    etags = [first, second["CopyPartResult"]["ETag"]]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
    s3.complete_multipart_upload(**told, MultipartUpload={"Parts": parts})
    assert product.truth("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read() == part + b"Quarterly"
    abandoned = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    s3.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=abandoned)
    assert not s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads")


def test_a_condition_that_does_not_hold_is_s3s_own_answer(s3: Any) -> None:
    etag = s3.put_object(Bucket=BUCKET, Key="cond", Body=TEXT)["ETag"]
    read = {"Bucket": BUCKET, "Key": "cond"}
    assert s3.get_object(**read, IfMatch=etag)["Body"].read() == TEXT
    assert refused(lambda: s3.get_object(**read, IfNoneMatch=etag))["ResponseMetadata"]["HTTPStatusCode"] == 304
    assert refused(lambda: s3.get_object(**read, IfMatch='"other"'))["Error"]["Code"] == "PreconditionFailed"
    again = refused(lambda: s3.put_object(**read, Body=TEXT, IfNoneMatch="*"))
    assert again["Error"]["Code"] == "PreconditionFailed"


def test_a_part_of_what_cannot_be_masked_is_read_only_where_a_rule_clears_it(
    product: Product, demo: Tenant, s3: Any
) -> None:
    body = bytes(range(256)) * 40_000
    for key in ("cleared.bin", "covered.bin"):
        product.truth("s3").put_object(Bucket=BUCKET, Key=key, Body=body)
    with demo.policy(CLEARED % BUCKET):
        part = s3.get_object(Bucket=BUCKET, Key="cleared.bin", Range="bytes=100-199")
        assert (part["Body"].read(), part["ContentRange"]) == (body[100:200], f"bytes 100-199/{len(body)}")
        whole = io.BytesIO()
        # 10 MB: boto3 reads it in parts, several at once.
        s3.download_fileobj(BUCKET, "cleared.bin", whole)
        assert whole.getvalue() == body
        no = refused(lambda: s3.get_object(Bucket=BUCKET, Key="covered.bin", Range="bytes=0-9"))
        assert no["Error"]["Code"] == "ResponseWithheld"


def test_a_text_is_read_in_parts_as_boto3_does_with_large_files(product: Product, s3: Any) -> None:
    body = TEXT * 400_000
    product.truth("s3").put_object(Bucket=BUCKET, Key="large.txt", Body=body)
    whole = io.BytesIO()
    s3.download_fileobj(BUCKET, "large.txt", whole)
    assert whole.getvalue() == body
    part = s3.get_object(Bucket=BUCKET, Key="large.txt", Range="bytes=34-67")
    assert (part["Body"].read(), part["ContentRange"]) == (TEXT, f"bytes 34-67/{len(body)}")


def test_the_source_of_a_copy_is_a_resource_too(demo: Tenant, s3: Any) -> None:
    rule = f"""
    @id("journey.s3.no-copies") @advice("Nothing leaves the reports bucket.")
    forbid (principal, action == Action::"s3:GetObject",
      resource == Hoopweb::Resource::"arn:aws:s3:::{seed.REPORTS}/2026/q1.csv");
    """
    source = {"Bucket": seed.REPORTS, "Key": "2026/q1.csv"}
    with demo.policy(rule):
        no = refused(lambda: s3.copy_object(Bucket=BUCKET, Key="stolen", CopySource=source))
        assert "Nothing leaves the reports bucket." in no["Error"]["Message"]
        upload = s3.create_multipart_upload(Bucket=BUCKET, Key="stolen")["UploadId"]
        told = {"Bucket": BUCKET, "Key": "stolen", "UploadId": upload, "PartNumber": 1}
        no = refused(lambda: s3.upload_part_copy(**told, CopySource=source))
        assert no["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize("addressing", ["path", "virtual"])
def test_presigned_urls_read_and_write_until_somebody_changes_them(
    demo: Tenant, s3_by: S3Clients, addressing: str
) -> None:
    s3 = s3_by(addressing, signature_version="s3v4")
    target = {"Bucket": BUCKET, "Key": f"presigned/{addressing}"}
    put = s3.generate_presigned_url("put_object", Params=target)
    get = s3.generate_presigned_url("get_object", Params={**target, "ResponseContentType": "text/csv"})
    assert fetch(demo, put, method="PUT", body=TEXT).status == 200
    assert fetch(demo, get).body == TEXT
    for changed in (get.replace("presigned", "other"), get.replace("csv", "html"), get + "&versionId=1"):
        answer = fetch(demo, changed)
        assert (answer.status, b"SignatureDoesNotMatch" in answer.body) == (403, True)
    assert b"SignatureDoesNotMatch" in fetch(demo, get, method="DELETE").body


def test_urls_and_forms_signed_in_ways_the_gateway_does_not_read_say_what_to_do(demo: Tenant, s3: Any) -> None:
    old = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "any"})
    answer = fetch(demo, old)
    assert answer.status == 400
    assert b"signature_version" in answer.body


def test_a_client_that_waits_for_leave_to_send_is_given_it_only_once_it_may(
    product: Product, demo: Tenant, s3: Any
) -> None:
    # boto3 says `Expect: 100-continue` for every object it sends.
    with demo.policy(
        '@id("journey.s3.no-puts") forbid (principal, action == Action::"s3:PutObject", '
        f'resource == Hoopweb::Resource::"arn:aws:s3:::{BUCKET}/never");'
    ):
        before = len(product.upstream())
        no = refused(lambda: s3.put_object(Bucket=BUCKET, Key="never", Body=io.BytesIO(b"x" * 9_000_000)))
        assert no["Error"]["Code"] == "AccessDenied"
        assert len(product.upstream()) == before
