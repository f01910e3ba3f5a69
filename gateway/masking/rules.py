"""Our own text rules: connection strings, headers, hashes, keys and tokens by shape.

Vendor formats come from `catalogue` and `vendors`, command lines from `commands`; whether a captured value could be a secret is `plausible`'s judgement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import re2

from gateway.masking.catalogue import ByteSpan
from gateway.masking.plausible import (
    Strength,
    entropy,
    has_filler,
    is_benign,
    is_identifier,
    is_placeholder,
    is_plausible,
    name_strength,
)
from gateway.masking.triggers import Detector

# Google's RE2 throughout: linear time whatever the text, and bytes in, so offsets agree with the catalogue's.
# `Check` judges one match: (match, text) -> whether its value is a secret.
Check = Callable[["re2._Match[bytes]", bytes], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One shape, looked for near its trigger; the last group that matched holds the secret."""

    name: str
    kind: str
    trigger: str
    pattern: re2._Regexp[bytes]
    check: Check | None = None
    behind: int = 128
    ahead: int = 512
    is_exact: bool = False

    @property
    def detector(self) -> Detector[ByteSpan]:
        """The rule behind its trigger."""
        return Detector(
            trigger=self.trigger, behind=self.behind, ahead=self.ahead, find=self.spans, is_exact=self.is_exact
        )

    def spans(self, data: bytes, start: int, end: int) -> Iterator[ByteSpan]:
        """Where the rule's secrets stand in a window of UTF-8 text. One that reaches the window's end is followed."""
        while start < end:
            match = self.pattern.search(data, start, end)
            if match is None:
                return
            if match.end() == end < len(data):
                start, end = match.start(), min(len(data), match.start() + 2 * (end - match.start()))
                continue
            if self.check is None or self.check(match, data):
                begin, stop = match.span(match.lastindex or 0)
                yield ByteSpan(begin, stop, self.kind, self.name)
            start = max(match.end(), start + 1)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _is_not_placeholder(match: re2._Match[bytes], data: bytes) -> bool:
    return not is_placeholder(_text(match.group(match.lastindex or 0)))


_PORT = re.compile(rb"\d{1,5}[/?#]")


def _is_no_port(match: re2._Match[bytes], data: bytes) -> bool:
    """A password, and not the port before a path in which an `@` stands."""
    return _PORT.match(match.group(1)) is None and _is_not_placeholder(match, data)


def _is_random_enough(match: re2._Match[bytes], data: bytes) -> bool:
    value = _text(match.group(match.lastindex or 0))
    return not is_placeholder(value) and entropy(value) >= 3.0 and any(each.isdigit() for each in value)


def _is_aws_secret(match: re2._Match[bytes], data: bytes) -> bool:
    """Forty base64 characters of high entropy, neither hexadecimal nor a path, with an access key id close by."""
    start, end = match.span(1)
    value = match.group(1)
    near = data[max(0, start - 300) : end + 300]
    is_mixed = re.search(rb"[a-z]", value) and re.search(rb"[A-Z]", value) and re.search(rb"\d", value)
    return bool(is_mixed) and entropy(_text(value)) >= 4.2 and re.search(rb"A[KS]IA[A-Z2-7]{16}", near) is not None


def _is_no_filler(match: re2._Match[bytes], data: bytes) -> bool:
    """A known prefix says enough, but for rows of one letter."""
    value = _text(match.group(1))
    return len(set(value[4:])) > 5 and not has_filler(value)


def _is_random_tail(match: re2._Match[bytes], data: bytes) -> bool:
    """`acme_live_` and then something no one would write as a name."""
    tail = re.split(r"[_-]", _text(match.group(1)))
    longest = max(tail, key=len)
    return any(each.isdigit() for each in longest) and entropy(longest) >= 3.0 and not has_filler(longest)


def _is_real_url(match: re2._Match[bytes], data: bytes) -> bool:
    """The password of the address is none that stands for one."""
    password = _text(match.group(1)).rsplit("@", 1)[0].split("://", 1)[1].partition(":")[2]
    return not is_placeholder(password)


def _is_basic(match: re2._Match[bytes], data: bytes) -> bool:
    return len(match.group(1)) >= 8 and not is_placeholder(_text(match.group(1)))


def _is_adjacent(match: re2._Match[bytes], data: bytes) -> bool:
    """`acme TOKEN 4f0c...` without a sign between: only random values, and no bare digest or UUID after a bare `key`."""
    name, value = _text(match.group(1)), _text(match.group(2)).strip("-.")
    joined = re.sub(r"[^a-z0-9]", "", name.lower())
    strength = max(name_strength(joined), name_strength(joined + "key"))
    if strength is Strength.NONE or is_benign(joined) or is_placeholder(value):
        return False
    is_bare_key = joined.endswith("key") and name_strength(joined) is not Strength.STRONG
    if is_identifier(value):
        return not is_bare_key and len(set(value)) > 6
    return is_plausible(value, Strength.WEAK, is_quoted=True)


