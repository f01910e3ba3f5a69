"""Policy text -> a compiled revision: two Cedar sets, base and ask, and what is known of each rule.

Evaluating it is `gateway.engine.decide`; storing and publishing it is the policy room's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import cedarpy
import msgspec

from gateway.engine import rules as parser
from gateway.engine import schema
from gateway.engine.annotations import RuleKind
from gateway.engine.problems import Fault, FaultCode, PolicyRejected
from gateway.engine.rules import ParsedRule, Rule

# Each holds parsed rules for one set of actions; a tenant's agents use far fewer kinds of call than this.
MOST_SELECTIONS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Parsed rules that can match some actions. `ask` is None when no ask rule can.

    `reads` are the context attributes these rules can see; None means the whole.
    """

    base: cedarpy.PolicySet
    ask: cedarpy.PolicySet | None
    reads: frozenset[str] | None


@dataclass(frozen=True, kw_only=True)
class CompiledRevision:
    """A revision ready to decide. `base` and `ask` are Cedar JSON whose policy ids are the rules' ids.

    Equal text and revision compile to equal values; `dumps`/`loads` carry one through a cache.
    """

    revision: str
    rules: tuple[Rule, ...]
    base: str
    ask: str

    @cached_property
    def by_id(self) -> Mapping[str, Rule]:
        return {rule.id: rule for rule in self.rules}

    @cached_property
    def order(self) -> Mapping[str, int]:
        """Each rule's place in the text: answers list rules in it, whatever order they were found in."""
        return {rule.id: place for place, rule in enumerate(self.rules)}

    @cached_property
    def select(self) -> Callable[[frozenset[str]], Selection]:
        """The rules that can match actions standing under these action ids (names and groups), parsed and cached.

        Left out are only rules whose head names other actions: Cedar tries the head first, so such a rule neither
        matches nor errs, and the answer is the same as over the whole set, in a fraction of the time.
        """
        cached = lru_cache(maxsize=MOST_SELECTIONS)(self._selection)
        named = self._named
        return lambda action_ids: cached(action_ids & named)

    @cached_property
    def _named(self) -> frozenset[str]:
        return frozenset(name for rule in self.rules for name in rule.scope or ())

    @cached_property
    def _policies(self) -> Mapping[str, dict[str, Any]]:
        return {**json.loads(self.base)["staticPolicies"], **json.loads(self.ask)["staticPolicies"]}

    def _selection(self, named: frozenset[str]) -> Selection:
        matching = [rule for rule in self.rules if rule.scope is None or not named.isdisjoint(rule.scope)]
        asks = [rule for rule in matching if rule.kind is RuleKind.ASK]
        return Selection(
            base=self._loaded(rule for rule in matching if rule.kind is not RuleKind.ASK),
            ask=self._loaded(asks) if asks else None,
            reads=_read_by(matching),
        )

    def _loaded(self, rules: Iterable[Rule]) -> cedarpy.PolicySet:
        return cedarpy.PolicySet.from_json_str(_document({rule.id: self._policies[rule.id] for rule in rules}))

    def dumps(self) -> bytes:
        """The revision as JSON bytes; the parsed handles are made anew by the reader."""
        return msgspec.json.encode({"revision": self.revision, "rules": self.rules, "base": self.base, "ask": self.ask})

    @classmethod
    def loads(cls, data: bytes) -> CompiledRevision:
        """Read `dumps`; raises msgspec.ValidationError or DecodeError when it is not one."""
        return msgspec.json.decode(data, type=CompiledRevision)

    def __getstate__(self) -> dict[str, Any]:
        # Parsed Cedar handles cannot be pickled and need not be.
        return {name: self.__dict__[name] for name in ("revision", "rules", "base", "ask")}


def _read_by(rules: Iterable[Rule]) -> frozenset[str] | None:
    reads = [rule.reads for rule in rules]
    return None if None in reads else frozenset(name for names in reads for name in names or ())


def compile_revision(text: str, *, revision: str, mask_types: Iterable[str] | None = None) -> CompiledRevision:
    """Compile a policy text strictly; raises PolicyRejected with every fault found.

    `mask_types`, where given, is the closed list that @mask and @clear may name.
    """
    parsed = parser.parse(text)
    faults = schema.faults_of(parsed)
    if mask_types is not None:
        faults += _mask_faults(parsed, frozenset(mask_types))
    if faults:
        raise PolicyRejected(faults)
    compiled = CompiledRevision(
        revision=revision,
        rules=tuple(each.rule for each in parsed),
        base=_cedar_set(each for each in parsed if each.rule.kind is not RuleKind.ASK),
        ask=_cedar_set(each for each in parsed if each.rule.kind is RuleKind.ASK),
    )
    _prove_loadable(compiled, parsed)
    return compiled


def _mask_faults(parsed: Iterable[ParsedRule], known: frozenset[str]) -> list[Fault]:
    return [
        each.statement.fault(FaultCode.ANNOTATION, f"there is no mask type {name!r}", rule_id=each.rule.id)
        for each in parsed
        for name in (*each.rule.masks, *each.rule.clear)
        if name not in known
    ]


def _cedar_set(parsed: Iterable[ParsedRule]) -> str:
    # An ask is a forbid turned permit: in a set of its own, "matched" then reads as Allow with every match named.
    policies = {
        each.rule.id: each.cedar | ({"effect": "permit"} if each.rule.kind is RuleKind.ASK else {}) for each in parsed
    }
    return _document(policies)


def _document(policies: Mapping[str, dict[str, Any]]) -> str:
    return json.dumps({"staticPolicies": policies, "templates": {}, "templateLinks": []})


def _prove_loadable(compiled: CompiledRevision, parsed: tuple[ParsedRule, ...]) -> None:
    """Load both sets now: what cannot be loaded must fail at publish, not at the first call."""
    try:
        count = sum(len(cedarpy.PolicySet.from_json_str(text)) for text in (compiled.base, compiled.ask))
    except ValueError:
        raise PolicyRejected(_unloadable(parsed)) from None
    if count != len(parsed):
        raise PolicyRejected(
            [Fault(code=FaultCode.SYNTAX, message="Cedar loaded another number of rules than written")]
        )


def _unloadable(parsed: Iterable[ParsedRule]) -> list[Fault]:
    faults: list[Fault] = []
    for each in parsed:
        try:
            cedarpy.PolicySet.from_json_str(_cedar_set([each]))
        except ValueError:
            message = "the rule is too deep: use sets (`[a, b].contains(x)`) instead of long chains, or split it"
            faults.append(each.statement.fault(FaultCode.LIMIT, message, rule_id=each.rule.id))
    return faults or [Fault(code=FaultCode.LIMIT, message="the rules cannot be loaded together")]
