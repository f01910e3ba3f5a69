"""An upload that holds a decoy never becomes whole at AWS, and its outcome tells which; where it may pass, it only tells."""

from __future__ import annotations

import gzip
import os
from typing import Any

import pytest

from gateway.masking.decoy_forms import decoy_for
from gateway.masking.decoys import Press
from gateway.terms import OutcomeKind
from tests.edge.test_mask_tokens_uploaded import PLAIN, TOKEN, put
from tests.edge.test_signed_chunks import Bucket, body_of, chunks
from tests.edge.world import World, Worlds

KEY = b"k" * 32
DECOY = (decoy_for(Press(key=KEY, tag=7), "password", "s3cret") or "").encode()
LINE = b"password=" + DECOY + b"\n"


def guarded(w: World, **upstream: Any) -> Bucket:
    """A bucket behind a call of a tenant that has decoys."""
    bucket = Bucket(w)
    told = {"decoy_key": KEY, "refuses_decoys": True, **upstream}
    w.control.decide = lambda a: w.forward(a, **told)
    return bucket


@pytest.mark.parametrize(
    "body",
    [
        DECOY,
        LINE + PLAIN,
        PLAIN + LINE + PLAIN,
        PLAIN + DECOY,
        gzip.compress(LINE),
        gzip.compress(os.urandom(200_000) + b"\n" + DECOY),
    ],
    ids=["alone", "first", "amid", "last", "gzip", "end-of-gzip"],
)
async def test_a_decoy_is_never_stored(world: Worlds, body: bytes) -> None:
    async with world() as w:
        bucket = guarded(w)
        answer = await (await w.client()).ask(put(body))
        assert answer.status == 403
        assert b"<Code>AccessDenied</Code>" in answer.body
        assert b"in place of a secret" in answer.body
        assert not bucket.is_whole
        outcome = await w.outcome()
        assert (outcome.error, outcome.decoys) == ("requests.decoy_used", ("word-20:7",))
        assert outcome.kind in (OutcomeKind.NOT_SENT, OutcomeKind.FAILED)


async def test_a_decoy_across_signed_chunks_is_seen_too(world: Worlds) -> None:
    async with world() as w:
        parts = [b"x" * 70_000 + b" " + DECOY[:9], DECOY[9:] + b" " + b"y" * 70_000]
        bucket = guarded(w, chunks=chunks(sum(map(len, parts))))
        assert (await (await w.client()).ask(put(body_of(parts)))).status == 403
        assert not bucket.is_whole


async def test_where_a_rule_lets_it_pass_it_is_told_of(world: Worlds) -> None:
    async with world() as w:
        bucket = guarded(w, refuses_decoys=False)
        assert (await (await w.client()).ask(put(PLAIN + LINE))).status == 200
        assert bucket.is_whole
        assert (await w.outcome()).decoys == ("word-20:7",)


async def test_mask_tokens_and_decoys_are_refused_each_by_its_own_rule(world: Worlds) -> None:
    async with world() as w:
        bucket = guarded(w)
        assert (await (await w.client()).ask(put(PLAIN + TOKEN))).status == 200
        assert bucket.is_whole
        guarded(w, refuses_decoys=False, refuses_mask_tokens=True)
        answer = await (await w.client()).ask(put(LINE + TOKEN))
        assert b"unchanged at its source" in answer.body


async def test_other_uploads_and_other_tenants_decoys_go_through(world: Worlds) -> None:
    async with world() as w:
        bucket = guarded(w)
        theirs = (decoy_for(Press(key=b"o" * 32, tag=7), "password", "s3cret") or "").encode()
        assert (await (await w.client()).ask(put(PLAIN + theirs))).status == 200
        assert bucket.is_whole
        assert (await w.outcome()).decoys == ()