def _is_prose_secret(match: re2._Match[bytes], data: bytes) -> bool:
    """In a sentence only a value no ordinary word looks like is taken for a secret."""
    value = _text(match.group(1)).rstrip(".,;:!?")
    return len(value) >= 6 and re.search(r"[\d!@#$%^&*]", value) is not None and not is_placeholder(value)


def rule(
    name: str,
    kind: str,
    trigger: str,
    pattern: str,
    check: Check | None = None,
    *,
    behind: int = 128,
    ahead: int = 512,
) -> Rule:
    return Rule(
        name=name, kind=kind, trigger=trigger, pattern=re2.compile(pattern), check=check, behind=behind, ahead=ahead
    )


RULES: tuple[Rule, ...] = (
    rule(
        "url-password",
        "connection-string",
        r"://[^\s/?#@\"'<>`]{0,128}:[^\s\"'<>@`]",
        r"(?i)[a-z][a-z0-9+.-]{1,40}://[^\s:/?#@\"'<>`]{0,128}:((?:[^\s\"'<>/`]{1,})|(?:[^\s\"'<>@`]{1,}))@[a-z0-9\[_{$.%-]",
        _is_no_port,
        behind=200,
        ahead=1024,
    ),
    rule(
        "url-token",
        "secret",
        r"https?://[a-z0-9_.~%-]{20,255}@[a-z0-9]",
        r"(?i)https?://([a-z0-9_.~%-]{20,})@[a-z0-9]",
        _is_random_enough,
        behind=300,
        ahead=64,
    ),
    rule(
        "authorization",
        "secret",
        r"authorization[\"'\]\\]{0,4}\s{0,3}[:=,]\s{0,3}\\?[\"']?\s{0,2}(?:basic|bearer|token|digest|negotiate|apikey|ssws|geniekey|splunk|bot|sso-key)\s",
        r"(?i)authorization[\"'\]\\]{0,4}\s{0,3}[:=,]\s{0,3}\\?[\"']?\s{0,2}(?:basic|bearer|token|digest|negotiate|apikey|ssws|geniekey|splunk|bot|sso-key)\s{1,3}"
        r"([a-z0-9._~+/=-]{6,})",
        _is_basic,
        behind=64,
        ahead=1024,
    ),
    rule(
        "bearer",
        "secret",
        r"\bbearer\s{1,3}[a-z0-9]",
        r"(?i)\bbearer\s{1,3}([a-z0-9._~+/-]{16,}={0,2})",
        _is_random_enough,
        behind=16,
        ahead=1024,
    ),
    rule(
        "basic",
        "password",
        r"basic\s",
        r"\b[Bb]asic\s{1,3}([A-Za-z0-9+/]{12,}={0,2})",
        _is_random_enough,
        behind=16,
        ahead=1024,
    ),
    rule(
        "netrc",
        "password",
        r"\bmachine\s",
        r"(?i)\bmachine\s+\S{1,}\s+login\s+\S{1,}\s+password\s+(\S{3,})",
        _is_not_placeholder,
        behind=16,
        ahead=600,
    ),
    rule(
        "pgpass",
        "password",
        r"^[\w.*-]{1,250}:(?:\d{2,5}|\*):",
        r"(?m)^[\w.*-]{1,}:(?:\d{2,5}|\*):[^:\s]{1,63}:[^:\s]{1,63}:(\S{4,})$",
        _is_not_placeholder,
        behind=260,
        ahead=512,
    ),
    rule(
        "password-hash",
        "password-hash",
        r"\$(?:2[abxy]?|1|5|6|7|y|gy|apr1|argon2(?:id|i|d)|pbkdf2[a-z0-9-]{0,12}|scrypt|s0|bcrypt-sha256|md5)\$"
        r"|(?:pbkdf2_sha(?:256|1)|bcrypt_sha256|bcrypt|scrypt|argon2|md5|sha1)\$|\{(?:SSHA|SHA|SMD5|MD5|CRYPT|PBKDF2)[^}]{0,20}\}"
        r"|(?:scrypt|pbkdf2):[a-z0-9:]{1,40}\$|scram-sha-(?:1|256|512)\$|:\d{1,10}:[0-9a-f]{32}:[0-9a-f]{32}:|\bmd5[0-9a-f]{32}|\bdigest[ :=]{1,3}\w{1,32}:[a-z0-9+/]{4}",
        r"(\$(?:2[abxy]?|1|5|6|7|y|gy|apr1|argon2(?:id|i|d)|pbkdf2[a-z0-9-]*|scrypt|s0|bcrypt-sha256|md5)\$[A-Za-z0-9./+$,=_-]{20,})"
        r"|((?:pbkdf2_sha(?:256|1)|bcrypt_sha256|bcrypt|scrypt|argon2|md5|sha1)\$+[A-Za-z0-9.,=/+$_-]{24,}={0,2})"
        r"|(\{(?:SSHA|SHA|SMD5|MD5|CRYPT|PBKDF2|SSHA256|SSHA512|SHA512|SHA256)[^}]{0,20}\}[A-Za-z0-9+/=$.]{20,})"
        r"|((?:scrypt|pbkdf2):[a-z0-9:]{1,40}\$[A-Za-z0-9]{1,40}\$[0-9a-f]{32,256})"
        r"|(SCRAM-SHA-(?:1|256|512)\$\d{1,9}:[A-Za-z0-9+/=]{8,}\$[A-Za-z0-9+/=]{20,}:[A-Za-z0-9+/=]{20,})"
        r"|:\d{1,10}:([0-9a-fA-F]{32}:[0-9a-fA-F]{32}):|\b(md5[0-9a-f]{32})\b|(?i)digest[ :=]{1,3}\w{1,32}:([a-z0-9+/]{27}=)",
        behind=160,
        ahead=600,
    ),
    rule(
        "prose-password",
        "password",
        r"\b(?:password|passphrase|passcode|passwd|pwd)\s",
        r"(?i)\b(?:password|passphrase|passcode|passwd|pwd)(?:\s+\S{1,20}){0,3}?\s+(?:is|was|to|=|:|->)\s*:?\s*[\"'`]?([^\s\"'`<>]{6,})",
        _is_prose_secret,
        behind=16,
        ahead=400,
    ),
    rule(
        "aws-secret-key",
        "aws-secret-key",
        r"a[ks]ia[a-z2-7]{16}",
        r"(?:^|[^A-Za-z0-9/+=])([A-Za-z0-9/+]{40})(?:$|[^A-Za-z0-9/+=])",
        _is_aws_secret,
        behind=400,
        ahead=400,
    ),
    rule(
        "adjacent-secret",
        "secret",
        r"(?:secret|token|key|password|access|private)(?:[\"'`\s]{1,3}|-)",
        r"(?i)\b([a-z0-9_.-]{0,40}[ _-]?(?:(?:secret|token|key|password|access|private|api)[ _-]?){0,2}(?:secret|token|key|password|access|private))"
        r"(?:\s{1,3}|[\"'`]\s{0,2}|-)(?:(?:is|code|value)\s)?\s{0,2}[\"'`]?([a-z0-9_+/=.~-]{14,})",
        _is_adjacent,
        behind=96,
        ahead=600,
    ),
    rule(
        "vendor-token",
        "secret",
        r"ya29\.|CFPAT-|CCIPAT_|sq0[cia]|pat-[ne]|r8_[a-z0-9]{20}|pk_\d|rdme_|xox[a-z][-.]|LTAI[a-z0-9]{12}|[bc]-c-[0-9a-f]{8}"
        r"|BBFF-|s(?:lk|gp)_[0-9a-f]{20}|VF\.[DW]|oy2[a-z0-9]{30}|_mmk|tskey-|tfp_|(?:api|sdk|mob)-[0-9a-f]{8}-|sk[_-][a-z0-9]{20}"
        r"|EAAA[a-z0-9_-]{60}|hf_[a-z]{30}|dapi[0-9a-f]{32}|sk-(?:proj|svcacct|admin|or)-[a-z0-9]|hv[sbr]\.[a-z0-9_-]{20}",
        r"(?:^|[^A-Za-z0-9])(ya29\.[A-Za-z0-9_-]{20,}|CFPAT-[A-Za-z0-9_-]{40,}|CCIPAT_[A-Za-z0-9]{16,}_[0-9a-z]{32,}"
        r"|sq0(?:csp|idp|atp|cs|id|at)-[A-Za-z0-9_-]{20,}|pat-(?:na|eu)\d-[0-9a-f-]{36}|r8_[A-Za-z0-9]{37,40}"
        r"|pk_\d{6,9}_[A-Z0-9]{32}|rdme_[a-z0-9]{60,}|xox[a-z][-.][A-Za-z0-9.-]{24,}|LTAI[A-Za-z0-9]{12,24}"
        r"|(?:pub|sub|sec)-c-[0-9a-z]{8}-[0-9a-z-]{23,27}|BBFF-[A-Za-z0-9]{30}|s(?:lk|gp)_[0-9a-f]{40,64}"
        r"|VF\.(?:DM|WS)\.[0-9a-f]{24}\.[A-Za-z0-9]{16}|oy2[a-z0-9]{43}|[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk"
        r"|tskey-[a-z]{2,10}-[A-Za-z0-9-]{12,}|tfp_[A-Za-z0-9_-]{40,}|(?:api|sdk|mob)-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f-]{22}"
        r"|EAAA[A-Za-z0-9_-]{60}\b|hf_[A-Za-z]{30,40}\b|dapi[0-9a-f]{32}\b|sk-(?:proj|svcacct|admin|or-v1)-[A-Za-z0-9_-]{20,}|hv[sbr]\.[A-Za-z0-9_-]{24,}"
        r"|sk[_-][A-Za-z0-9]{32,})",
        _is_no_filler,
    ),
    rule(
        # The catalogue finds these keys alone; as a part of an object's name it does not.
        "key-in-name",
        "secret",
        r"[/=>,]AIza[a-z0-9_-]{35}|AIza[a-z0-9_-]{35}/|/sk-ant-|sk-ant-[a-z0-9_-]{60,128}/",
        r"(?:/|[?&]key=|[>,])(AIza[A-Za-z0-9_-]{35}|sk-ant-[A-Za-z0-9_-]{60,128})"
        r"|(?:^|[^A-Za-z0-9_-])(AIza[A-Za-z0-9_-]{35}|sk-ant-[A-Za-z0-9_-]{60,128})/",
        _is_not_placeholder,
        behind=140,
        ahead=140,
    ),
    rule(
        "prefixed-token",
        "secret",
        r"[_-](?:live|test|prod|secret|sk|pat|tkn|token|key|api)[_-][a-z0-9]{20}",
        r"(?i)(?:^|[^a-z0-9])([a-z]{2,12}(?:[_-][a-z]{2,4})?[_-](?:live|test|prod|secret|sk|pat|tkn|token|key|api)[_-][a-z0-9]{20,}(?:_[a-z0-9]{4,})?)",
        _is_random_tail,
    ),
    rule(
        "webhook-url",
        "secret",
        r"/webhook\w{0,3}/|//hooks\.",
        r"(?i)(https://[^\s\"'<>`/]{4,128}/(?:[^\s\"'<>`]{0,60}webhook[a-z0-9]{0,3}/|(?:services|workflows|triggers)/)[^\s\"'<>`]{20,})",
        _is_no_filler,
        behind=256,
    ),
    rule(
        "database-url",
        "connection-string",
        r"://[^\s/?#@\"'<>`]{0,128}:[^\s\"'<>@`]",
        r"(?i)(?:^|[^a-z0-9])((?:postgres(?:ql)?|postgis|mysql|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver|oracle|cockroachdb|clickhouse"
        r"|cassandra|couchbase|neo4j|bolt|ldaps?|snowflake|redshift|db2|influxdb|trino|presto|vertica|firebird|nats|stomp|mqtts?)"
        r"(?:\+[a-z0-9_]{1,24})?://[^\s:/?#@\"'<>`]{0,128}:[^\s\"'<>`]+@[a-z0-9\[_{$.%-][^\s\"'<>`,;)\]}]*)",
        _is_real_url,
        behind=200,
        ahead=1024,
    ),
    rule(
        "oracle-address",
        "password",
        r"jdbc:oracle:[a-z0-9]{1,12}:[^\s/@\"']{1,64}/",
        r"(?i)jdbc:oracle:[a-z0-9]{1,12}:[^\s/@\"']{1,64}/([^\s@\"'/]{3,})@",
        _is_not_placeholder,
        behind=100,
        ahead=300,
    ),
    rule(
        "aws-access-key",
        "aws-access-key",
        r"a[ks]ia[a-z2-7]{16}",
        r"(?:^|[^A-Za-z0-9])(A[KS]IA[A-Z2-7]{16})(?:$|[^A-Za-z0-9])",
        _is_not_placeholder,
        behind=24,
        ahead=8,
    ),
    rule(
        "aws-session-token",
        "aws-session-token",
        r"iqojb3jpz2lu|fwogzxivyxdz|fqogzxivyxdz",
        r"((?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz)[A-Za-z0-9/+=%_-]{60,})",
        behind=16,
        ahead=2048,
    ),
    rule(
        "signed-url",
        "signed-url",
        r"(?:signature|sig)=",
        r"(?i)[?&;](?:amp;)?(?:x-(?:amz|goog)-signature|signature|sig)=([a-z0-9%+/=_-]{20,})",
        _is_random_enough,
        behind=40,
        ahead=512,
    ),
)
