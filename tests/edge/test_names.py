"""People's names at the edge: masked by a real model where policy asks, withheld where nobody can read, free where not."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

import pytest

from gateway.names.model import BadModel
from gateway.names.reader import START_SECONDS
from gateway.terms import OutcomeKind, Protocol
from gateway.wire.contract import BodyForm, MaskPlan, Outcome
from tests.edge.peers import write_request
from tests.edge.test_masked_answers import answers
from tests.edge.world import CALLER, Worlds
from tests.names.places import MODEL

CALL = write_request("POST", "/", CALLER, b"{}")
JSON_TYPE = {"Content-Type": "application/x-amz-json-1.0"}
PEOPLE = MaskPlan(protocol=Protocol.JSON, body=BodyForm.STRUCTURE, masks=("person",))
NOBODY = MaskPlan(protocol=Protocol.JSON, body=BodyForm.STRUCTURE)
BODY = json.dumps({"Item": {"note": {"S": "I spoke with Alice Johnson about the invoice."}}}).encode()


async def test_names_are_masked_by_the_model_and_the_loop_stays_free(world: Worlds) -> None:
    async with world(names_model=MODEL) as w:
        assert w.edge.names is not None
        # A machine that is busy with other tests may read slowly.
        w.edge.names.read_seconds = START_SECONDS
        answers(w, PEOPLE, JSON_TYPE, BODY)
        answer = await (await w.client()).ask(CALL)
        assert json.loads(answer.body)["Item"]["note"]["S"] == "I spoke with [REDACTED:person] about the invoice."
        outcome = await w.outcome()
        assert outcome.masked_by_type == {"person": 1}
        assert next(iter(outcome.masked_by_rule)).startswith("person:en_core_web_sm")
        assert (outcome.bytes_unread, outcome.head) == (0, answer.body)
        assert "spacy" not in sys.modules
        await _others_are_not_held_up(w)
        await _a_reader_that_does_not_come_back_withholds(w)


async def _others_are_not_held_up(w: Any) -> None:
    """While the reader stands still, calls whose policy asks for no names go through."""
    reader = w.edge.names
    os.kill(reader.process_id, signal.SIGSTOP)
    try:
        waiting = asyncio.ensure_future((await w.client()).ask(CALL))
        await asyncio.sleep(0.2)
        answers(w, NOBODY, JSON_TYPE, BODY)
        free = await (await w.client()).ask(CALL)
        assert free.body == BODY
        assert not waiting.done()
    finally:
        os.kill(reader.process_id, signal.SIGCONT)
    assert b"[REDACTED:person]" in (await waiting).body


async def _a_reader_that_does_not_come_back_withholds(w: Any) -> None:
    reader = w.edge.names
    reader.read_seconds = 0.2
    os.kill(reader.process_id, signal.SIGSTOP)
    answers(w, PEOPLE, JSON_TYPE, BODY)
    answer = await (await w.client()).ask(CALL)
    assert (answer.status, b"names_unread" in answer.body, b"Alice" in answer.body) == (403, True, False)

    def withheld() -> list[Outcome]:
        return [one for one in w.control.outcomes.values() if one.error == "masking.withheld"]

    await w.until(lambda: bool(withheld()), "its outcome")
    assert [(one.kind, one.head) for one in withheld()] == [(OutcomeKind.FAILED, b"")]


async def test_without_a_model_what_asks_for_one_is_not_sent_and_all_else_goes(world: Worlds) -> None:
    async with world() as w:
        answers(w, PEOPLE, JSON_TYPE, BODY)
        answer = await (await w.client()).ask(CALL)
        assert answer.status == 403
        assert b"nothing was sent to AWS" in answer.body
        assert w.aws.log == []
        outcome = await w.outcome()
        assert (outcome.kind, outcome.error) == (OutcomeKind.NOT_SENT, "masking.names_unread")
        answers(w, NOBODY, JSON_TYPE, BODY)
        assert (await (await w.client()).ask(CALL)).body == BODY
        assert w.edge.names is None


async def test_an_edge_with_a_folder_that_is_no_model_does_not_start(world: Worlds, tmp_path: Any) -> None:
    with pytest.raises(BadModel, match=r"no meta\.json"):
        async with world(names_model=tmp_path / "nothing"):
            pass
