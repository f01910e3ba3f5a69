"""Private values by format: cards, e-mail and network addresses, national numbers, accounts, wallets.

Each is proved where its format allows (check digits, ranges). Phones are `phones`' work; secrets are `rules`'.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from ipaddress import AddressValueError, IPv6Address

from gateway.masking import phones
from gateway.masking.catalogue import ByteSpan
from gateway.masking.plausible import passes_luhn
from gateway.masking.triggers import Detector

# (text, start, end) of a candidate -> whether it is one.
Proof = Callable[[bytes, int, int], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One kind of private value: where to look, what it looks like, what proves it. Group 1 is the value."""

    kind: str
    trigger: str
    pattern: re.Pattern[bytes]
    proof: Proof
    behind: int = 64
    ahead: int = 96

    @property
    def detector(self) -> Detector[ByteSpan]:
        """The format behind its trigger."""
        return Detector(trigger=self.trigger, behind=self.behind, ahead=self.ahead, find=self.spans)

    def spans(self, data: bytes, start: int, end: int) -> Iterator[ByteSpan]:
        """Proved values in a window of the text."""
        for match in self.pattern.finditer(data, start, end):
            if self.proof(data, *match.span(1)):
                yield ByteSpan(*match.span(1), self.kind, self.kind)


# How issuers number cards: first digits and the lengths that go with them.
_ISSUED = (
    (re.compile(r"4"), (13, 16, 19)),
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),
    (re.compile(r"3[47]"), (15,)),
    (re.compile(r"6011|64[4-9]|65|62"), (16, 17, 18, 19)),
    (re.compile(r"35"), (16, 17, 18, 19)),
    (re.compile(r"2131|1800"), (15,)),
    (re.compile(r"30[0-5]|3095|36|3[89]"), (14, 16, 17, 18, 19)),
    (re.compile(r"50|5[6-9]|6"), (16, 17, 18, 19)),
    # Account and order numbers are as short, so only the ranges in use.
    (re.compile(r"50(?:18|20|38)|5[678]|6304|6390|6759|676[1-3]|0604"), (12, 13, 14, 15)),
    (re.compile(r"220[0-4]"), (16, 17, 18, 19)),
)
# AWS account numbers have the length of the shortest cards.
_ACCOUNT_ID_SIZE = 12
_ACCOUNT_BEFORE = re.compile(rb"(?i)(?:account|owner|aws|arn:)[\w:. \"'=/-]{0,24}\Z")
_NOT_DIGIT = re.compile(rb"\D")


def _digits(data: bytes, start: int, end: int) -> str:
    return _NOT_DIGIT.sub(b"", data[start:end]).decode("ascii")


def _is_card(data: bytes, start: int, end: int) -> bool:
    digits = _digits(data, start, end)
    if len(set(digits)) < 2 or not passes_luhn(digits):
        return False
    # One sign between the groups, or none: two numbers side by side are not a card.
    if len({sign for sign in data[start:end] if not 48 <= sign <= 57}) > 1:
        return False
    if len(digits) == _ACCOUNT_ID_SIZE and _ACCOUNT_BEFORE.search(data[max(0, start - 32) : start]):
        return False
    return is_issued(digits[:4].encode(), len(digits))


@lru_cache(maxsize=65536)
def is_issued(beginning: bytes, size: int) -> bool:
    """Whether some issuer numbers cards of so many digits so; `beginning` is the first four."""
    digits = beginning.decode("ascii")
    return any(first.match(digits) and size in sizes for first, sizes in _ISSUED)


# Endings that are files, code or machines rather than domains.
_NO_DOMAIN = frozenset(
    b"png jpg jpeg gif svg webp css scss js mjs jsx ts tsx py rb go java json yaml yml xml htm html txt md log service"
    b" socket target mount timer slice scope so dll exe zip gz tar whl jar".split()
)


def is_file_ending(ending: bytes) -> bool:
    """Whether what stands behind the last dot is a file's or a unit's rather than a domain's."""
    return ending.lower() in _NO_DOMAIN


def _is_email(data: bytes, start: int, end: int) -> bool:
    local, _, domain = data[start:end].partition(b"@")
    # `git@host:path` and `ssh://user@host` name machines, `scheme://token@host` a credential.
    is_remote = local == b"git" or data[max(0, start - 3) : start] == b"://"
    is_dotted = b".." in local or local[:1] in b".-" or local[-1:] == b"." or b".-" in domain or b"-." in domain
    return not is_remote and not is_dotted and not is_file_ending(domain.rpartition(b".")[2])


_VERSION_BEFORE = re.compile(
    rb"(?i)(?:\bv|version|release|build|ver|revision|firmware|assembly\w*)[\s\"':=._(-]{0,4}\Z"
)
_NETMASK = re.compile(rb"255\.(?:0|255)\.(?:0|255)\.\d{1,3}")
_NOBODYS = (b"127.0.0.1", b"0.0.0.0", b"255.255.255.255")  # compared with, never bound


