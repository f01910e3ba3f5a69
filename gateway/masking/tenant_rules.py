"""A tenant's own rules: compiled and judged as they are made, found beside the built-in ones. Pure.

Which rules a tenant has, and since when, is `gateway.policy.detectors`'; they travel whole, as bytes, in mask plans.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

import msgspec
import re2

from gateway.masking import checksums
from gateway.masking.catalogue import ByteSpan, ScannerFailed
from gateway.masking.patterns import RuleRefused, compiled

# How far before a value a keyword may stand; with the longest value well inside what a stream keeps for context.
KEYWORD_REACH = 128
MOST_RULES = 50
# All of a tenant's rules go with each of its calls.
LARGEST_SET = 16 * 1024
NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
LONGEST_NAME = 32
MOST_KEYWORDS, LONGEST_KEYWORD = 20, 40
# What a rule may not call itself: names of built-in types, and endings that mean how a value is written.
_ENDINGS = ("-token", "-last4", "-decoy")

# Types of the catalogue's and of modelled members, and words that masking uses in rules and streams.
_MEANT_OTHERWISE = frozenset(
    (
        "access-key",
        "api-key",
        "aws-access-key",
        "aws-secret-key",
        "aws-session-token",
        "base64",
        "bearer-token",
        "body",
        "connection-string",
        "credential",
        "decoys",
        "jwt",
        "key",
        "mask-tokens",
        "password",
        "private-key",
        "signed-url",
        "token",
        "url",
        "webhook-url",
    )
)


class Checksum(StrEnum):
    """What a value's digits must satisfy beside the pattern."""

    NONE = "none"
    LUHN = "luhn"
    MOD_97 = "mod-97"
    VERHOEFF = "verhoeff"


_PASSES: Mapping[Checksum, Callable[[str], bool]] = MappingProxyType(
    {Checksum.LUHN: checksums.luhn, Checksum.MOD_97: checksums.mod_97, Checksum.VERHOEFF: checksums.verhoeff}
)


class TenantRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of one detector. `name` is also the type in `[REDACTED:name]`; without keywords any text will do."""

    name: str
    version: int
    pattern: str
    keywords: tuple[str, ...] = ()
    checksum: Checksum = Checksum.NONE

    @property
    def rule(self) -> str:
        """How masking records cite it."""
        return f"tenant:{self.name}@{self.version}"


class CompiledRule:
    """One rule, ready to search. Raises RuleRefused where it may not be one."""

    def __init__(self, rule: TenantRule) -> None:
        check_name(rule.name)
        _check_keywords(rule.keywords)
        self.rule = rule
        self._pattern = compiled(rule.pattern)
        words = [re2.escape(word).encode() for word in rule.keywords]
        self._words = re2.compile(b"(?i)(?:" + b"|".join(words) + b")") if words else None
        self._passes = _PASSES.get(rule.checksum)
        self._cited = rule.rule

    def spans(self, data: bytes) -> Iterator[ByteSpan]:
        """Where its values stand in UTF-8 text: the first group where the pattern has one, else the whole match."""
        if self._words is not None and self._words.search(data) is None:
            return
        group = 1 if self._pattern.groups else 0
        place = 0
        while (match := self._pattern.search(data, place)) is not None:
            start, end = match.span(group)
            if start < end and self._is_meant(data, match.start(), data[start:end]):
                yield ByteSpan(start, end, self.rule.name, self._cited)
                place = match.end()
            else:
                # What is no value may begin amid what only looked like one.
                place = match.start() + 1

    def _is_meant(self, data: bytes, start: int, value: bytes) -> bool:
        if self._passes is not None and not self._passes(value.decode("utf-8", "replace")):
            return False
        return self._words is None or self._words.search(data, max(0, start - KEYWORD_REACH), start) is not None


class TenantRules:
    """All of a tenant's rules: one pass tells whether any could match, and halves of them which. Threads may share it."""

    def __init__(self, rules: Sequence[TenantRule]) -> None:
        if len(rules) > MOST_RULES:
            raise RuleRefused(f"A tenant has at most {MOST_RULES} detectors that are live.")
        self.rules = tuple(CompiledRule(rule) for rule in rules)
        self._all = _Some(self.rules) if rules else None

    def spans(self, data: bytes) -> list[ByteSpan]:
        """What the rules find in UTF-8 text, rule by rule."""
        return self._all.spans(data) if self._all is not None else []


class _Some:
    """Some of a tenant's rules behind one pattern of all of theirs: a hit is followed by halves, not by each rule."""

    def __init__(self, rules: Sequence[CompiledRule]) -> None:
        self._rule = rules[0] if len(rules) == 1 else None
        middle = len(rules) // 2
        self._halves = () if self._rule is not None else (_Some(rules[:middle]), _Some(rules[middle:]))
        either = b"|".join(b"(?:" + one.rule.pattern.encode() + b")" for one in rules)
        try:
            self._any: re2._Regexp[bytes] | None = re2.compile(either, _options())
        except re2.error:
            # Patterns whose group names meet: their halves are looked for.
            self._any = None

    def spans(self, data: bytes) -> list[ByteSpan]:
        if self._any is not None and self._any.search(data) is None:
            return []
        if self._rule is not None:
            return list(self._rule.spans(data))
        return [span for half in self._halves for span in half.spans(data)]


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = 16 * 1024 * 1024
    return options


def check_name(name: str) -> None:
    """Raises RuleRefused for a name that could not stand in a token, or means something else there."""
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise RuleRefused(
            f"A name is of small letters, digits and single dashes, begins with a letter, and has at most "
            f"{LONGEST_NAME} characters: it is what `[REDACTED:name]` shows."
        )
    if name in built_in_kinds() or name.endswith(_ENDINGS):
        raise RuleRefused(f"`{name}` already means something in masking: choose another name.")


@lru_cache(maxsize=1)
def built_in_kinds() -> frozenset[str]:
    """The types that masking itself writes, and the words that stand for them in rules."""
    from gateway.masking.people import PERSON
    from gateway.masking.personal import PRIVATE_KINDS
    from gateway.masking.rules import RULES
    from gateway.wire.contract import SensitivityClass

    classes = frozenset(one.value for one in SensitivityClass)
    return PRIVATE_KINDS | {PERSON} | classes | {rule.kind for rule in RULES} | _MEANT_OTHERWISE


def _check_keywords(words: Sequence[str]) -> None:
    if len(words) > MOST_KEYWORDS or any(not 2 <= len(word) <= LONGEST_KEYWORD for word in words):
        raise RuleRefused(f"At most {MOST_KEYWORDS} keywords, each of 2 to {LONGEST_KEYWORD} characters.")


def packed(rules: Sequence[TenantRule]) -> bytes:
    """The rules as mask plans carry them, the same bytes for the same rules; empty for none. Raises RuleRefused."""
    if not rules:
        return b""
    data = msgspec.msgpack.encode(sorted(rules, key=lambda rule: rule.name))
    if len(data) > LARGEST_SET:
        raise RuleRefused(f"All live detectors together are larger than {LARGEST_SET} bytes: they go with every call.")
    return data


@lru_cache(maxsize=32)
def unpacked(data: bytes) -> TenantRules:
    """Compiled rules from a mask plan; raises ScannerFailed, so that nothing passes for scanned."""
    try:
        return TenantRules(msgspec.msgpack.decode(data, type=tuple[TenantRule, ...]))
    except (msgspec.DecodeError, RuleRefused, re2.error) as error:
        raise ScannerFailed("the tenant's rules did not load") from error
