"""What every view of the API shares: the caller, the clock, strict input, pages, and evidence of reading evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, TypeVar, cast
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from audit.kinds import EventKind
from audit.services import append
from gateway.identity.caller import Caller
from gateway.tenants.rights import Right
from hoopweb.api.errors import CONTENT_TYPE
from hoopweb.api.pagination import LARGEST_PAGE, USUAL_PAGE, Page
from hoopweb.api.parsing import StrictJSONParser

S = TypeVar("S", bound=serializers.BaseSerializer[Any])


class StrictSerializer(serializers.Serializer[Any]):
    """Input: a member it does not know is an error. A typing mistake must not silently mean the default."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, Mapping) else []
        if unknown:
            raise serializers.ValidationError({str(name)[:80]: ["Unknown member."] for name in unknown[:20]})
        return super().to_internal_value(data)


class PageQuery(StrictSerializer):
    cursor = serializers.CharField(required=False, max_length=200, help_text="`next` of the page before.")
    limit = serializers.IntegerField(required=False, default=USUAL_PAGE, min_value=1, max_value=LARGEST_PAGE)


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457. `code` is stable: the same in logs, documentation and events."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    remedy = serializers.CharField(required=False)
    errors = serializers.JSONField(required=False)  # type: ignore[assignment]  # DRF takes declared fields off the class, so nothing is hidden


class ApiView(APIView):
    """A view of the API. `rights` names the right each method needs; None means any caller of a tenant."""

    rights: ClassVar[Mapping[str, Right | None]] = {}
    parser_classes = (StrictJSONParser,)
    request: Request
    now: datetime

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "GET" in cls.rights:
            # HEAD is GET without the body, and asks for the same right.
            cls.rights = {**cls.rights, "HEAD": cls.rights["GET"]}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.now = timezone.now()
        super().initial(request, *args, **kwargs)

    def check_permissions(self, request: Request) -> None:
        # Asked before the right: a method nobody may use is 405, not somebody's missing right.
        if not hasattr(self, str(request.method).lower()):
            self.http_method_not_allowed(request)
        super().check_permissions(request)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        # Evidence and keys belong in no cache on the way, nor on the reader's disk.
        response.headers.setdefault("Cache-Control", "no-store")
        return super().finalize_response(request, response, *args, **kwargs)

    @property
    def caller(self) -> Caller:
        return cast(Caller, self.request.user)

    def query(self, kind: type[S]) -> dict[str, Any]:
        """Return the validated query; a repeated parameter is refused, since readers would differ on which counts."""
        repeated = [name for name, values in self.request.query_params.lists() if len(values) > 1]
        if repeated:
            raise serializers.ValidationError({name[:80]: ["Given more than once."] for name in repeated[:20]})
        return self._valid(kind(data=self.request.query_params.dict()))

    def body(self, kind: type[S]) -> dict[str, Any]:
        return self._valid(kind(data=self.request.data))

    def _valid(self, serializer: S) -> dict[str, Any]:
        serializer.is_valid(raise_exception=True)
        return cast("dict[str, Any]", serializer.validated_data)

    def read_evidence(self, *, what: str, subject: UUID, session_id: UUID | None = None) -> None:
        """Write down that evidence was read. Call it last: it takes the tenant's ledger lock until the commit."""
        record_read(caller=self.caller, what=what, subject=subject, session_id=session_id, now=self.now)


def record_read(*, caller: Caller, what: str, subject: UUID, now: datetime, session_id: UUID | None = None) -> None:
    """Append EVIDENCE_READ: who read what. Pages and API leave the same event."""
    data: dict[str, Any] = {"by": caller.label, "what": what}
    if caller.api_key is not None:
        data["key"] = str(caller.api_key.pk)
    append(
        tenant_id=caller.tenant.pk,
        kind=EventKind.EVIDENCE_READ,
        at=now,
        subject=subject,
        session_id=session_id,
        data=data,
    )


def paged(page: Page, kind: type[serializers.BaseSerializer[Any]], **context: Any) -> dict[str, Any]:
    """Return one page as plain data."""
    return {"items": kind(page.items, many=True, context=context).data, "next": page.next}


def page_of(kind: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """Describe a page of one kind, for the schema."""
    name = kind.__name__.removesuffix("Serializer")
    return inline_serializer(
        name=f"{name}Page", fields={"items": kind(many=True), "next": serializers.CharField(allow_null=True)}
    )


PROBLEM = OpenApiResponse(ProblemSerializer, description="A problem; see its `code`.")
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 120, "pattern": "^[\\x21-\\x7e]+$"},
    OpenApiParameter.HEADER,
    description="The same key and body give the same answer for 24 hours, and the write happens once.",
)
_PROBLEMS = {("4XX", CONTENT_TYPE): ProblemSerializer}


def describe(
    summary: str, answer: Any, *, status: int = 200, body: Any = None, query: Any = None, operation_id: str
) -> Callable[[Any], Any]:
    """Describe one method for the schema: what it takes, what it answers, and that failures are problems."""
    parameters = ([query] if query else []) + ([IDEMPOTENCY_KEY] if body else [])
    return extend_schema(
        summary=summary,
        operation_id=operation_id,
        request=body,
        parameters=parameters,
        responses={status: answer, **_PROBLEMS},
    )