def _is_ipv4(data: bytes, start: int, end: int) -> bool:
    value = data[start:end]
    parts = value.split(b".")
    if any(int(part) > 255 or (len(part) > 1 and part[:1] == b"0") for part in parts):
        return False
    return not is_version(data, start) and value not in _NOBODYS and _NETMASK.fullmatch(value) is None


def is_version(data: bytes, start: int) -> bool:
    """Whether the word before this place says that a version stands here."""
    return _VERSION_BEFORE.search(data[max(0, start - 16) : start]) is not None


def _is_ipv6(data: bytes, start: int, end: int) -> bool:
    return is_real_ipv6(data[start:end].split(b"%")[0].decode("ascii"))


def is_real_ipv6(text: str) -> bool:
    """Whether this is an address of some machine, and not a name or a time that only looks like one."""
    # `a::b` is a name in many languages; `12::` a time or a slice.
    if text in ("::", "::1") or not any(each.isdigit() for each in text) or len(text.replace(":", "")) < 3:
        return False
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True


def _is_mac(data: bytes, start: int, end: int) -> bool:
    digits = re.sub(rb"[:.-]", b"", data[start:end]).lower()
    return len(set(digits)) > 1 and len({sign for sign in data[start:end] if sign in b":-."}) == 1


_SSN_NEAR = re.compile(rb"(?i)\bssn|social[ _-]?sec|\bitin|\btin\b|tax[ _-]?(?:payer|id)|\bss ?#|national[ _-]?id")
_SSN_REACH = 48


def _is_ssn(data: bytes, start: int, end: int) -> bool:
    digits = _digits(data, start, end)
    if digits[:3] in ("000", "666") or digits[0] == "9" or digits[3:5] == "00" or digits[5:] == "0000":
        return False
    return _is_written_out(data, start, end) and digits not in ("123456789", "078051120", "219099999")


def _is_itin(data: bytes, start: int, end: int) -> bool:
    digits = _digits(data, start, end)
    group = int(digits[3:5])
    is_issued = 50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99
    return is_issued and _is_written_out(data, start, end)


def _is_written_out(data: bytes, start: int, end: int) -> bool:
    """Dashes tell; nine digits in a row, or with spaces, need a word that says what they are."""
    if data[start:end].count(b"-") == 2:
        return True
    return _SSN_NEAR.search(data[max(0, start - _SSN_REACH) : start]) is not None


# ISO 13616: how long an account number is, by country.
_IBAN_SIZES = {
    country: int(size)
    for country, size in re.findall(
        "([A-Z]{2})([0-9]{2})",
        "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22"
        "GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20"
        "MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24"
        "TR26UA29VA22VG24XK20YE30BF28BJ28CI28CM27CV25DZ26GA27GQ27GW25IR26KM27MA28MG27ML28MZ25NE28SN28TD27TG28CF27CG27AO25",
    )
}


def size_of_iban(country: bytes) -> int:
    """How many letters and digits an account number of this country has; 0 of none."""
    return _IBAN_SIZES.get(country.decode("ascii").upper(), 0)


_IBAN = re.compile(rb"(?i)(?<![A-Z0-9-])([A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30})")


def _iban_spans(data: bytes, start: int, end: int) -> Iterator[ByteSpan]:
    """Account numbers whose check digits hold, of their country's length; what follows them is not theirs."""
    for match in _IBAN.finditer(data, start, end):
        written = match[1]
        size = size_of_iban(written[:2])
        plain = written.translate(None, b" -")
        stop = size if plain is written or plain == written else _nth_sign(written, size)
        if not size or len(plain) < size or data[match.start(1) + stop : match.start(1) + stop + 1].isalnum():
            continue
        if _mod_97(plain[:size].decode().lower()) == 1:
            yield ByteSpan(match.start(1), match.start(1) + stop, "iban", "iban")


def _nth_sign(written: bytes, count: int) -> int:
    """Where the first `count` letters and digits end."""
    seen = 0
    for place, sign in enumerate(written):
        seen += sign not in b" -"
        if seen == count:
            return place + 1
    return len(written)


_AS_DIGITS = str.maketrans({chr(ord("a") + place): str(10 + place) for place in range(26)})


def _mod_97(iban: str) -> int:
    return int((iban[4:] + iban[:4]).translate(_AS_DIGITS)) % 97


_BASE58 = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_RIPPLE58 = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def _is_wallet(data: bytes, start: int, end: int) -> bool:
    value = data[start:end]
    if value[:2] == b"0x":
        return len(set(value[2:].lower())) > 4
    if value[:4].lower() in (b"bc1q", b"bc1p", b"ltc1", b"tb1q"):
        return _is_bech32(value.decode("ascii").lower())
    if len(value) == 95:
        return value[:1] in b"48" and value[1:2] in b"0123456789AB"
    return _is_base58check(value, _RIPPLE58 if value[:1] == b"r" else _BASE58)


def _is_base58check(value: bytes, alphabet: bytes) -> bool:
    number = 0
    for each in value:
        digit = alphabet.find(each)
        if digit < 0:
            return False
        number = number * 58 + digit
    if number >= 1 << 200:
        return False
    raw = number.to_bytes(25, "big")
    return sha256(sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]


