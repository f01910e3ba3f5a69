"""`/sessions/`: conversations of agents with AWS, and what happened in each, beside the prompts."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.models import Session
from audit.selectors import sessions
from gateway.requests import selectors
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, describe, page_of, paged
from hoopweb.api.errors import NotFound
from hoopweb.api.pagination import newest
from hoopweb.api.prompts import PromptSerializer
from hoopweb.api.requests import CallSerializer
from hoopweb.timeline import session_page

ORDER = newest("sessions", "last_at")


class SessionSerializer(serializers.ModelSerializer[Session]):
    person = serializers.UUIDField(source="person_id", allow_null=True)
    agent = serializers.UUIDField(source="agent_id", allow_null=True)
    connection = serializers.UUIDField(source="connection_id")

    class Meta:
        model = Session
        fields = (
            "id",
            "person",
            "person_label",
            "agent",
            "agent_label",
            "connection",
            "connection_label",
            "conversation",
            "opened_at",
            "last_at",
            "calls",
            "refused",
            "held",
            "deletes",
            "secrets_masked",
            "bytes_out",
            "taint",
        )


class TurnSerializer(serializers.Serializer[selectors.Turn]):
    prompt = PromptSerializer(allow_null=True)
    calls = CallSerializer(many=True)


class TimelineSerializer(serializers.Serializer[Any]):
    session = SessionSerializer()
    turns = TurnSerializer(many=True, help_text="Oldest first within the page.")
    next = serializers.CharField(allow_null=True, help_text="The cursor of the calls before these.")


def session_of(view: ApiView, session_id: UUID) -> Session:
    """Return the caller's tenant's session; raises NotFound for any other id."""
    row = Session.objects.for_tenant(view.caller.tenant).filter(pk=session_id).first()
    if row is None:
        raise NotFound
    return row


class SessionQuery(PageQuery):
    person = serializers.UUIDField(required=False)
    agent = serializers.UUIDField(required=False)


class Sessions(ApiView):
    rights: ClassVar = {"GET": Right.SESSIONS_READ}

    @describe("List sessions", page_of(SessionSerializer), query=SessionQuery, operation_id="sessions_list")
    def get(self, request: Request) -> Response:
        query = self.query(SessionQuery)
        rows = sessions(
            tenant=self.caller.tenant, person_id=query.pop("person", None), agent_id=query.pop("agent", None)
        )
        return Response(paged(ORDER.page(rows, **query), SessionSerializer))


class OneSession(ApiView):
    rights: ClassVar = {"GET": Right.SESSIONS_READ}

    @describe("Read one session", SessionSerializer, operation_id="sessions_read")
    def get(self, request: Request, session_id: UUID) -> Response:
        return Response(SessionSerializer(session_of(self, session_id)).data)


class Timeline(ApiView):
    rights: ClassVar = {"GET": Right.SESSIONS_READ}

    @describe(
        "Read a session's prompts and calls, with their masked halves",
        TimelineSerializer,
        query=PageQuery,
        operation_id="sessions_timeline",
    )
    def get(self, request: Request, session_id: UUID) -> Response:
        self.caller.must(Right.REQUESTS_READ)
        query = self.query(PageQuery)
        session = session_of(self, session_id)
        turns, page = session_page(tenant=self.caller.tenant, session=session, **query)
        answer = TimelineSerializer({"session": session, "turns": turns, "next": page.next}).data
        self.read_evidence(what="timeline", subject=session.pk, session_id=session.pk)
        return Response(answer)
