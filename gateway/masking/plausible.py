"""Whether a name announces a secret, and whether a value could be one: what false alarms are told from.

Recognising formats by their own shape is for `rules` and `catalogue`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise

from gateway.masking.languages import folded, is_password_word


class Strength(IntEnum):
    """How firmly a name says that its value is secret."""

    NONE = 0
    WEAK = 1
    STRONG = 2


_NOT_ALNUM = re.compile(r"[^a-z0-9]")
_STRONG = re.compile(
    r"passw|passwd|passphrase|passcode|passkey|(?:^|db|user|root|admin|my|sql|ldap|smtp|mail|ftp|ssh|bind|key)pwd?$"
    r"|pwd$|^pwd|(?:^|db|user|root|admin|sql|ldap|smtp|mail|ftp|http|auth|key)pass$|secret|api(?:auth)?key|apitoken"
    r"|accesskey|privatekey|privkey|accountkey|authkey|signingkey|encryptionkey|encryptkey|masterkey|licensekey"
    r"|sharedkey|servicekey|hmackey|sshkey|rsakey|appkey|applicationkey|adminkey|deploykey|cryptokey"
    r"|(?:access|auth|refresh|session|bearer|bot|id|user|app|oauth|deploy|personal|security|service|admin|private"
    r"|push|device|csrf|xsrf|reset|magic|invite|webhook|ci|job|runner|bearer)token$|credential|creds$|connectionstring"
    r"|connstr|sharedaccess|userinfo|psk$|storepass|keypass|(?:become|sudo|enable|store|proxy|mqtt|redis|mongo|mysql|postgres|pg|rabbit|imap|vpn|wifi|cert|pfx|login|account|new|old|default|ansiblessh)pass$|pincode|^pin$|cvv|cvc2?$|otp(?:seed|secret)|recoverycode|mnemonic|seedphrase"
)
_WEAK = re.compile(r"token|key$|auth$|authorization$|cred$|salt$|cookie$|signature$|bearer$|pass$|pw$|nonce$|dsn$|sig$")
# Names about a secret rather than names of one. `keyid` must not swallow `...key`, so endings are whole words.
_ABOUT = re.compile(
    r"(?:ids?|arns?|names?|types?|polic(?:y|ies)|length|len|count|enabled|disabled|required|expir(?:y|es|ation|ed|esin)"
    r"|date|updated|changed|rotated|created|lastused|age|versions?|stages?|ur[li]s?|endpoint|paths?|files?|filename"
    r"|dir|location|hint|label|fields?|status|state|list|format|algorithm|alg|size|reset|manager|provider|prefix"
    r"|suffix|regex|pattern|validator|chars?|characters|usage|spec|description|title|message|text|error|errors|ttl"
    r"|source|scheme|mode|class|index|table|column|group|role|user|username|min|max|minimum|maximum|strength|parameters?"
    r"|ref|reference|selector|template|store|vault|engine|backend|rotation|lambda|region|bits|set|exists|present"
    r"|available|at|on|by|for|is|with|needed|missing|invalid|attempts|attempted|retries|complexity|generator|helper"
    r"|encoder|encoding|checker|service|client|input|box|form|page|screen|view|dialog|button|link|request|response"
    r"|event|handler|callback|fn|func|function|method|interface|config|settings|options?|opts|params|args|env|limit"
    r"|budget|usd|cost|price|rate|bucket|object|space|owner|tags?|enc|fingerprint|thumbprint|kid)$"
)
_BENIGN = re.compile(
    r"^(?:next|prev|previous|continuation|pagination|page|client|clientrequest|idempotency|change|lock|update|request"
    r"|upload|marker|sync|cursor|resume|start|end|forward|backward|nextforward|nextbackward|task|max|min|input|output"
    r"|total|prompt|completion|numof|num|stop|special|eos|bos|pad|unk|mask|cache|domainname|subscribe)(?:s|ed)?tokens?$"
    r"|^(?:public|primary|foreign|partition|sort|hash|range|object|s3|routing|cache|unique|composite|natural|surrogate"
    r"|kms|kmsmaster|ssekms|bucket|index|order|group|join|map|dict|json|row|column|tag|label|param|property|hot|arrow"
    r"|enter|shift|ctrl|alt|meta|registry|event|dedup|deduplication|message|record|item|state|storage|lookup|search"
    r"|translation|i18n|msg|locale|resource|config|setting|feature|metric|attribute|field|node|parent|child|entity)*keys?$"
    r"|tokeni[sz]|tokens$|monkey|donkey|turkey|hockey|keyboard|keyword|bypass|compass|keyspace"
    r"|publickey|secretsmanager|secretlist|nosecret|usepassword|forgot|passwordless|sshpublic|showpassword|askpass$"
)


@lru_cache(maxsize=16384)
def name_strength(name: str) -> Strength:
    """What a member, variable, column or option name says about its value."""
    small = folded(name)
    plain, is_password = _NOT_ALNUM.sub("", small), is_password_word(small)
    if not (plain or is_password) or len(name) > 80 or _BENIGN.search(plain):
        return Strength.NONE
    if is_password or _STRONG.search(plain):
        return Strength.NONE if _ABOUT.search(plain) else Strength.STRONG
    return Strength.WEAK if _WEAK.search(plain) and not _ABOUT.search(plain) else Strength.NONE


def is_benign(plain: str) -> bool:
    """Whether a name of small letters and digits is known to say nothing secret, though it sounds so."""
    return _BENIGN.search(plain) is not None


_PLACEHOLDER = re.compile(
    r"""(?ix)
    \[redacted | \*{3,} | x{4,} | \.{3} | <[^>]*>$ | \$\{ | \$\( | -?\\?\$[a-z_]\w*(?:\[.*)?$ | \?[a-z]+$ | \{\{ | %\(?\w+\)?[s%]?$ | @@?\w+@?$
    | \#\{ | \{\w*\}$ | (?:your|my|the|some|insert|enter|replace|change|put|add|set|use|see|need|please|any)
      (?:[-_ ]?(?:your|secret|password|pass|passwd|token|key|api|db|access|auth)
      | [-_ ]?(?:me|this|it|here)(?![a-z]) | [-_ ](?:with|the|own|in|a|an)(?![a-z0-9]))
    | (?:example|placeholder|dummy|sample|redacted|masked|hidden|removed|omitted|censored|changeit|todo|tbd|none|null|nil
      |undefined|true|false|yes|no|on|off|n/a|default|empty|unset|string|str|int|integer|number|bool|boolean|object
      |bytes|char|varchar|text|password|passwd|secret|token|key|value|required|optional|disabled|enabled|foobar|foo|bar
      |username|user|admin|passwort|kennwort|contrase[ñn]a|mot\ de\ passe|senha|wachtwoord|has[łl]o|heslo|lösenord|adgangskode|passord|salasana
      |jelszó|lozinka|şifre|parola|пароль|パスワード|密码|密碼|비밀번호|סיסמה|unknown|invalid|missing|expired|wrong|incorrect|basic|bearer|digest|plain|public|private)
      (?:\W*)$
    | enc\[ | vault: | ssm: | secretsmanager: | op:// | ref\+ | ![a-z]\w*$ | !ref | !vault | (?:is|are|has|have|must|cannot|can't|should|may|was|does|please|invalid|enter)\s
    | (?:same-origin|include|omit)$ | keyring: | valuefrom
    | (?:process\.env|os\.environ|os\.getenv|env|environment|getenv|vars?|secrets?|config|settings|local|data|params|self
      |this|input|args|options|request|req|ctx|event|props|values)[.\[(]
    """
)
# Runs of filler inside an otherwise well-formed token, and AWS's documented example keys.
_FILLER = re.compile(r"[xX]{6,}|[#*.]{4,}|\.{3}|EXAMPLE(?:KEY)?$|^\[.*\]$|\[redacted", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_DIGEST = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9A-F]{32}|[0-9A-F]{40}|[0-9A-F]{64})")
_PATH = re.compile(r"(?:[A-Za-z]:\\|~?/|\.{1,2}/)[\w .@%+,/\\{}:*-]*")
_CALL = re.compile(r"[A-Za-z_][\w.:>-]*\(.*|(?:[A-Za-z_]\w*(?:\.|->|::))+[A-Za-z_]\w*(?:\[.*\])?[;,)]*")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s@]*")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ][\d:.,+Z-]*)?")
_WORD = re.compile(r"[A-Za-z_]+")
_CONSTANT = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
# `kms:Decrypt` is what AWS calls an action.
_ACTION = re.compile(r"[a-z0-9-]{2,40}:(?:[A-Z][A-Za-z]*\*?|\*)")
_LONGEST_LOOKED_AT = 4096


def is_placeholder(value: str) -> bool:
    """Variables, paths, calls, identifiers of things, and words that stand for a value without being one."""
    if len(set(value)) < 3 or value.startswith(("arn:", "-----BEGIN PUBLIC", "-----BEGIN CERT", "ssh-rsa ")):
        return True
    head = value[:_LONGEST_LOOKED_AT]
    return (
        _PLACEHOLDER.match(head) is not None
        or _FILLER.search(head) is not None
        or (_CALL.fullmatch(head) is not None and _looks_like_call(head))
        or (_PATH.fullmatch(head) is not None and _looks_like_path(head))
        or _URL.fullmatch(head) is not None
        or _DATE.fullmatch(head) is not None
        or _ACTION.fullmatch(head) is not None
        or _CONSTANT.fullmatch(head) is not None
    )


def _looks_like_call(text: str) -> bool:
    """Issued tokens may have dots too; names in code are words of bearable length."""
    return not any(len(part) >= 24 and any(map(str.isdigit, part)) for part in re.split(r"\W+", text.split("(")[0]))


def has_filler(value: str) -> bool:
    """Whether dots, stars or rows of x stand where a secret was taken out."""
    return _FILLER.search(value) is not None


def is_identifier(value: str) -> bool:
    """UUIDs and digests: secret only where something else says so."""
    return _UUID.fullmatch(value) is not None or _DIGEST.fullmatch(value) is not None


def _looks_like_path(text: str) -> bool:
    """Base64 may start with a slash too; a path has short, wordy parts."""
    return len(text) < 24 or max(map(len, re.split(r"[/\\]", text))) < 24


def is_plausible(value: str, strength: Strength, *, is_quoted: bool) -> bool:
    """Whether `value`, under a name of this strength, is to be taken for a secret.

    Unquoted bare words are code (types, variables, prose) and are left alone; quoted ones are literals.
    """
    text = value.strip()
    if strength is Strength.NONE or len(text) < 4 or is_placeholder(text):
        return False
    if strength is Strength.WEAK:
        return _is_random(text)
    return is_quoted or _WORD.fullmatch(text) is None or is_jumbled(text)


def _is_random(text: str) -> bool:
    """For names that may mean anything: long, mixed and of high entropy, and no UUID."""
    if len(text) < 16 or " " in text or _UUID.fullmatch(text):
        return False
    has_digit = any(each.isdigit() for each in text)
    return any(each.isalpha() for each in text) and entropy(text) >= 3.2 and (has_digit or _is_mixed(text))


# Parts of names in code that have no vowel, or one letter.
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_VOWELS = frozenset("aeiouyAEIOUY")
_SHORTENED = frozenset({
    "db", "pwd", "str", "ctx", "cfg", "mgr", "ssl", "tls", "tmp", "src", "dst", "msg", "btn", "txt", "sql", "http",
    "https", "xml", "jwt", "kms", "aws", "gcp", "html", "css", "rds", "sns", "sqs", "ssm", "ssh", "fn", "cb", "rx",
    "tx", "id", "hmac", "sha", "md", "rsa", "tcp", "udp", "grpc", "pg", "cmd", "ptr", "arr", "len", "num", "obj",
    "val", "prm", "svc", "srv", "clr", "crt", "pem", "psk", "x", "y", "z", "n", "i", "j", "k", "s", "t", "e",
})  # fmt: skip
# Neighbours that no English word has: two of them in one run of small letters, and nobody wrote it as a word.
_NEVER_TOGETHER = re.compile(
    r"(?=bk|bq|bx|cb|cf|cj|cv|cx|dx|fk|fq|fv|fx|fz|gq|gv|gx|hk|hv|hx|hz|iy|j[bcdfghjklmnpqrstvwxyz]|k[qvxz]|l[qx]|m[gjqxz]|p[qvxz]|q[a-tv-z]"
    r"|sx|tq|v[bcdfghjkmnpqtvwxz]|w[qvx]|x[bgjkrvz]|y[qvyz]|z[bcdfgjkmnpqrstvwx])"
)
_LEAST_JUMBLED = 12


def is_jumbled(text: str) -> bool:
    """Letters alone no one wrote as words, by where the case changes (`wGSuuahzudpR`) or by neighbours (`zqfpcpuojpmxbdri`)."""
    if len(text) < 10 or not text.isalpha() or text.isupper():
        return False
    if text.islower():
        return len(text) >= _LEAST_JUMBLED and len(_NEVER_TOGETHER.findall(text)) >= 2
    parts = _PARTS.findall(text)
    odd = sum(_VOWELS.isdisjoint(part) and part.lower() not in _SHORTENED for part in parts)
    return odd >= 2


def _is_mixed(text: str) -> bool:
    """Letters alone are a name, unless their case changes as no name's does."""
    changes = sum(one.isupper() and two.islower() for one, two in pairwise(text))
    return text.isalpha() and len(text) >= 20 and changes >= len(text) // 5


def entropy(text: str) -> float:
    """Shannon entropy in bits per character; 0 for the empty text."""
    size = len(text)
    return -sum(count / size * math.log2(count / size) for count in Counter(text).values())


def passes_luhn(digits: str) -> bool:
    """Whether a string of digits ends in a valid Luhn check digit."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
