"""Secrets that are named on another line or level than they stand: manifests, state files, XML pairs, SQL statements.

Names beside their values are `assignments`' work; which names and values count is `plausible`'s judgement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import re2

from gateway.masking.assignments import kind_of_name
from gateway.masking.catalogue import ByteSpan
from gateway.masking.plausible import is_placeholder, is_plausible, name_strength
from gateway.masking.triggers import Detector

_WORDS = r"pass|pwd|secret|token|key|cred|auth|pin|cvv|salt|cookie|signature|connectionstring|dsn|mnemonic|psk"
_NAME = rf"[\w.-]{{0,80}}(?:{_WORDS})[\w.-]{{0,40}}"
# Group 1 names the value, group 2 is it.
_PAIRS = tuple(
    re2.compile("(?i)" + pattern)
    for pattern in (
        # - name: DB_PASSWORD
        #   value: ...
        r"\b(?:name|key):[ \t]*[\"']?([\w.-]{1,100})[\"']?[ \t]*\r?\n[ \t-]*value:[ \t]*[\"']?([^\s\"'{|>][^\"'\n]*)",
        # "db_password": {"type": "string", "value": "..."}; variable "db_password" { default = "..." }
        rf"({_NAME})\\?[\"']?\s*[:=]?\s*\{{[^{{}}]{{0,300}}?\b(?:value|default|s|plaintext|stringvalue)\\?[\"']?\s*[:=]\s*\\?[\"']([^\"'\n\\]+)\\?[\"']",
        # <property name="db.password">...</property>
        rf"<[a-z:]{{1,30}}\s[^<>]{{0,120}}?(?:name|key|id)=[\"']({_NAME})[\"'][^<>]{{0,80}}>\s*([^<>]+?)\s*</",
        # <Password><Value>...</Value>; <key>Password</key><string>...</string>; <name>..</name><value>..</value>
        rf"<({_NAME})>\s*<(?:value|string|plaintext)>\s*([^<>]+?)\s*</",
        rf"<(?:key|name)>\s*({_NAME})\s*</(?:key|name)>\s*<(?:string|value)>\s*([^<>]+?)\s*</",
        # ENV DB_PASSWORD ...; #define WIFI_PASSWORD "..."
        rf"(?m)^[ \t]*(?:env|arg|#define|setx?|setenv)[ \t]+({_NAME})[ \t]+[\"']?([^\s\"'=][^\s\"']*)",
    )
)
# What a setting is where the environment has none: the variable names it, or what it is given to.
_DEFAULTS = tuple(
    re2.compile("(?i)" + pattern)
    for pattern in (
        r"(?:env|getenv|get|fetch|config|setting|param)\(\s*[\"']([\w.-]{1,80})[\"']\s*,\s*(?:default\s*=\s*)?[\"']([^\"'\n]{4,256})[\"']",
        rf"({_NAME})\s*(?:=>|:=|=|:)\s*[\w.]{{0,40}}(?:env|fetch|config|get)\w{{0,8}}\(\s*[\"'][\w.-]{{1,80}}[\"']\s*,\s*(?:default\s*=\s*)?[\"']([^\"'\n]{{4,256}})[\"']",
        r"\benv(?:\.|\[[\"'])([\w]{1,80})(?:[\"']\])?\s*(?:\|\||\?\?|\bor\b)\s*[\"'`]([^\"'`\n]{4,256})[\"'`]",
    )
)
# `${DB_PASSWORD:-...}` of shells and `${DB_PASSWORD:...}` of Spring.
_FALLBACK = re2.compile(r"\$\{([\w.-]{1,80}?):?[-=:]([^}\s\"'${?+=-][^}\s\"'${]{3,256})\}")
_DEFAULT_TRIGGER = r"(?:env|fetch|config|get|setting|param)\w{0,8}\(\s{0,3}[\"'][\w.-]{1,80}[\"']\s{0,3},|\benv[.\[][^\n|?]{1,90}(?:\|\||\?\?|\bor\b)|\$\{[\w.-]{1,80}:?[-=:]"
# Short: what stands before a value's own name or tag is looked for around it, not on the way to it.
_PAIR_TRIGGER = (
    r"(?:value|default|plaintext|\"s)\\?[\"'] ?[:=]|(?:value|default) {0,8}[:=]|(?:name|key|id)=[\"'][\w.-]{1,120}[\"'][^<>\"']{0,16}>"
    r"|<(?:value|string|plaintext)>|\b(?:env|arg|setx?|setenv)[ \t]|#define[ \t]"
)
# Where SQL says that a literal is a password; elsewhere only one no ordinary word looks like.
_SQL = re2.compile(
    r"(?i)(?:identified\s+(?:with\s+\S+\s+)?by(?:\s+password)?|(?:with|encrypted|unencrypted|role|user|login|set|=)\s+password|password\()"
    r"\s*=?\s*N?'((?:[^'\\\n]|''|\\.)+)'"
)
_QUOTED = re2.compile(r"(?i)(?:password|passwd|passphrase|passcode)\s?[(,]?\s?[\"'`]([^\s\"'`<>]{6,})[\"'`]")
_COMMUNITY = re2.compile(
    r"(?i)snmp-server\s+community\s+(\S{4,})|\b(?:password|secret|key)\s+\d\s+([0-9A-Za-z$./+=]{8,})"
)
_LITERAL_TRIGGER = r"(?:identified\s[^;\n']{0,60}by|password|passwd|passphrase|passcode)[^;\n'\"`]{0,24}n?[\"'`]|snmp-server\s{1,3}community\s|(?:password|secret|key)\s\d\s"
# What Terraform drew at random and keeps in its state.
_DRAWN = re2.compile(
    r"\"type\":\s*\"random_(?:password|string)\"[^\[]{0,300}\[[^\]]{0,600}?\"(?:result|bcrypt_hash)\":\s*\"([^\"\n]{4,})\""
)
_ORDINARY = re.compile(r"[A-Za-z]+")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _pairs(data: bytes, start: int, end: int) -> Iterator[ByteSpan]:
    for pattern in _PAIRS:
        for match in pattern.finditer(data, start, end):
            name, value = _text(match.group(1)), _text(match.group(2))
            if is_plausible(value, name_strength(name), is_quoted=True):
                begin, stop = match.span(2)
                yield ByteSpan(begin, stop, kind_of_name(name), "named-apart")


def _defaults(data: bytes, start: int, end: int) -> Iterator[ByteSpan]:
    for pattern in (*_DEFAULTS, _FALLBACK):
        for match in pattern.finditer(data, start, end):
            name, value = _text(match.group(1)), _text(match.group(2))
            if is_plausible(value, name_strength(name), is_quoted=pattern is not _FALLBACK):
                begin, stop = match.span(2)
                yield ByteSpan(begin, stop, kind_of_name(name), "default-secret")


def _literals(data: bytes, start: int, end: int) -> Iterator[ByteSpan]:
    for match in _SQL.finditer(data, start, end):
        if len(match.group(1)) >= 4 and not is_placeholder(_text(match.group(1))):
            begin, stop = match.span(1)
            yield ByteSpan(begin, stop, "password", "sql-password")
    for pattern in (_QUOTED, _COMMUNITY):
        for match in pattern.finditer(data, start, end):
            group = match.lastindex or 0
            value = _text(match.group(group))
            is_word = pattern is _QUOTED and re.search(r"[\d!@#$%^&*]", value) is None
            if not is_word and not is_placeholder(value) and (group == 1 or _ORDINARY.fullmatch(value) is None):
                begin, stop = match.span(group)
                yield ByteSpan(begin, stop, "password", "quoted-password")


# Kubernetes: whatever a Secret holds is secret, whatever its names say. So much of it is read around its kind.
_REACH = 3 * 1024
_KIND = re2.compile(r"(?m)^[ \t-]*\\?[\"']?kind\\?[\"']?:\s*[\"']?Secret[\"']?\s*,?\s*$|\"kind\":\s*\"Secret\"")
_BLOCK = re.compile(rb"(?m)^([ \t]*)(?:data|stringData):[ \t]*\r?\n((?:\1[ \t]+\S.*(?:\r?\n|\Z)|[ \t]*\r?\n)+)")
_LINE = re.compile(
    rb"(?m)^[ \t]+[\"']?[\w./-]{1,253}[\"']?:[ \t]*(?:[|>][+-]?\d?[ \t]*\r?\n)?[\"']?([^\s\"'|>][^\n\"']*)"
)
_OBJECT = re.compile(rb"\"(?:data|stringData)\"\s*:\s*\{([^{}]*)\}")
_MEMBER = re.compile(rb"\"[^\"]{1,253}\"\s*:\s*\"([^\"]+)\"")
_NEXT_DOCUMENT = re.compile(rb"(?m)^---")


def _kubernetes(data: bytes, start: int, end: int) -> Iterator[ByteSpan]:
    for kind in _KIND.finditer(data, start, end):
        first, last = max(start, kind.start() - _REACH), min(end, kind.end() + _REACH)
        for parted in _NEXT_DOCUMENT.finditer(data, first, last):
            if parted.end() <= kind.start():
                first = parted.end()
            elif parted.start() >= kind.end():
                last = parted.start()
                break
        for blocks, members in ((_BLOCK, _LINE), (_OBJECT, _MEMBER)):
            for block in blocks.finditer(data, first, last):
                yield from _held(members, data, *block.span(block.lastindex or 0))


def _held(members: re.Pattern[bytes], data: bytes, start: int, end: int) -> Iterator[ByteSpan]:
    for member in members.finditer(data, start, end):
        if not is_placeholder(_text(member[1])):
            begin, stop = member.span(1)
            yield ByteSpan(begin, begin + len(data[begin:stop].rstrip()), "secret", "kubernetes-secret")


def _drawn(data: bytes, start: int, end: int) -> Iterator[ByteSpan]:
    for match in _DRAWN.finditer(data, start, end):
        begin, stop = match.span(1)
        yield ByteSpan(begin, stop, "password", "drawn-password")


DETECTORS = (
    Detector(trigger=r"\"random_(?:password|string)\"", behind=32, ahead=1024, find=_drawn, is_exact=True),
    Detector(trigger=_PAIR_TRIGGER, behind=448, ahead=640, find=_pairs),
    Detector(trigger=_DEFAULT_TRIGGER, behind=200, ahead=300, find=_defaults),
    Detector(trigger=_LITERAL_TRIGGER, behind=160, ahead=512, find=_literals),
    Detector(
        trigger=r"\bkind\\?[\"']?:\s{0,3}\\?[\"']?Secret\b",
        behind=_REACH,
        ahead=_REACH,
        find=_kubernetes,
        is_exact=True,
    ),
)
