"""`/events/`: the ledger, its proofs, and the trace of having read it."""

from __future__ import annotations

import hashlib

from audit.ledger.tree import is_included
from audit.models import Event
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from tests.api.asking import api_of, is_problem
from tests.story import Story


def test_the_ledger_is_listed_newest_first_and_reading_it_is_its_next_line(story: Story) -> None:
    api = api_of(story.tenant, None, Right.EVENTS_READ)
    before = api.get("events/").json()["items"]
    after = api.get("events/").json()["items"]
    assert [one["sequence"] for one in before] == list(range(len(before) - 1, -1, -1))
    assert after[0]["kind"] == "evidence.read"
    assert after[1:] == before


def test_events_narrow_by_kind_subject_and_session(story: Story) -> None:
    api = api_of(story.tenant, None, Right.EVENTS_READ)
    assert {one["kind"] for one in api.get("events/", kind="prompt.recorded").json()["items"]} == {"prompt.recorded"}
    (opened,) = api.get("events/", subject=str(story.approval.pk)).json()["items"]
    assert opened["data"]["digest"] == story.approval.digest
    assert all(
        one["session"] == str(story.session.pk) for one in api.get("events/", session=story.session.pk).json()["items"]
    )


def test_a_proof_leads_from_the_events_bytes_to_the_root(story: Story) -> None:
    told = api_of(story.tenant, None, Right.EVENTS_READ).get("events/0/proof/").json()
    leaf = hashlib.sha256(b"\x00" + told["body"].encode()).digest()
    assert leaf.hex() == told["leaf"]
    assert is_included(
        leaf=leaf,
        index=0,
        size=told["size"],
        path=[bytes.fromhex(node) for node in told["path"]],
        expected_root=bytes.fromhex(told["root"]),
    )


def test_a_sequence_past_the_end_or_past_any_number_is_a_404(story: Story) -> None:
    api = api_of(story.tenant, None, Right.EVENTS_READ)
    for sequence in (10**6, 10**30):
        assert is_problem(api.get(f"events/{sequence}/"), 404, "event.not_found")
        assert is_problem(api.get(f"events/{sequence}/proof/"), 404, "event.not_found")


def test_another_tenant_reads_only_its_own_ledger(story: Story, globex: Tenant) -> None:
    api = api_of(globex, None, Right.EVENTS_READ)
    assert api.get("events/").json()["items"] == []
    # Its own reading is the one line it has by now.
    assert Event.objects.for_tenant(globex).count() == 1
    assert is_problem(api.get("events/3/"), 404, "event.not_found")
