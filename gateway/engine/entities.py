"""A Question's values as Cedar's: principal, actions, resources and the closed context.

The types these must have are in `gateway.engine.schema`; nothing here decides anything.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

import msgspec

from gateway.engine import catalogue
from gateway.engine.facts import facts_of
from gateway.engine.parameters import leaves_of
from gateway.terms import Action, Candidate, LinkLevel, Principal, PrincipalKind, Question, Resource

_PRINCIPAL_TYPES = {
    PrincipalKind.PERSON: "Hoopweb::Person",
    PrincipalKind.SERVICE_ACCOUNT: "Hoopweb::ServiceAccount",
    PrincipalKind.SYSTEM: "Hoopweb::System",
}
# So that rules can say `context.link.rank >= 3`.
LINK_RANKS = {LinkLevel.BOUND: 4, LinkLevel.CONVERSATION: 3, LinkLevel.DECLARED: 2, LinkLevel.PERSON: 1}
_INPUT = {"type": "Hoopweb::Input", "id": "input"}


Uid = dict[str, str]


def _text(value: Any) -> str:
    """JSON for Cedar; raises ValueError for a lone surrogate or a number past 64 bits, as Cedar's own reader would."""
    try:
        return msgspec.json.encode(value).decode()
    except OverflowError as error:
        raise ValueError("a number past 64 bits") from error


def principal_uid(principal: Principal) -> Uid:
    return {"type": _PRINCIPAL_TYPES[principal.kind], "id": str(principal.id)}


def action_uid(action: str) -> Uid:
    return {"type": "Action", "id": action}


def resource_uid(resource: Resource) -> Uid:
    return {"type": "Hoopweb::Resource", "id": resource.arn}


def action_groups(action: Action, *, is_modelled: bool) -> tuple[str, ...]:
    """The groups an action stands in: its class, its service, and the unmodelled class where that applies."""
    groups = (catalogue.class_group(action.access), catalogue.service_group(action.name.partition(":")[0]))
    return groups if is_modelled else (*groups, catalogue.UNMODELLED)


def entities_json(
    principal: Principal, *, actions: Iterable[Action], resources: Iterable[Resource], is_modelled: bool
) -> str:
    """The entities of one batch. Ids travel as JSON values, never as Cedar source: no name can break out."""
    return _text(
        [
            _principal(principal),
            *(_action(action, is_modelled=is_modelled) for action in actions),
            *(_resource(resource) for resource in resources),
        ]
    )


def input_json(candidate: Candidate) -> str:
    """The call's scalar parameters as the `context.input` entity; raises TooManyParameters."""
    tags = {path: text for path, _, text in leaves_of(candidate.parameters)}
    return _text([{"uid": _INPUT, "attrs": {}, "parents": [], "tags": tags}])


def _principal(principal: Principal) -> dict[str, Any]:
    return {
        "uid": principal_uid(principal),
        "attrs": {"label": principal.label},
        "parents": [{"type": "Hoopweb::Group", "id": group} for group in principal.groups],
    }


def _action(action: Action, *, is_modelled: bool) -> dict[str, Any]:
    groups = action_groups(action, is_modelled=is_modelled)
    return {"uid": action_uid(action.name), "attrs": {}, "parents": [action_uid(group) for group in groups]}


def _resource(resource: Resource) -> dict[str, Any]:
    attributes = {
        "arn": resource.arn,
        "service": resource.service,
        "account": resource.account,
        "region": resource.region,
    }
    return {"uid": resource_uid(resource), "attrs": attributes, "parents": []}


def context_json(question: Question, candidate: Candidate, *, reads: frozenset[str] | None) -> str:
    """The closed context of one candidate, less what no rule at hand reads (`reads` None: all of it).

    Cedar takes some 5 us per attribute, which is most of a decision's time. Raises TooManyParameters when
    parameters are read and past the bounds.
    """
    wanted = _ATTRIBUTES if reads is None else _ATTRIBUTES.keys() & reads
    values = ((name, _ATTRIBUTES[name](question, candidate)) for name in wanted)
    return _text({name: value for name, value in values if value is not None})


def _session(question: Question) -> dict[str, Any]:
    counters = question.session
    return {
        "calls": counters.calls,
        "distinct_resources": counters.distinct_resources,
        "bytes_out": counters.bytes_out,
        "deletes": counters.deletes,
        "secrets_masked": counters.secrets_masked,
        "taint": list(counters.taint),
    }


def _connection(question: Question) -> dict[str, str]:
    return {
        "id": str(question.connection_id),
        "label": question.connection_label,
        "account": question.account,
        "region": question.region,
    }


def _agent(principal: Principal) -> dict[str, str] | None:
    if principal.agent_id is None:
        return None
    return {"id": str(principal.agent_id), "label": principal.agent_label or ""}


def _on_behalf_of(principal: Principal) -> dict[str, str] | None:
    """Whom an agent acts for; None where nobody acts for another."""
    if principal.agent_id is None or principal.kind is not PrincipalKind.PERSON:
        return None
    return {"id": str(principal.id), "label": principal.label}


def _source_ip(address: str) -> dict[str, Any] | None:
    """The address as Cedar's ipaddr; None when it is none, so that a rule has to say what follows from that."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(parsed, "ipv4_mapped", None)
    return {"__extn": {"fn": "ip", "arg": str(mapped or parsed)}}


def _parameters(candidate: Candidate) -> list[str]:
    return [f"{general}={text}" for _, general, text in leaves_of(candidate.parameters)]


def _sql(candidate: Candidate) -> dict[str, Any] | None:
    """The SQL statements of a call as sets; None for a call that carries none, so that rules say `context has sql`."""
    if not candidate.statements:
        return None
    return {
        "kinds": sorted({str(each.kind) for each in candidate.statements}),
        "tables": sorted({table for each in candidate.statements for table in each.tables}),
        "count": len(candidate.statements),
        "destroys": any(each.destroys for each in candidate.statements),
    }


# The closed list. What comes back as None is absent: only `agent`, `on_behalf_of`, `source_ip` and `sql` may be.
_ATTRIBUTES: Mapping[str, Callable[[Question, Candidate], Any]] = {
    "access": lambda _, call: str(call.access),
    "operation": lambda _, call: f"{call.operation.service}:{call.operation.name}",
    "service": lambda _, call: call.operation.service,
    "modelled": lambda _, call: call.operation.is_modelled,
    "delegated": lambda _, call: call.is_delegated,
    "effective": lambda _, call: [action.name for action in call.effective],
    "parameters": lambda _, call: _parameters(call),
    "input": lambda _, call: {"__entity": _INPUT},
    "facts": lambda asked, call: asdict(facts_of(call, account=asked.account)),
    "sql": lambda _, call: _sql(call),
    "unknown_members": lambda _, call: list(call.unknown_members),
    "link": lambda asked, _: {"level": str(asked.link), "rank": LINK_RANKS[asked.link]},
    "agent": lambda asked, _: _agent(asked.principal),
    "on_behalf_of": lambda asked, _: _on_behalf_of(asked.principal),
    "person": lambda asked, _: {"id": str(asked.principal.id), "label": asked.principal.label},
    "groups": lambda asked, _: list(asked.principal.groups),
    "turn": lambda asked, _: "machine" if asked.is_machine_turn else "human",
    "connection": lambda asked, _: _connection(asked),
    "source": lambda asked, _: asked.source_address,
    "source_ip": lambda asked, _: _source_ip(asked.source_address),
    "hour": lambda asked, _: asked.hour_utc,
    "session": lambda asked, _: _session(asked),
}
CONTEXT_ATTRIBUTES = frozenset(_ATTRIBUTES)
