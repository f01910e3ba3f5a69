"""`/detectors/`: what the tenant itself wants masked. Saved as versions that were tried; one of each may be live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.masking.patterns import LONGEST_PATTERN
from gateway.masking.tenant_rules import LONGEST_KEYWORD, LONGEST_NAME, MOST_KEYWORDS, Checksum
from gateway.policy import detectors
from gateway.policy.detector_models import Detector, DetectorVersion
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, StrictSerializer, describe, page_of, paged
from hoopweb.api.idempotency import idempotent
from hoopweb.api.pagination import Keyset

ORDER = Keyset(name="detectors", fields={"name": str, "id": UUID})
VERSIONS = Keyset(name="detector-versions", fields={"number": int})
CHECKSUMS = [(one.value, one.value) for one in Checksum]


class DetectorVersionSerializer(serializers.ModelSerializer[DetectorVersion]):
    keywords = serializers.ListField(child=serializers.CharField())
    checksum = serializers.ChoiceField(CHECKSUMS)

    class Meta:
        model = DetectorVersion
        fields: tuple[str, ...] = ("number", "pattern", "keywords", "checksum", "created_at", "created_by")


class DetectorSerializer(serializers.ModelSerializer[Detector]):
    live = DetectorVersionSerializer(allow_null=True, help_text="The version that masks now.")

    class Meta:
        model = Detector
        fields = ("id", "name", "live", "created_at")


class SavedSerializer(DetectorVersionSerializer):
    id = serializers.UUIDField(source="detector_id", help_text="The detector's.")
    name = serializers.CharField(source="detector.name")

    class Meta(DetectorVersionSerializer.Meta):
        fields = ("id", "name", *DetectorVersionSerializer.Meta.fields)


def _texts(most: int, longest: int, **options: Any) -> serializers.ListField:
    child = serializers.CharField(max_length=longest, trim_whitespace=False)
    return serializers.ListField(child=child, max_length=most, required=False, default=list, **options)


class PatternBody(StrictSerializer):
    pattern = serializers.CharField(
        max_length=LONGEST_PATTERN,
        trim_whitespace=False,
        help_text="RE2 syntax, at most 256 characters a match; the first group, if any, is the value.",
    )
    keywords = _texts(MOST_KEYWORDS, LONGEST_KEYWORD, help_text="One must stand at most 128 bytes before the value.")
    checksum = serializers.ChoiceField(CHECKSUMS, required=False, default=Checksum.NONE.value)


class DetectorBody(PatternBody):
    name = serializers.CharField(max_length=LONGEST_NAME, help_text="Also what `[REDACTED:name]` shows.")
    must_match = _texts(detectors.MOST_EXAMPLES, detectors.LONGEST_EXAMPLE, help_text="At least one.")
    must_not_match = _texts(detectors.MOST_EXAMPLES, detectors.LONGEST_EXAMPLE)
    based_on = serializers.IntegerField(
        min_value=0, required=False, allow_null=True, default=None, help_text="The newest number you saw; 0 for none."
    )


class TrialBody(PatternBody):
    text = serializers.CharField(
        max_length=detectors.LONGEST_TEXT, trim_whitespace=False, required=False, default="", allow_blank=True
    )
    recordings = serializers.IntegerField(
        min_value=0,
        max_value=detectors.MOST_RECORDINGS,
        required=False,
        default=0,
        help_text="How many of the newest recorded calls to look into; that is an event.",
    )


class MatchSerializer(serializers.Serializer[Any]):
    start = serializers.IntegerField(help_text="In characters of the text.")
    end = serializers.IntegerField()


class RecordedMatchesSerializer(serializers.Serializer[Any]):
    request = serializers.UUIDField(source="request_id")
    part = serializers.CharField()
    count = serializers.IntegerField()


class TrialSerializer(serializers.Serializer[Any]):
    matches = MatchSerializer(many=True)
    recorded = RecordedMatchesSerializer(many=True)


class LiveStateBody(StrictSerializer):
    number = serializers.IntegerField(
        min_value=1, allow_null=True, help_text="The version to make live; null for none."
    )


def definition_of(body: Mapping[str, Any], name: str) -> detectors.Definition:
    return detectors.Definition(
        name=name,
        pattern=body["pattern"],
        keywords=tuple(body["keywords"]),
        checksum=Checksum(body["checksum"]),
        must_match=tuple(body.get("must_match", ())),
        must_not_match=tuple(body.get("must_not_match", ())),
    )


class Detectors(ApiView):
    rights: ClassVar = {"GET": Right.POLICIES_READ, "POST": Right.POLICIES_WRITE}

    @describe("List detectors", page_of(DetectorSerializer), query=PageQuery, operation_id="detectors_list")
    def get(self, request: Request) -> Response:
        rows = detectors.detectors(self.caller.tenant)
        return Response(paged(ORDER.page(rows, **self.query(PageQuery)), DetectorSerializer))

    @describe(
        "Save a version of a detector, tried on its examples; it masks nothing yet",
        SavedSerializer,
        body=DetectorBody,
        status=201,
        operation_id="detectors_save",
    )
    @idempotent
    def post(self, request: Request) -> Response:
        body, caller = self.body(DetectorBody), self.caller
        definition, based_on = definition_of(body, body["name"]), body["based_on"]
        made = detectors.save(
            tenant=caller.tenant, definition=definition, based_on=based_on, by_label=caller.label, now=self.now
        )
        return Response(SavedSerializer(made).data, status=201)


class OneDetector(ApiView):
    rights: ClassVar = {"GET": Right.POLICIES_READ, "PATCH": Right.POLICIES_WRITE}

    @describe("Read one detector", DetectorSerializer, operation_id="detectors_read")
    def get(self, request: Request, detector_id: UUID) -> Response:
        return Response(DetectorSerializer(detectors.detector_of(self.caller.tenant, detector_id)).data)

    @describe(
        "Make a version live, or take the detector back: from the next call on",
        DetectorSerializer,
        body=LiveStateBody,
        operation_id="detectors_change",
    )
    def patch(self, request: Request, detector_id: UUID) -> Response:
        number, caller = self.body(LiveStateBody)["number"], self.caller
        found = detectors.set_live(
            tenant=caller.tenant, detector_id=detector_id, number=number, by_label=caller.label, now=self.now
        )
        return Response(DetectorSerializer(found).data)


class DetectorVersions(ApiView):
    rights: ClassVar = {"GET": Right.POLICIES_READ}

    @describe(
        "List a detector's versions",
        page_of(DetectorVersionSerializer),
        query=PageQuery,
        operation_id="detector_versions_list",
    )
    def get(self, request: Request, detector_id: UUID) -> Response:
        rows = detectors.versions(detectors.detector_of(self.caller.tenant, detector_id))
        return Response(paged(VERSIONS.page(rows, **self.query(PageQuery)), DetectorVersionSerializer))


class DetectorTrial(ApiView):
    rights: ClassVar = {"POST": Right.POLICIES_WRITE}

    @describe(
        "Try a pattern on a text and on recent recordings; nothing is saved",
        TrialSerializer,
        body=TrialBody,
        operation_id="detectors_try",
    )
    def post(self, request: Request) -> Response:
        body, caller = self.body(TrialBody), self.caller
        definition = definition_of(body, detectors.TRIAL_NAME)
        matches = detectors.try_on_text(definition, body["text"])
        recorded = detectors.try_on_recordings(
            definition, tenant=caller.tenant, count=body["recordings"], by_label=caller.label, now=self.now
        )
        return Response(TrialSerializer({"matches": matches, "recorded": recorded}).data)
