"""Check digits, over what stands between spaces, dashes and dots. Pure."""

from __future__ import annotations

import re

from gateway.masking.plausible import passes_luhn

_BETWEEN = re.compile(r"[\s.\-/]")
# Verhoeff, "Error detecting decimal codes" (1969): the dihedral group's table and the permutation by place.
_PRODUCT = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_PERMUTED = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)


def luhn(value: str) -> bool:
    """Whether the last digit is Luhn's, as on payment cards."""
    digits = _BETWEEN.sub("", value)
    return _is_number(digits) and passes_luhn(digits)


def mod_97(value: str) -> bool:
    """ISO 7064 MOD 97-10 as in an IBAN: the first four characters moved behind, letters as 10 to 35."""
    plain = _BETWEEN.sub("", value).upper()
    if len(plain) < 5 or not plain.isascii() or not plain.isalnum():
        return False
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def verhoeff(value: str) -> bool:
    """Whether the last digit is Verhoeff's, as in Aadhaar numbers."""
    digits = _BETWEEN.sub("", value)
    if not _is_number(digits):
        return False
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = int(_PRODUCT[check][int(_PERMUTED[place % 8][int(digit)])])
    return check == 0


def iban_digits(country: str, account: str) -> str:
    """The two check digits of an IBAN (ISO 13616) with this country and account."""
    number = int("".join(str(int(one, 36)) for one in f"{account}{country}00"))
    return f"{98 - number % 97:02d}"


def _is_number(digits: str) -> bool:
    return len(digits) > 1 and digits.isascii() and digits.isdecimal()
