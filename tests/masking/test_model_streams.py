"""A model's answer comes in pieces of a few letters: a secret in it is masked although no piece holds it whole."""

from __future__ import annotations

import base64
import json
from random import Random
from typing import Any

import pytest

from gateway.masking.bodies import Withheld
from gateway.masking.content import ContentScanner
from gateway.masking.masker import open_body
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, MaskPlan
from tests.masking.canaries import Canary, canaries, fingerprint, traces
from tests.masking.conftest import Send, paths
from tests.masking.test_event_streams import frame, read, sent

PLAN = MaskPlan(protocol=Protocol.REST_JSON, body=BodyForm.EVENT_STREAM)
ANSWER = "The service reads password=Sw0rdf1sh9 and stores it in état.\nNothing else was found."
MASKED = ANSWER.replace("Sw0rdf1sh9", "[REDACTED:password]")


def pieces(text: str, seed: int = 1) -> list[str]:
    """The text in pieces of one to six letters, as models write."""
    random, out = Random(seed), []
    while text:
        size = random.randint(1, 6)
        out.append(text[:size])
        text = text[size:]
    return out


def converse(text: str) -> bytes:
    deltas = [{"contentBlockIndex": 0, "delta": {"text": piece}} for piece in pieces(text)]
    events: list[tuple[str, Any]] = [
        ("messageStart", {"role": "assistant"}),
        *(("contentBlockDelta", one) for one in deltas),
    ]
    events += [("contentBlockStop", {"contentBlockIndex": 0}), ("messageStop", {"stopReason": "end_turn"})]
    return b"".join(frame(name, json.dumps(event).encode(), "application/json") for name, event in events)


def invoke(text: str, write: Any) -> bytes:
    """InvokeModel's stream: each piece a document of the model's own, in base64."""
    out = []
    for place, piece in enumerate(pieces(text)):
        if place == 5:
            out.append({"type": "ping"})
        out.append(write(piece))
    out.append({"type": "message_stop"})
    chunks = [{"bytes": base64.b64encode(json.dumps(one).encode()).decode(), "p": "abc"} for one in out]
    return b"".join(frame("chunk", json.dumps(one).encode(), "application/json") for one in chunks)


MAKERS: dict[str, Any] = {
    "anthropic": (
        lambda piece: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}},
        lambda one: one.get("delta", {}).get("text", ""),
    ),
    "tool input": (
        lambda piece: {"type": "content_block_delta", "index": 1, "delta": {"partial_json": piece}},
        lambda one: one.get("delta", {}).get("partial_json", ""),
    ),
    "titan": (lambda piece: {"outputText": piece, "index": 0}, lambda one: one.get("outputText", "")),
    "llama": (lambda piece: {"generation": piece}, lambda one: one.get("generation", "")),
}


def said(out: bytes) -> str:
    events = [json.loads(one.payload) for one in read(out) if one.headers[":event-type"] == "contentBlockDelta"]
    return "".join(event["delta"]["text"] for event in events)


def test_a_secret_in_many_deltas_is_masked(send: Send) -> None:
    out = sent(send, converse(ANSWER), PLAN)
    assert said(out) == MASKED
    names = [one.headers[":event-type"] for one in read(out)]
    assert names == ["messageStart", "contentBlockDelta", "contentBlockStop", "messageStop"]


@pytest.mark.parametrize("maker", MAKERS)
def test_so_it_is_in_every_makers_own_documents(send: Send, maker: str) -> None:
    write, take = MAKERS[maker]
    events = read(sent(send, invoke(ANSWER, write), PLAN))
    inner = [json.loads(base64.b64decode(json.loads(one.payload)["bytes"])) for one in events]
    assert "".join(map(take, inner)) == MASKED
    assert [one.get("type") for one in inner][-1] == "message_stop"
    assert {"type": "ping"} in inner


def shown(canary: Canary, text: str) -> bool:
    return any(trace in text.encode() for trace in traces(canary))


def test_no_canary_survives_in_deltas(send: Send) -> None:
    drawn = canaries(11)
    text = said(sent(send, converse("\n".join(one.text for one in drawn)), PLAN))
    assert [fingerprint(one) for one in drawn if shown(one, text)] == []


def test_two_blocks_at_once_are_two_texts(send: Send) -> None:
    words = (pieces("first password=Sw0rdf1sh9 here"), pieces("second is plain, and as long as it is", 2))
    deltas = []
    for place in range(max(map(len, words))):
        for block, text in enumerate(words):
            if place < len(text):
                deltas.append({"contentBlockIndex": block, "delta": {"text": text[place]}})
    body = b"".join(frame("contentBlockDelta", json.dumps(one).encode(), "application/json") for one in deltas)
    events = [json.loads(one.payload) for one in read(sent(send, body, PLAN))]
    texts = ["".join(one["delta"]["text"] for one in events if one["contentBlockIndex"] == block) for block in (0, 1)]
    assert texts == ["first password=[REDACTED:password] here", "second is plain, and as long as it is"]


def test_what_policy_masks_whole_stays_masked_whole(send: Send) -> None:
    hidden = MaskPlan(protocol=Protocol.REST_JSON, body=BodyForm.EVENT_STREAM, paths=paths("chunk.bytes"))
    [event, *_] = read(sent(send, invoke("Sw0rdf1sh9", MAKERS["titan"][0]), hidden))
    assert "REDACTED" in base64.b64decode(json.loads(event.payload)["bytes"]).decode()


def test_a_long_answer_leaves_while_it_comes(scanner: ContentScanner) -> None:
    masker = open_body(200, (), PLAN, scanner=scanner)
    assert not isinstance(masker, Withheld)
    most, out = 0, b""
    for place in range(400):
        delta = {
            "contentBlockIndex": 0,
            "delta": {"text": f"plain words of sentence {place}, and nothing else in it. " * 2},
        }
        ready = masker.feed(frame("contentBlockDelta", json.dumps(delta).encode(), "application/json"))
        assert not isinstance(ready, Withheld)
        out += ready
        most = max(most, masker.held)
    assert len(out) > 10_000
    assert most < 40_000
