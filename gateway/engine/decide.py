"""Question -> Decision: candidates x actions x resources against base, then against ask; the strictest decides.

Compiling is `gateway.engine.compiler`. Nothing here raises for what a call contains: in doubt it is a deny.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

import cedarpy

from gateway.engine import entities
from gateway.engine.annotations import mask_types
from gateway.engine.compiler import CompiledRevision, Selection
from gateway.engine.parameters import TooManyParameters
from gateway.terms import Action, Candidate, Decision, Effect, Principal, Question, Resource

MOST_RESOURCES = 1_000
# Actions times resources over all candidates: at some 40 us each, one call cannot hold a worker past ~0.2 s.
MOST_COMBINATIONS = 5_000
# Characters of the names in entities that are kept as read: a call on few resources, some 2 MB for all that are kept.
_LONGEST_KEPT = 4_000
_MOST_KEPT = 16


class Reason(StrEnum):
    """Why a decision fell; stable, shown with the decision. The worst comes last."""

    PERMITTED = "permitted"
    APPROVAL_REQUIRED = "approval_required"
    NO_PERMIT = "no_permit"
    UNMODELLED = "unmodelled"
    FORBIDDEN = "forbidden"
    NOTHING_TO_DECIDE = "nothing_to_decide"
    TOO_MANY_RESOURCES = "too_many_resources"
    TOO_MANY_PARAMETERS = "too_many_parameters"
    EVALUATION_ERROR = "evaluation_error"


_T = TypeVar("_T")
_EFFECTS = {Reason.PERMITTED: Effect.ALLOW, Reason.APPROVAL_REQUIRED: Effect.ASK}
_SEVERITY = {reason: place for place, reason in enumerate(Reason)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """What one combination came to. `permits` are its matched permits, `rules` those that decided it."""

    reason: Reason
    rules: frozenset[str] = frozenset()
    permits: frozenset[str] = frozenset()
    errors: frozenset[str] = frozenset()


def decide(compiled: CompiledRevision, question: Question, *, observe: bool = False) -> Decision:
    """Answer one question. The same question and revision always have the same answer.

    With `observe` the answer is ALLOW and `would_be` holds the effect policy had, errors and rules included.
    """
    decision = _summary(compiled, _findings(compiled, question))
    if not observe:
        return decision
    return replace(decision, effect=Effect.ALLOW, asks=(), would_be=decision.effect)


def _findings(compiled: CompiledRevision, question: Question) -> tuple[_Finding, ...]:
    if refusal := _refusal_by_size(question):
        return (_Finding(reason=refusal),)
    return tuple(finding for candidate in question.candidates for finding in _Reading(compiled, question, candidate))


def _refusal_by_size(question: Question) -> Reason | None:
    # A vacuous "all of nothing is allowed" would be an allow.
    if not question.candidates or not all(candidate.actions for candidate in question.candidates):
        return Reason.NOTHING_TO_DECIDE
    if any(len(candidate.resources) > MOST_RESOURCES for candidate in question.candidates):
        return Reason.TOO_MANY_RESOURCES
    combinations = sum(
        (len(each.actions) + len(each.effective)) * max(1, len(each.resources)) for each in question.candidates
    )
    return Reason.TOO_MANY_RESOURCES if combinations > MOST_COMBINATIONS else None


class _Reading:
    """One candidate's evaluation, iterated as findings, one per action and resource."""

    def __init__(self, compiled: CompiledRevision, question: Question, candidate: Candidate) -> None:
        self._compiled = compiled
        self._question = question
        self._candidate = candidate

    def __iter__(self) -> Iterator[_Finding]:
        try:
            yield from self._evaluate()
        except TooManyParameters as error:
            yield _Finding(reason=Reason.TOO_MANY_PARAMETERS, errors=frozenset({str(error)}))
        except ValueError:
            # cedarpy's word for values it cannot take (a lone surrogate, a number past 64 bits). Its text may quote them.
            yield _Finding(reason=Reason.EVALUATION_ERROR, errors=frozenset({"the call's values cannot be evaluated"}))

    def _evaluate(self) -> Iterator[_Finding]:
        asked = (*self._candidate.actions, *self._candidate.effective)
        selection = self._compiled.select(self._action_ids(asked))
        context = entities.context_json(self._question, self._candidate, reads=selection.reads)
        for actions in _layers(asked, key=lambda each: each.name):
            for resources in _layers(self._resources(), key=lambda each: each.arn):
                yield from self._batch(selection, actions, resources, context)

    def _action_ids(self, asked: tuple[Action, ...]) -> frozenset[str]:
        """The actions' names and every group they stand in: what a rule's head could name to match them."""
        is_modelled = self._candidate.operation.is_modelled
        groups = (name for each in asked for name in entities.action_groups(each, is_modelled=is_modelled))
        return frozenset((*groups, *(each.name for each in asked)))

    def _resources(self) -> tuple[Resource, ...]:
        if self._candidate.resources:
            return self._candidate.resources
        question = self._question
        service = self._candidate.actions[0].name.partition(":")[0]
        return (Resource(arn="*", service=service, account=question.account, region=question.region),)

    def _batch(
        self, selection: Selection, actions: tuple[Action, ...], resources: tuple[Resource, ...], context: str
    ) -> Iterator[_Finding]:
        held = self._entities(selection, actions, resources)
        requests = [self._request(action, resource, context) for action in actions for resource in resources]
        findings = [self._of_base(each) for each in cedarpy.is_authorized_batch(requests, selection.base, held)]
        # Where something is denied already no ask can matter: an approval cannot open what policy forbids.
        if selection.ask is not None and all(each.reason is Reason.PERMITTED for each in findings):
            asked = cedarpy.is_authorized_batch(requests, selection.ask, held)
            findings = [_with_ask(base, each) for base, each in zip(findings, asked, strict=True)]
        yield from findings

    def _entities(
        self, selection: Selection, actions: tuple[Action, ...], resources: tuple[Resource, ...]
    ) -> cedarpy.Entities:
        is_modelled, principal = self._candidate.operation.is_modelled, self._question.principal
        is_short = sum(len(each.arn) for each in resources) + sum(map(len, principal.groups)) <= _LONGEST_KEPT
        read = _read if is_short and len(actions) + len(resources) <= _MOST_KEPT else _read.__wrapped__
        held = read(principal, actions, resources, is_modelled)
        if selection.reads is None or "input" in selection.reads:
            return held.with_added_json_str(entities.input_json(self._candidate))
        return held

    def _request(self, action: Action, resource: Resource, context: str) -> dict[str, object]:
        return {
            "principal": entities.principal_uid(self._question.principal),
            "action": entities.action_uid(action.name),
            "resource": entities.resource_uid(resource),
            "context": context,
        }

    def _of_base(self, result: cedarpy.AuthzResult) -> _Finding:
        reasons = frozenset(result.diagnostics.reasons)
        if (error := _error(result)) is not None:
            return error
        if result.decision is not cedarpy.Decision.Allow:
            # A deny's reasons are the forbids that matched; without one, nothing permitted the call.
            return _Finding(reason=Reason.FORBIDDEN if reasons else self._unpermitted(), rules=reasons)
        permits = reasons if self._candidate.operation.is_modelled else self._opening(reasons)
        if not permits:
            return _Finding(reason=Reason.UNMODELLED)
        return _Finding(reason=Reason.PERMITTED, rules=permits, permits=permits)

    def _unpermitted(self) -> Reason:
        return Reason.NO_PERMIT if self._candidate.operation.is_modelled else Reason.UNMODELLED

    def _opening(self, permits: frozenset[str]) -> frozenset[str]:
        return frozenset(name for name in permits if self._compiled.by_id[name].opens_unmodelled)


