"""`/events/`: the tenant's ledger, line by line, and the proof that a line is in it.

Reading it is an event itself, so a page read twice is longer the second time.
"""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.kinds import EventKind
from audit.models import Event
from audit.problems import EventNotFound
from audit.selectors import events, facts_of, proven
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, describe, page_of, paged
from hoopweb.api.pagination import Keyset
from hoopweb.reviews.problems import ProofOutsidePeriod

ORDER = Keyset(name="events", fields={"sequence": int})
LARGEST_SEQUENCE = 2**63 - 1


class EventSerializer(serializers.ModelSerializer[Event]):
    session = serializers.UUIDField(source="session_id", allow_null=True)
    data = serializers.SerializerMethodField(help_text="The facts as they were hashed.")  # type: ignore[assignment]  # DRF takes declared fields off the class, so nothing is hidden
    leaf = serializers.SerializerMethodField(help_text="SHA-256 of the leaf, in hex.")

    class Meta:
        model = Event
        fields = ("sequence", "kind", "at", "subject", "session", "data", "leaf")

    def get_data(self, event: Event) -> dict[str, Any]:
        return dict(facts_of(event))

    def get_leaf(self, event: Event) -> str:
        return bytes(event.leaf).hex()


class ProofSerializer(serializers.Serializer[Any]):
    """An RFC 6962 inclusion proof: hash `body`, walk `path`, and reach `root`."""

    sequence = serializers.IntegerField()
    body = serializers.CharField(help_text="The canonical bytes (RFC 8785), as text.")
    leaf = serializers.CharField()
    size = serializers.IntegerField(help_text="Leaves in the tree.")
    path = serializers.ListField(child=serializers.CharField())
    root = serializers.CharField()  # type: ignore[assignment]  # DRF takes declared fields off the class, so nothing is hidden


class EventQuery(PageQuery):
    kind = serializers.ChoiceField([kind.value for kind in EventKind], required=False)
    subject = serializers.UUIDField(required=False)
    session = serializers.UUIDField(required=False)


class Events(ApiView):
    rights: ClassVar = {"GET": Right.EVENTS_READ}

    @describe(
        "List events; reading is recorded", page_of(EventSerializer), query=EventQuery, operation_id="events_list"
    )
    def get(self, request: Request) -> Response:
        query = self.query(EventQuery)
        rows = events(
            tenant=self.caller.tenant,
            kind=query.pop("kind", None),
            subject=query.pop("subject", None),
            session_id=query.pop("session", None),
        )
        answer = paged(ORDER.page(rows, **query), EventSerializer)
        self.read_evidence(what="events", subject=self.caller.tenant.pk)
        return Response(answer)


class OneEvent(ApiView):
    rights: ClassVar = {"GET": Right.EVENTS_READ}

    @describe("Read one event; reading is recorded", EventSerializer, operation_id="events_read")
    def get(self, request: Request, sequence: int) -> Response:
        event = _event_of(self, sequence)
        self.read_evidence(what="event", subject=event.subject, session_id=event.session_id)
        return Response(EventSerializer(event).data)


def _event_of(view: ApiView, sequence: int) -> Event:
    event = None
    if sequence <= LARGEST_SEQUENCE:
        event = events(tenant=view.caller.tenant).filter(sequence=sequence).first()
    if event is None:
        raise EventNotFound
    return event


class Proof(ApiView):
    rights: ClassVar = {"GET": Right.EVENTS_READ}

    @describe("Prove that an event is in the ledger", ProofSerializer, operation_id="events_proof")
    def get(self, request: Request, sequence: int) -> Response:
        if sequence > LARGEST_SEQUENCE:
            raise EventNotFound
        if getattr(request._request, "evidence_period", None) is not None:
            raise ProofOutsidePeriod
        proof = proven(tenant=self.caller.tenant, sequence=sequence)
        answer = {
            "sequence": proof.event.sequence,
            "body": bytes(proof.event.body).decode(),
            "leaf": bytes(proof.event.leaf).hex(),
            "size": proof.size,
            "path": [node.hex() for node in proof.path],
            "root": proof.root.hex(),
        }
        self.read_evidence(what="proof", subject=proof.event.subject, session_id=proof.event.session_id)
        return Response(answer)
