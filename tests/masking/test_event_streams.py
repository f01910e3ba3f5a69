"""Event streams are masked frame by frame and across frames, and stay what their readers can read."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from random import Random
from typing import Any

import botocore.session
import pytest
from botocore.eventstream import EventStream as BotocoreStream
from botocore.eventstream import EventStreamBuffer
from botocore.parsers import create_parser

from gateway.masking.bodies import End, Reason, Withheld
from gateway.masking.content import ContentScanner
from gateway.masking.masker import open_body
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, MaskPlan
from gateway.wire.eventstream import Frame, FrameHeader, HeaderType
from tests.masking.conftest import Send, paths
from tests.masking.documents import document, pem, survivors

SELECT = MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.EVENT_STREAM)
JSON = MaskPlan(protocol=Protocol.REST_JSON, body=BodyForm.EVENT_STREAM)
END = b"<?xml version='1.0'?><Stats><BytesScanned>10</BytesScanned></Stats>"


def frame(event: str, payload: bytes = b"", kind: str = "application/octet-stream", message: str = "event") -> bytes:
    name = ":exception-type" if message == "exception" else ":event-type"
    headers = {":message-type": message, name: event, ":content-type": kind}
    made = tuple(FrameHeader(name=key, kind=HeaderType.STRING, value=value.encode()) for key, value in headers.items())
    return Frame(headers=made, payload=payload).encoded()


def read(body: bytes) -> list[Any]:
    """The messages as botocore's own reader sees them; it checks every checksum."""
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    return list(buffer)


def rows(body: bytes, event: str = "Records") -> bytes:
    return b"".join(one.payload for one in read(body) if one.headers[":event-type"] == event)


def selected(text: bytes, cuts: list[int]) -> bytes:
    edges = [0, *sorted(cuts), len(text)]
    records = b"".join(frame("Records", text[start:end]) for start, end in pairwise(edges) if end > start)
    return records + frame("Stats", END, "text/xml") + frame("End", b"", "")


def sent(send: Send, body: bytes, plan: MaskPlan, cuts: Any = ()) -> bytes:
    end = send(body, plan, cuts=cuts)
    assert isinstance(end, End), end
    return end.body


@pytest.mark.parametrize("seed", range(8))
def test_a_secret_across_frames_is_found_wherever_frames_and_chunks_are_cut(send: Send, seed: int) -> None:
    text, secrets = document(seed, around=30_000)
    random = Random(seed)
    bodies = [selected(text, sorted(random.sample(range(len(text)), 30))) for _ in range(2)]
    outs = [sent(send, body, SELECT, sorted(random.sample(range(len(body)), 20))) for body in bodies]
    assert survivors(secrets, outs[0]) == []
    assert rows(outs[0]) == rows(outs[1])


def test_one_byte_a_frame_hides_as_much(send: Send) -> None:
    text = b'{"id":1,"note":"use password=Sw0rdf1sh9 there"}\n' * 3
    out = sent(send, selected(text, list(range(1, len(text)))), SELECT)
    assert rows(out) == b'{"id":1,"note":"use password=[REDACTED:password] there"}\n' * 3


def test_boto3_reads_masked_rows_statistics_and_the_end(send: Send) -> None:
    body = frame("Cont") + selected(b"a,password=Sw0rdf1sh9\n", [12])
    out = sent(send, body, SELECT)
    model = botocore.session.Session().get_service_model("s3").operation_model("SelectObjectContent")
    parser = create_parser("rest-xml")
    shape = model.output_shape.members["Payload"]

    class Raw:
        def stream(self) -> Any:
            yield out

        def close(self) -> None:
            return None

    events = list(BotocoreStream(Raw(), shape, parser._event_stream_parser, "SelectObjectContent"))
    assert [next(iter(event)) for event in events] == ["Cont", "Records", "Stats", "End"]
    assert events[1]["Records"]["Payload"] == b"a,password=[REDACTED:password]\n"


def test_what_is_held_back_leaves_before_the_stream_ends(send: Send) -> None:
    out = read(sent(send, selected(b"row\n" * 10, [5, 9]), SELECT))
    assert [one.headers[":event-type"] for one in out] == ["Records", "Stats", "End"]


