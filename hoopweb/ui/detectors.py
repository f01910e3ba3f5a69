"""Detectors as pages: what the organisation itself wants masked, tried on a text before it is live."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from gateway.identity.caller import Caller
from gateway.masking.tenant_rules import Checksum
from gateway.policy import detectors
from gateway.policy.problems import DetectorRefused
from gateway.problems import Problem
from gateway.tenants.rights import Right
from hoopweb.api.detectors import ORDER, VERSIONS
from hoopweb.api.errors import Malformed
from hoopweb.ui.base import cursor_of, page, show

FIELDS = ("name", "pattern", "keywords", "checksum", "must_match", "must_not_match", "text")
RECORDINGS_TRIED = 20


@require_http_methods(["GET", "HEAD", "POST"])
@page(Right.POLICIES_READ, POST=Right.POLICIES_WRITE)
@sensitive_variables("given", "definition")
def detector_list(request: HttpRequest, caller: Caller) -> HttpResponse:
    """All there are, and a form: a POST tries what is in it, or saves it as a version."""
    if request.method != "POST":
        return _page(request, caller)
    given = {name: request.POST.get(name, "").replace("\r\n", "\n")[: detectors.LONGEST_TEXT] for name in FIELDS}
    try:
        definition = _definition(given)
        if request.POST.get("do") == "try":
            return _page(request, caller, given=given, trial=_tried(caller, definition, given["text"]))
        made = detectors.save(tenant=caller.tenant, definition=definition, by_label=caller.label, now=timezone.now())
    except Problem as problem:
        return _page(request, caller, given=given, problem=problem)
    return HttpResponseRedirect(reverse("ui:detector", args=(made.detector_id,)))


def _definition(given: dict[str, str]) -> detectors.Definition:
    examples = {name: _lines(given[name]) for name in ("must_match", "must_not_match")}
    if any(len(each) > detectors.MOST_EXAMPLES for each in examples.values()):
        raise DetectorRefused(f"At most {detectors.MOST_EXAMPLES} examples of each kind.")
    try:
        checksum = Checksum(given["checksum"])
    except ValueError:
        raise Malformed("Choose one of the checksums") from None
    return detectors.Definition(
        name=given["name"].strip() or detectors.TRIAL_NAME,
        pattern=given["pattern"].strip("\n"),
        keywords=_lines(given["keywords"].replace(",", "\n")),
        checksum=checksum,
        **examples,
    )


def _lines(text: str) -> tuple[str, ...]:
    return tuple(stripped for line in text.split("\n") if (stripped := line.strip()))


def _tried(caller: Caller, definition: detectors.Definition, text: str) -> dict[str, object]:
    """The pasted text in stretches, those that would be masked marked; and what recent recordings hold."""
    matches = detectors.try_on_text(definition, text)
    recorded = detectors.try_on_recordings(
        definition, tenant=caller.tenant, count=RECORDINGS_TRIED, by_label=caller.label, now=timezone.now()
    )
    return {"pieces": _pieces(text, matches), "count": len(matches), "recorded": recorded, "calls": RECORDINGS_TRIED}


def _pieces(text: str, matches: list[detectors.Match]) -> list[tuple[bool, str]]:
    pieces, place = [], 0
    for match in matches:
        if match.start >= place:
            pieces += [(False, text[place : match.start]), (True, text[match.start : match.end])]
            place = match.end
    return [*pieces, (False, text[place:])]


def _page(request: HttpRequest, caller: Caller, *, problem: Problem | None = None, **shown: object) -> HttpResponse:
    context = {
        "page": ORDER.page(detectors.detectors(caller.tenant), **cursor_of(request)),
        "checksums": [one.value for one in Checksum],
        "problem": problem,
        **shown,
    }
    return show(request, caller, "detectors.html", context, here="policies", status=problem.status if problem else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@page(Right.POLICIES_READ, POST=Right.POLICIES_WRITE)
def detector(request: HttpRequest, caller: Caller, detector_id: UUID) -> HttpResponse:
    """One detector with its versions; a POST makes one live, or none."""
    found = detectors.detector_of(caller.tenant, detector_id)
    if request.method != "POST":
        rows = VERSIONS.page(detectors.versions(found), **cursor_of(request))
        return show(request, caller, "detector.html", {"detector": found, "page": rows}, here="policies")
    number = request.POST.get("number", "")
    if number and not (number.isascii() and number.isdecimal() and len(number) < 9):
        raise Malformed("Name a version by its number")
    detectors.set_live(
        tenant=caller.tenant,
        detector_id=found.pk,
        number=int(number) if number else None,
        by_label=caller.label,
        now=timezone.now(),
    )
    return HttpResponseRedirect(reverse("ui:detector", args=(found.pk,)))
