"""Secrets that words announce: passwords in other languages than English, a line's directive and its value, words in a row.

Names of members and variables are `plausible`'s, English sentences `rules`', command lines `commands`' work.
"""

from __future__ import annotations

import re

import re2

from gateway.masking import languages
from gateway.masking.catalogue import ByteSpan
from gateway.masking.plausible import Strength, is_jumbled, is_placeholder, is_plausible, name_strength
from gateway.masking.rules import Rule, rule
from gateway.masking.triggers import Detector

# As the languages say "is" between the word and the password.
_IS = r"lautet|ist|es|est|é|je|jest|to|är|er|on|dir|is|это|есть|είναι|は|是|는|은|为|為|就是|هي|הוא|คือ|là|adalah"
# The wide forms too, as they are typed in Asia.
_SIGNS = ":=\uff1a\uff1d"
_COLON = rf"[{_SIGNS}]|[-=]>"
_SPECIAL = re.compile(r"[\d!@#$%^&*]")


def _value(match: re2._Match[bytes]) -> str:
    value: str = match.group(match.lastindex or 0).decode("utf-8", "replace")
    return value.rstrip(".,;:!?")


def _is_announced(match: re2._Match[bytes], data: bytes) -> bool:
    """Quoted, whatever a password may be; bare, only what no ordinary word looks like."""
    value, is_quoted = _value(match), match.lastindex == 2
    # `passwortLabel`, and letters that follow in languages that put no space between words.
    if name_strength(match.group(1).decode("utf-8", "replace")) is not Strength.STRONG:
        return False
    if is_quoted:
        return is_plausible(value, Strength.STRONG, is_quoted=True)
    return is_jumbled(value) or (len(value) >= 6 and _SPECIAL.search(value) is not None and not is_placeholder(value))


def _is_given(match: re2._Match[bytes], data: bytes) -> bool:
    value = _value(match)
    return len(value) >= 6 and _SPECIAL.search(value) is not None and not is_placeholder(value)


def _is_mixed(match: re2._Match[bytes], data: bytes) -> bool:
    """Behind a word that prose has too: letters of both cases and digits, or signs no name has."""
    value = _value(match)
    kinds = (re.search(kind, value) is not None for kind in (r"[a-z]", r"[A-Z]", r"\d", r"[!@#$%^&*+?=]"))
    return len(value) >= 8 and sum(kinds) >= 3 and not is_placeholder(value)


# Where one stands, a sentence speaks of passphrases and gives none.
_FUNCTION_WORDS = frozenset({
    "the", "your", "our", "his", "her", "its", "their", "you", "and", "not", "for", "with", "from", "that", "this",
    "these", "those", "must", "should", "will", "would", "can", "could", "may", "have", "has", "had", "was",
    "were", "are", "been", "being", "when", "where", "which", "what", "who", "how", "why", "than", "then", "too",
    "very", "only", "also", "into", "onto", "upon", "over", "under", "about", "before", "after", "use", "used",
    "uses", "using", "please", "enter", "type", "choose", "set", "one", "two", "least", "words", "word",
    "characters", "key", "keys", "file", "private", "protected", "required", "empty", "passphrase", "passphrases",
    "password", "passwords", "mnemonic", "seed", "phrase", "recovery", "stored", "kept", "lost",
})  # fmt: skip
_LEAST_MNEMONIC = 12


def _is_row_of_words(match: re2._Match[bytes], data: bytes) -> bool:
    words = re.split(r"[ _-]", _value(match).lower())
    return len(words) >= _LEAST_MNEMONIC or _FUNCTION_WORDS.isdisjoint(words)


RULES: tuple[Rule, ...] = (
    rule(
        "worded-password",
        "password",
        languages.TRIGGER,
        rf"(?i)((?:{languages.PATTERN})\pL{{0,12}})[\"'`»”]?(?:\s{{1,3}}[^\s{_SIGNS}]{{1,20}}){{0,3}}?(?:\s{{0,3}}(?:{_COLON})|\s{{0,3}}(?:{_IS})(?:\s{{0,3}}(?:{_COLON}))?)\s{{0,3}}"
        r"(?:[\"'`«“「]([^\"'`»”」\n]{4,256})[\"'`»”」]|([!#-&(-;=?-_a-~]{6,256}))",
        _is_announced,
        behind=96,
        ahead=400,
    ),
    rule(
        "password-element",
        "password",
        rf"(?:{languages.TRIGGER})[^\s<>]{{0,20}}>[^<>]{{4}}",
        rf"(?i)<(\w{{0,20}}(?:{languages.PATTERN})\pL{{0,20}})>\s{{0,8}}([^<>\n]{{4,256}}?)\s{{0,8}}</",
        _is_announced,
        behind=64,
        ahead=400,
    ),
    rule(
        # Settings without a sign between: Redis, pools, proxies, LDAP, Elasticsearch's keystore.
        "directive",
        "password",
        r"^[ \t]{0,16}(?:requirepass|masterauth|primaryauth|sentinel\s{1,3}auth-pass|bind-?p(?:assword|w)|olcrootpw|rootpw|auth[-_]pass)\s",
        r"(?im)^[ \t]{0,16}(?:requirepass|masterauth|primaryauth|sentinel[ \t]{1,3}auth-pass[ \t]{1,3}[\w.-]{1,64}|bind-?p(?:assword|w)|olcrootpw|rootpw|auth[-_]pass)"
        r"[ \t]{1,8}[\"']?([^\s\"'{}<>]{6,256})[\"']?[ \t]*;?\r?$",
        _is_given,
        behind=120,
        ahead=300,
    ),
    rule(
        "directive",
        "password",
        r"(?:password|passwd|passphrase)[ \t]{1,8}[\"']?[^\s\"']{8}",
        r"(?im)^[ \t]{0,16}[\w.-]{0,64}(?:password|passwd|passphrase)[ \t]{1,8}[\"']?([^\s\"'{}<>]{8,256})[\"']?[ \t]*;?\r?$",
        _is_mixed,
        behind=120,
        ahead=300,
    ),
    rule(
        "passphrase",
        "password",
        r"(?:passphrase|pass phrase|mnemonic|seed(?:[ _-]?(?:phrase|words?))|recovery[ _-]?(?:phrase|words?))[\"']?(?: is)?\s{0,3}[:=]",
        r"(?i)(?:passphrase|pass phrase|mnemonic|seed[ _-]?(?:phrase|words?)|recovery[ _-]?(?:phrase|words?))[\"']?(?: is)?\s{0,3}[:=]\s{0,3}[\"'`]?"
        r"((?:[a-z]{3,10}[ _-]){3,23}[a-z]{3,10})(?:[\"'`.,;)]|\s*$|\s*\n)",
        _is_row_of_words,
        behind=48,
        ahead=400,
    ),
)
DETECTORS: tuple[Detector[ByteSpan], ...] = tuple(each.detector for each in RULES)