def test_a_functions_streamed_answer_is_one_text(send: Send) -> None:
    key, secret = pem(Random(2), 9_000)
    text = key.encode()
    pieces = [text[start : start + 700] for start in range(0, len(text), 700)]
    chunks = b"".join(frame("PayloadChunk", piece) for piece in pieces)
    whole = chunks + frame("InvokeComplete", b'{"LogResult":"cGFzc3dvcmQ9U3cwcmRmMXNoOQ=="}', "application/json")
    plan = MaskPlan(protocol=Protocol.REST_JSON, body=BodyForm.EVENT_STREAM, paths=paths("InvokeComplete.LogResult"))
    out = sent(send, whole, plan)
    assert rows(out, "PayloadChunk") == b"[REDACTED:private-key]"
    assert survivors([secret], out) == []
    assert json.loads(rows(out, "InvokeComplete")) == {"LogResult": "[REDACTED:secret]"}


def test_live_tail_masks_each_log_line(send: Send) -> None:
    update = {"sessionResults": [{"message": "login with password=Sw0rdf1sh9 ok", "timestamp": 1}]}
    body = frame("initial-response", b"{}", "application/json") + frame(
        "sessionUpdate", json.dumps(update).encode(), "application/json"
    )
    out = sent(send, body, JSON)
    [line] = json.loads(rows(out, "sessionUpdate"))["sessionResults"]
    assert line == {"message": "login with password=[REDACTED:password] ok", "timestamp": 1}
    assert rows(out, "initial-response") == b"{}"


def test_members_a_model_marks_are_masked_by_their_event(send: Send) -> None:
    plan = MaskPlan(protocol=Protocol.REST_JSON, body=BodyForm.EVENT_STREAM, paths=paths("chunk.token"))
    payload = b'{"token":"whatever","text":"fine"}'
    body = frame("chunk", payload, "application/json") + frame("other", payload, "application/json")
    out = sent(send, body, plan)
    assert json.loads(rows(out, "chunk")) == {"token": "[REDACTED:secret]", "text": "fine"}
    assert json.loads(rows(out, "other"))["text"] == "fine"


def test_bytes_inside_an_event_are_decoded(send: Send) -> None:
    inner = base64.b64encode(b'{"completion":"use ghp_0123456789abcdefghijABCDEFGHIJ012345"}').decode()
    out = sent(send, frame("chunk", json.dumps({"bytes": inner}).encode(), "application/json"), JSON)
    shown = base64.b64decode(json.loads(rows(out, "chunk"))["bytes"])
    assert json.loads(shown) == {"completion": "use [REDACTED:secret]"}


def test_an_exception_amid_the_stream_is_masked_and_ends_the_text_before_it(send: Send) -> None:
    wrong = json.dumps({"message": "could not use password=Sw0rdf1sh9"}).encode()
    body = frame("PayloadChunk", b"half a line") + frame("Oops", wrong, "application/json", "exception")
    out = read(sent(send, body, JSON))
    assert out[0].payload == b"half a line"
    assert json.loads(out[1].payload) == {"message": "could not use password=[REDACTED:password]"}


def test_a_header_with_a_secret_is_masked(send: Send) -> None:
    header = FrameHeader(name="note", kind=HeaderType.STRING, value=b"password=Sw0rdf1sh9")
    body = Frame(headers=(header,), payload=b"").encoded()
    assert read(sent(send, body, JSON))[0].headers["note"] == "password=[REDACTED:password]"


@pytest.mark.parametrize(
    "broken",
    [
        selected(b"rows\n", [])[:-3],
        b"\x00\x00\x00\x10" + bytes(12),
        b"<html>no stream at all, but a page of a proxy</html>",
        frame("sessionUpdate", b"{not json", "application/json"),
    ],
)
def test_what_is_no_event_stream_is_withheld(send: Send, broken: bytes) -> None:
    answer = send(broken, JSON)
    assert isinstance(answer, Withheld)
    assert answer.reason is Reason.EVENT_STREAM


def test_little_is_held_of_a_long_stream(scanner: ContentScanner) -> None:
    masker = open_body(200, (), SELECT, scanner=scanner)
    assert not isinstance(masker, Withheld)
    assert masker.headers == ()
    most = 0
    for _ in range(300):
        masker.feed(frame("Records", b"a row of plain words, nothing else\n" * 30))
        most = max(most, masker.held)
    assert most < 40_000