@lru_cache(maxsize=512)
def _read(
    principal: Principal, actions: tuple[Action, ...], resources: tuple[Resource, ...], is_modelled: bool
) -> cedarpy.Entities:
    """Entities as Cedar has them, which nothing changes; who asks and for what comes back call after call."""
    text = entities.entities_json(principal, actions=actions, resources=resources, is_modelled=is_modelled)
    return cedarpy.Entities.from_json_str(text)


def _error(result: cedarpy.AuthzResult) -> _Finding | None:
    # Cedar skips a forbid whose condition errors, so any error at all is a deny.
    errors = frozenset(result.diagnostics.errors)
    if not errors and result.decision in (cedarpy.Decision.Allow, cedarpy.Decision.Deny):
        return None
    rules = frozenset(result.diagnostics.reasons) if result.decision is cedarpy.Decision.Deny else frozenset()
    return _Finding(reason=Reason.EVALUATION_ERROR, rules=rules, errors=errors or frozenset({"no decision"}))


def _with_ask(base: _Finding, result: cedarpy.AuthzResult) -> _Finding:
    if (error := _error(result)) is not None:
        return error
    if result.decision is not cedarpy.Decision.Allow:
        return base
    return replace(base, reason=Reason.APPROVAL_REQUIRED, rules=frozenset(result.diagnostics.reasons))


def _layers(items: Iterable[_T], *, key: Callable[[_T], str]) -> Iterator[tuple[_T, ...]]:
    """Distinct items in as few groups as keep keys apart: Cedar knows one entity per id.

    An operation nobody mapped comes as one action under two classes; each of them has to be permitted.
    """
    given = tuple(items)
    if len(given) <= 1:
        yield from (given,) if given else ()
        return
    layers: list[dict[str, _T]] = []
    for item in dict.fromkeys(given):
        free = next((layer for layer in layers if key(item) not in layer), None)
        if free is None:
            layers.append(free := {})
        free[key(item)] = item
    for layer in layers:
        yield tuple(layer.values())


def _summary(compiled: CompiledRevision, findings: tuple[_Finding, ...]) -> Decision:
    """The strictest finding decides; everything is listed in the rules' own order, so no order of asking shows."""
    reason = max((finding.reason for finding in findings), key=_SEVERITY.__getitem__)
    effect = _EFFECTS.get(reason, Effect.DENY)
    deciding = _in_order(compiled, (name for each in findings if _effect(each) is effect for name in each.rules))
    rules = [compiled.by_id[name] for name in deciding]
    masks, clear = _masking(compiled, findings) if effect is not Effect.DENY else ((), ())
    return Decision(
        effect=effect,
        revision=compiled.revision,
        rule_ids=deciding,
        asks=tuple(rule.ask for rule in rules if rule.ask is not None),
        masks=masks,
        clear=clear,
        advice=" ".join(dict.fromkeys(rule.advice for rule in rules if rule.advice)),
        reason=str(reason),
        errors=tuple(sorted({error for each in findings for error in each.errors})),
    )


def _effect(finding: _Finding) -> Effect:
    return _EFFECTS.get(finding.reason, Effect.DENY)


def _in_order(compiled: CompiledRevision, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names), key=compiled.order.__getitem__))


def _masking(compiled: CompiledRevision, findings: tuple[_Finding, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Masks: every type any matched permit names. Clear: types that a matched permit clears for *each* action and
    resource of the call, less those masked; the call has one answer body, and part of it may be another's.
    """
    by_id = compiled.by_id
    masks = {kind for each in findings for name in each.permits for kind in by_id[name].masks}
    cleared = [{kind for name in each.permits for kind in by_id[name].clear} for each in findings]
    return tuple(sorted(masks)), tuple(sorted(set.intersection(*cleared) - masks - mask_types(masks)))
