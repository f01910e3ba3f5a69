"""A tenant's own detectors: saved as versions that were tried, made live, taken back. Each change is an event.

What a pattern may be is `gateway.masking`'s; who may change detectors is asked by the caller.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Max, QuerySet

from audit.kinds import EventKind
from audit.models import Recording
from audit.recordings import recorded_halves
from audit.services import append
from gateway.masking.patterns import RuleRefused, check_ordinary, check_speed
from gateway.masking.tenant_rules import Checksum, CompiledRule, TenantRule, TenantRules, packed
from gateway.policy.detector_models import Detector, DetectorVersion, LiveDetectors
from gateway.policy.problems import DetectorChanged, DetectorRefused, DetectorUnknown
from gateway.sealing.services import seal, unseal
from gateway.tenants.models import Tenant

EXAMPLES_COLUMN = "policy_detectorversion.sealed_examples"
MOST_EXAMPLES, LONGEST_EXAMPLE = 20, 1_000
LONGEST_TEXT = 64 * 1024
MOST_RECORDINGS = 50
# What a list of findings shows of one text.
MOST_SHOWN = 100
# Of a pattern that is only tried.
TRIAL_NAME = "trial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a person wrote: what is looked for, and texts on which it must be right."""

    name: str
    pattern: str
    keywords: tuple[str, ...] = ()
    checksum: Checksum = Checksum.NONE
    must_match: tuple[str, ...] = field(default=(), repr=False)
    must_not_match: tuple[str, ...] = field(default=(), repr=False)

    def rule(self, number: int = 1) -> TenantRule:
        return TenantRule(
            name=self.name, version=number, pattern=self.pattern, keywords=self.keywords, checksum=self.checksum
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One value in a text that was pasted: code points, end exclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedMatches:
    """How often it would have masked in one recorded half; the values stay where they are."""

    request_id: UUID
    part: str
    count: int


def checked(definition: Definition) -> CompiledRule:
    """The definition compiled and tried on its own examples and on ordinary text; raises DetectorRefused."""
    try:
        made = CompiledRule(definition.rule())
        check_ordinary(made.spans)
        check_speed(made.spans, time.thread_time)
        packed([made.rule])
    except RuleRefused as refused:
        raise DetectorRefused(str(refused)) from None
    _check_examples(made, definition)
    return made


def _check_examples(made: CompiledRule, definition: Definition) -> None:
    if not definition.must_match:
        raise DetectorRefused("Give at least one example that must match: it is what shows that the pattern works.")
    for number, text in enumerate(definition.must_match, start=1):
        if not _finds(made, text):
            raise DetectorRefused(f"Example {number} of those that must match is not found.")
    for number, text in enumerate(definition.must_not_match, start=1):
        if _finds(made, text):
            raise DetectorRefused(f"Example {number} of those that must not match is found.")


def _finds(made: CompiledRule, text: str) -> bool:
    return next(made.spans(text.encode("utf-8", "replace")), None) is not None


def try_on_text(definition: Definition, text: str) -> list[Match]:
    """Where it would mask in a text; the first MOST_SHOWN. Raises DetectorRefused for a pattern that cannot be one."""
    made, data = _compiled(definition), text.encode("utf-8", "replace")
    spans = sorted(made.spans(data))[:MOST_SHOWN]
    return [Match(start=len(data[:start].decode()), end=len(data[:end].decode())) for start, end, _, _ in spans]


def try_on_recordings(
    definition: Definition, *, tenant: Tenant, count: int, by_label: str, now: datetime
) -> list[RecordedMatches]:
    """What it would have found in the newest recorded requests and answers. Looking into them is an event."""
    made = _compiled(definition)
    if not count:
        return []
    newest = Recording.objects.for_tenant(tenant).order_by("-recorded_at").values_list("request_id", flat=True)
    ids = list(dict.fromkeys(newest[: 2 * min(count, MOST_RECORDINGS)]))[:count]
    found = []
    for request_id, halves in recorded_halves(tenant_id=tenant.pk, request_ids=ids).items():
        for part, half in halves.items():
            if times := sum(1 for _ in made.spans(half.text.encode())):
                found.append(RecordedMatches(request_id=request_id, part=part, count=times))
    data = {"by": by_label, "name": definition.name, "what": f"tried on the recordings of {len(ids)} calls"}
    append(tenant_id=tenant.pk, kind=EventKind.DETECTOR_TRIED, at=now, subject=tenant.pk, data=data)
    return found


def _compiled(definition: Definition) -> CompiledRule:
    try:
        return CompiledRule(definition.rule())
    except RuleRefused as refused:
        raise DetectorRefused(str(refused)) from None


@transaction.atomic
def save(
    *, tenant: Tenant, definition: Definition, based_on: int | None = None, by_label: str, now: datetime
) -> DetectorVersion:
    """A new version, tried and kept, not yet live; makes the detector if its name is new.

    Raises DetectorRefused, or DetectorChanged where `based_on` is no longer the newest number (0: no version yet).
    """
    checked(definition)
    Detector.objects.for_tenant(tenant).get_or_create(
        name=definition.name, defaults={"tenant": tenant, "created_at": now}
    )
    detector = Detector.objects.for_tenant(tenant).select_for_update().get(name=definition.name)
    newest = versions(detector).aggregate(newest=Max("number"))["newest"] or 0
    if based_on is not None and based_on != newest:
        raise DetectorChanged(f"The newest is {newest}, yours was based on {based_on}")
    examples = {"must_match": definition.must_match, "must_not_match": definition.must_not_match}
    made: DetectorVersion = DetectorVersion.objects.create(
        tenant=tenant,
        detector=detector,
        number=newest + 1,
        pattern=definition.pattern,
        keywords=list(definition.keywords),
        checksum=definition.checksum,
        sealed_examples=seal(tenant_id=tenant.pk, column=EXAMPLES_COLUMN, plaintext=json.dumps(examples).encode()),
        created_at=now,
        created_by=by_label,
    )
    # Not the pattern: it may hold what is to be hidden, and an event stays for ever.
    _record(EventKind.DETECTOR_SAVED, detector, f"version {made.number}", by_label, now)
    return made


@transaction.atomic
def set_live(*, tenant: Tenant, detector_id: UUID, number: int | None, by_label: str, now: datetime) -> Detector:
    """From the next admitted call on this version masks, or none of them does (None); the versions stay.

    Raises DetectorUnknown, or DetectorRefused where too much would be live.
    """
    detector = _locked(tenant, detector_id)
    version = versions(detector).filter(number=number).first() if number is not None else None
    if version is None and number is not None:
        raise DetectorUnknown(f"`{detector.name}` has no version {number}")
    if detector.live == version:
        return detector
    was, detector.live = detector.live, version
    detector.save(update_fields=("live",))
    _pack(tenant, now)
    kind = EventKind.DETECTOR_LIVE if version is not None else EventKind.DETECTOR_TAKEN_BACK
    meant = version or was
    _record(kind, detector, f"version {meant.number if meant else 0}", by_label, now)
    return detector


def _locked(tenant: Tenant, detector_id: UUID) -> Detector:
    # One at a time for the whole tenant: what is packed is all that is live.
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    return detector_of(tenant, detector_id)


def _pack(tenant: Tenant, now: datetime) -> None:
    live = detectors(tenant).filter(live__isnull=False)
    rules = [one.live.rule(one.name) for one in live if one.live is not None]
    try:
        check_speed(TenantRules(rules).spans, time.thread_time, is_whole_set=True)
        data = packed(rules)
    except RuleRefused as refused:
        raise DetectorRefused(str(refused)) from None
    LiveDetectors.objects.for_tenant(tenant).update_or_create(
        defaults={"packed": data, "changed_at": now},
        create_defaults={"tenant": tenant, "packed": data, "changed_at": now},
    )


def live_detectors(tenant: Tenant) -> bytes:
    """All live rules as masking takes them (`scanner_for`)."""
    row = LiveDetectors.objects.for_tenant(tenant).values_list("packed", flat=True).first()
    return bytes(row or b"")


def detectors(tenant: Tenant) -> QuerySet[Detector]:
    """All detectors with the version that is live, by name."""
    found: QuerySet[Detector] = Detector.objects.for_tenant(tenant).select_related("live").order_by("name")
    return found


def detector_of(tenant: Tenant, detector_id: UUID) -> Detector:
    """One detector; raises DetectorUnknown, for another tenant's as for none."""
    found = detectors(tenant).filter(pk=detector_id).first()
    if found is None:
        raise DetectorUnknown
    return found


def versions(detector: Detector) -> QuerySet[DetectorVersion]:
    """All versions of one detector, newest first."""
    found: QuerySet[DetectorVersion] = DetectorVersion.objects.for_tenant(detector.tenant_id).filter(detector=detector)
    return found.order_by("-number")


def examples_of(version: DetectorVersion) -> tuple[Sequence[str], Sequence[str]]:
    """The texts that must and must not match, for who may change detectors."""
    data = unseal(tenant_id=version.tenant_id, column=EXAMPLES_COLUMN, sealed=version.sealed_examples)
    examples = json.loads(data)
    return examples["must_match"], examples["must_not_match"]


def _record(kind: EventKind, detector: Detector, what: str, by_label: str, now: datetime) -> None:
    data = {"by": by_label, "name": detector.name, "what": what}
    append(tenant_id=detector.tenant_id, kind=kind, at=now, subject=detector.pk, data=data)
