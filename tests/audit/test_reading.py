"""Reading the record: events in order, each with a proof that stands without the database."""

from __future__ import annotations

import os
import uuid
from datetime import timedelta

import pytest

from audit import selectors
from audit.kinds import EventKind
from audit.ledger.tree import is_included, leaf_hash
from audit.models import LedgerHead
from audit.problems import EventNotFound, LedgerTooLong
from audit.prompts import record_prompt
from audit.services import NewEvent, append_all
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.people import NOW

pytestmark = pytest.mark.django_db
SUBJECT, SESSION = uuid.UUID(int=1), uuid.UUID(int=2)


@pytest.fixture
def eleven_events(acme: Tenant, globex: Tenant) -> None:
    """Eleven of acme's, every third of a session, and some of globex's between the same numbers."""
    with in_tenant(acme):
        append_all(
            tenant_id=acme.pk,
            events=[
                NewEvent(
                    kind=EventKind.EVIDENCE_READ if number % 2 else EventKind.SIGNED_IN,
                    at=NOW,
                    subject=SUBJECT if number == 4 else uuid.uuid4(),
                    session_id=SESSION if number % 3 == 0 else None,
                    data={"by": f"person{number}"},
                )
                for number in range(11)
            ],
        )
    with in_tenant(globex):
        append_all(tenant_id=globex.pk, events=[NewEvent(kind=EventKind.SIGNED_IN, at=NOW, subject=uuid.uuid4())] * 3)


@pytest.mark.usefixtures("eleven_events")
class TestEvents:
    def test_they_come_in_the_ledgers_order(self, acme: Tenant) -> None:
        with in_tenant(acme):
            assert [one.sequence for one in selectors.events(tenant=acme)] == list(range(11))

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({"after": 8}, [9, 10]),
            ({"after": 0, "kind": "person.signed_in"}, [2, 4, 6, 8, 10]),
            ({"subject": SUBJECT}, [4]),
            ({"session_id": SESSION}, [0, 3, 6, 9]),
            ({"session_id": SESSION, "after": 3, "kind": "evidence.read"}, [9]),
            ({"kind": "key.issued"}, []),
        ],
    )
    def test_filters_leave_those_that_match_all(
        self, acme: Tenant, wanted: dict[str, object], found: list[int]
    ) -> None:
        with in_tenant(acme):
            assert [one.sequence for one in selectors.events(tenant=acme, **wanted)] == found  # type: ignore[arg-type]

    def test_facts_are_read_from_the_bytes_that_were_hashed(self, acme: Tenant) -> None:
        with in_tenant(acme):
            event = selectors.events(tenant=acme, subject=SUBJECT).get()
        assert selectors.facts_of(event) == {"by": "person4"}

    @pytest.mark.parametrize("sequence", range(11))
    def test_each_is_proven_by_its_bytes_and_path_alone(self, acme: Tenant, sequence: int) -> None:
        with in_tenant(acme):
            proof = selectors.proven(tenant=acme, sequence=sequence)
        assert proof.size == 11
        assert is_included(
            leaf=leaf_hash(bytes(proof.event.body)),
            index=sequence,
            size=proof.size,
            path=proof.path,
            expected_root=proof.root,
        )

    def test_all_are_proven_under_one_root(self, acme: Tenant) -> None:
        with in_tenant(acme):
            assert len({selectors.proven(tenant=acme, sequence=number).root for number in range(11)}) == 1

    @pytest.mark.parametrize("sequence", [-1, 11, 2**40])
    def test_an_event_that_is_not_there_has_no_proof(self, acme: Tenant, sequence: int) -> None:
        with in_tenant(acme), pytest.raises(EventNotFound):
            selectors.proven(tenant=acme, sequence=sequence)

    def test_another_tenants_event_has_no_proof(self, acme: Tenant, globex: Tenant) -> None:
        with in_tenant(globex), pytest.raises(EventNotFound):
            selectors.proven(tenant=acme, sequence=1)

    def test_a_ledger_too_long_to_prove_at_once_says_so(self, acme: Tenant) -> None:
        with in_tenant(acme):
            LedgerHead.objects.update(next_sequence=selectors.MOST_PROVEN_LEAVES + 1)
            with pytest.raises(LedgerTooLong):
                selectors.proven(tenant=acme, sequence=0)


def test_a_conversations_prompts_come_newest_first_without_their_sealed_words(acme: Tenant) -> None:
    with in_tenant(acme):
        for number, conversation in enumerate(["ours", "other", "ours"]):
            record_prompt(
                tenant=acme,
                person_id=None,
                person_label="alice",
                agent_id=None,
                agent_label="",
                conversation=conversation,
                generation=f"generation-{number}",
                text=f"words {number}",
                source="person",
                now=NOW + timedelta(minutes=number),
                random=os.urandom,
            )
        found = list(selectors.prompts_of(tenant=acme, conversation="ours"))
    assert [one.masked_text for one in found] == ["words 2", "words 0"]
    assert {"sealed_text", "sealed_salt"} <= found[0].get_deferred_fields()
