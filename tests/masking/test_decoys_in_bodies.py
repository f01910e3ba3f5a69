"""Bodies whose values are written as decoys: valid as what they are, cut anywhere, and without one byte of the secret."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.masking.bodies import End
from gateway.masking.content import ContentScanner
from gateway.masking.decoy_watch import in_value
from gateway.masking.streaming import Masker
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, MaskPlan
from tests.masking.conftest import Send, plan
from tests.masking.test_properties import PLANTED

KEY = b"k" * 32
DECOYS: dict[str, Any] = {"masks": ("all-decoy", "email-decoy"), "decoy_key": KEY, "decoy_tag": 42}
TEXT_PLAN = plan(Protocol.REST_XML, body=BodyForm.BLOB, **DECOYS)
GITHUB = "ghp_R4nD0mL00k1ngT0k3nF0rTh3D3m00000abcd"  # made up


def tags_in(text: str | bytes) -> set[int]:
    return {found.tag for found in in_value(KEY, text)}


def body_of(end: object) -> bytes:
    assert isinstance(end, End)
    return end.body


def test_a_secrets_manager_secret_is_a_json_object_of_decoys(send: Send) -> None:
    secret = json.dumps({"username": "ada", "password": "s3cret-of-ada", "host": "10.0.0.7"})
    mask = plan(Protocol.JSON, "SecretString", **DECOYS)
    answer = json.loads(body_of(send(json.dumps({"Name": "db", "SecretString": secret}).encode(), mask)))
    bundle = json.loads(answer["SecretString"])
    assert bundle["username"] == "app"
    assert tags_in(bundle["password"]) == {42}
    assert answer["Name"] == "db"


def test_values_keep_their_type(send: Send) -> None:
    mask = plan(Protocol.JSON, "Pin", "Blob", "On", "At", **DECOYS)
    at = "2026-11-23T07:00:00Z"
    blob = base64.b64encode(b"s3cret-of-ada").decode()
    body = json.dumps({"Pin": 4711, "Blob": blob, "On": True, "At": at, "SecretBinary": blob}).encode()
    answer = json.loads(body_of(send(body, mask)))
    assert (answer["Pin"], answer["On"], answer["At"]) == (0, False, "1970-01-01T00:00:00Z")
    assert tags_in(answer["Blob"]) == {42}


def test_equal_values_are_equal_decoys_and_others_others(send: Send) -> None:
    lines = [f"token {GITHUB}", "mail ada@lovelace.org", f"again {GITHUB}", "mail bob@lovelace.org"]
    first, ada, again, bob = body_of(send("\n".join(lines).encode(), TEXT_PLAN)).decode().splitlines()
    assert first.split()[1] == again.split()[1]
    assert ada != bob
    assert "lovelace" not in ada + bob
    assert tags_in(first) == tags_in(ada) == tags_in(bob) == {42}


def test_a_connection_string_shows_neither_host_nor_user(send: Send) -> None:
    body = b'{"url": "postgres://ada:s3cret-of-ada@payroll.internal:5432/wages"}'
    answer = json.loads(body_of(send(body, TEXT_PLAN)))
    assert tags_in(answer["url"]) == {42}
    assert not [word for word in ("ada", "s3cret", "payroll", "wages") if word in answer["url"]]


def test_xml_stays_xml(send: Send) -> None:
    body = b"<R><Result><Secret>a &amp; b &lt; c</Secret></Result></R>"
    answer = body_of(send(body, plan(Protocol.QUERY, "Secret", **DECOYS))).decode()
    assert answer.startswith("<R><Result><Secret>")
    assert tags_in(answer) == {42}


FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FEW
@given(planted=st.lists(PLANTED, min_size=1, max_size=4), cuts=st.lists(st.integers(0, 10_000), max_size=6))
def test_no_planted_secret_survives_beside_its_decoy(
    scanner: ContentScanner, planted: list[tuple[str, str]], cuts: list[int]
) -> None:
    texts = [setting.format(secret, secret) for setting, secret in planted]
    body = "\n".join(texts).encode()
    whole = streamed(scanner, TEXT_PLAN, body, [])
    assert [secret for _, secret in planted if secret in whole.decode()] == []
    assert tags_in(whole) <= {42}
    assert streamed(scanner, TEXT_PLAN, body, [cut % (len(body) + 1) for cut in cuts]) == whole


def streamed(scanner: ContentScanner, mask: MaskPlan, body: bytes, cuts: list[int], **shape: Any) -> bytes:
    masker = Masker(mask, scanner=scanner, **shape)
    pieces = [masker.feed(body[start:end]) for start, end in pairwise([0, *sorted(cuts), len(body)])]
    return b"".join((*pieces, masker.finish()))


@FEW
@given(
    planted=st.lists(st.tuples(PLANTED, st.integers(0, 40_000)), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 10**6), max_size=12),
)
def test_a_long_stream_has_the_same_decoys_wherever_it_is_cut(
    scanner: ContentScanner, planted: list[tuple[tuple[str, str], int]], cuts: list[int]
) -> None:
    """Past the length at which a text is looked at whole, in blocks of their own."""
    parts = [
        setting.format(secret, secret) + "\n" + "plain words\n" * (gap // 12) for (setting, secret), gap in planted
    ]
    body = "".join(parts).encode()
    assume(len(body) > 5_000)
    whole = streamed(scanner, TEXT_PLAN, body, [], whole=0, block=8_192)
    assert [secret for (_, secret), _ in planted if secret in whole.decode()] == []
    assert streamed(scanner, TEXT_PLAN, body, [cut % len(body) for cut in cuts], whole=0, block=8_192) == whole


def test_parts_of_objects_are_masked_byte_for_byte_without_decoys(scanner: ContentScanner) -> None:
    """Two parts of one secret come by two requests: half a decoy of each would be no decoy at all."""
    body = f"token {GITHUB} end\n".encode()
    part = streamed(scanner, TEXT_PLAN, body, [], is_same_length=True)
    assert len(part) == len(body)
    assert tags_in(part) == set()
    assert b"[REDACTED:secret]***" in part