def _is_bech32(address: str) -> bool:
    """BIP 173 and 350: the checksum over prefix and data is 1 or bech32m's constant."""
    prefix, _, coded = address.rpartition("1")
    values = [_BECH32.find(each) for each in coded]
    if min(values, default=-1) < 0:
        return False
    check = 1
    for value in (*(ord(each) >> 5 for each in prefix), 0, *(ord(each) & 31 for each in prefix), *values):
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, term in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= term if top >> bit & 1 else 0
    return check in (1, 0x2BC830A3)


_FORMATS = (
    Format(
        kind="card",
        trigger=r"\b\d{4}[ -]?\d{4,6}[ -]?\d{4}",
        pattern=re.compile(rb"(?<![\w.+-])(\d{4}(?:[ -]?\d){8,15})(?![\w-])(?!\.\d)"),
        proof=_is_card,
        behind=32,
        ahead=16,
    ),
    Format(
        kind="email",
        trigger=r"[a-z0-9_+%'~-]@[a-z0-9]",
        pattern=re.compile(
            rb"(?<![A-Za-z0-9._%+~-])([A-Za-z0-9_+%~](?:[A-Za-z0-9._%+'~-]{0,63})@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24})"
            rb"(?![A-Za-z0-9-])"
        ),
        proof=_is_email,
        behind=72,
        ahead=256,
    ),
    Format(
        kind="ip",
        trigger=r"\d\.\d{1,3}\.\d{1,3}\.\d",
        pattern=re.compile(rb"(?<![\w.-])(\d{1,3}(?:\.\d{1,3}){3})(?![\w-])(?!\.\d)"),
        proof=_is_ipv4,
        behind=24,
        ahead=8,
    ),
    Format(
        kind="ip",
        trigger=r"::[0-9a-f]|[0-9a-f]::|[0-9a-f]{1,4}:[0-9a-f]{1,4}:[0-9a-f]{1,4}:[0-9a-f]{1,4}:",
        pattern=re.compile(
            rb"(?<![\w:.])((?=[0-9A-Fa-f:.]{0,60}:[0-9A-Fa-f:.]{0,60}:)[0-9A-Fa-f:]{2,39}(?:\d{0,3}(?:\.\d{1,3}){3})?"
            rb"(?:%[A-Za-z0-9]{1,15})?)(?![\w:])"
        ),
        proof=_is_ipv6,
        behind=48,
        ahead=48,
    ),
    Format(
        kind="mac",
        trigger=r"[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}",
        pattern=re.compile(
            rb"(?<![\w:.-])([0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})(?![\w:-])(?!\.\w)"
        ),
        proof=_is_mac,
        behind=24,
        ahead=8,
    ),
    Format(
        kind="itin",
        trigger=r"9\d\d[ -]?\d\d[ -]?\d{4}",
        pattern=re.compile(rb"(?<![\w.+-])(9\d\d([ -]?)\d\d\2\d{4})(?![\w-])(?!\.\d)"),
        proof=_is_itin,
        behind=16,
        ahead=8,
    ),
    Format(
        kind="ssn",
        trigger=r"[0-8]\d\d[ -]?\d\d[ -]?\d{4}",
        pattern=re.compile(rb"(?<![\w.+-])([0-8]\d\d([ -]?)\d\d\2\d{4})(?![\w-])(?!\.\d)"),
        proof=_is_ssn,
        behind=16,
        ahead=8,
    ),
    Format(
        kind="crypto-wallet",
        trigger=r"\b(?:0x[0-9a-f]{40}|(?:bc1|ltc1|tb1)[0-9a-z]{30}|[13LMDTXrt48][0-9a-z]{24})",
        pattern=re.compile(
            rb"(?<![A-Za-z0-9/+_-])(0x[0-9a-fA-F]{40}|(?:bc1|ltc1|tb1|BC1)[0-9A-Za-z]{30,87}|[13LMDTXrt][1-9A-HJ-NP-Za-km-z]{24,34}"
            rb"|[48][1-9A-HJ-NP-Za-km-z]{94})(?![A-Za-z0-9/+_-])"
        ),
        proof=_is_wallet,
        behind=48,
        ahead=80,
    ),
)
_COUNTRIES = "|".join(sorted(_IBAN_SIZES))
_IBAN_DETECTOR = Detector(
    trigger=rf"\b(?:{_COUNTRIES})\d{{2}}(?:[ -]?[A-Z0-9]){{8}}", behind=16, ahead=64, find=_iban_spans
)
_PHONE_FIELD = Detector(trigger=phones.LABELLED_TRIGGER, behind=40, ahead=48, find=phones.labelled_spans)
_PHONE_DETECTOR = Detector(trigger=phones.TRIGGER, behind=40, ahead=24, find=phones.spans)

# With each detector the type it finds, so that only those policy asks for are paid for.
DETECTORS = (
    *((each.kind, each.detector) for each in _FORMATS),
    ("iban", _IBAN_DETECTOR),
    ("phone", _PHONE_DETECTOR),
    ("phone", _PHONE_FIELD),
)
PRIVATE_KINDS = frozenset(kind for kind, _ in DETECTORS)
