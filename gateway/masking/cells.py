"""Private values that fill a cell: between commas, quotes, tabs or line ends, as tables and JSON hold them.

The quick twin of `personal` for text dense in such values: what it takes, `personal` takes as well; what it is not sure
of, it leaves to `personal`. Whether a text is dense is asked here too, since a pass over every cell has its price.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from gateway.masking import phones
from gateway.masking.catalogue import ByteSpan
from gateway.masking.personal import is_file_ending, is_issued, is_real_ipv6, is_version, size_of_iban

# (text, where the cell begins, the cell) -> its type, where it is one for certain, or nothing.
Proof = Callable[[bytes, int, bytes], str]

# A shorter text is not worth a look at how dense it is.
SMALLEST_DENSE = 4096
_SAMPLE = 1024
# With fewer values in a sample, triggers and a look at each cost less than this pass.
_DENSE = 6
_ENDS = bytes.maketrans(b',;|\t\r"', b"\n\n\n\n\n\n")
# A cell's shape: digits, hexadecimal letters and the others of either case are one each; other signs are themselves.
_LETTERS = bytes(range(ord("a"), ord("z") + 1))
_SHAPE = bytes.maketrans(
    b"0123456789" + _LETTERS + _LETTERS.upper() + b',;|\t\r"',
    b"_" * 10 + b"b" * 6 + b"z" * 20 + b"B" * 6 + b"Z" * 20 + b"\n" * 6,
)
# Signs that set a cell apart from any word before it; `personal` looks further back than a tab or a quote.
_APART = b",;|"
# What was taken: as long, with the words of a mail address, and nothing that `personal` would look at again.
_TAKEN = bytes.maketrans(b"0123456789@", b"__________.")
_BLANK = b"_" * 64
# A card's every second digit: doubled, and its digits added up.
_LUHN = bytes(sum(divmod(2 * (sign - 48), 10)) if 48 <= sign <= 57 else 0 for sign in range(256))
# ISO 13616: letters count as 10 to 35.
_IBAN_DIGITS = {sign: str(int(chr(sign), 36)) for sign in b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_LONGEST_EMAIL = 64
# A word before may say that so many digits are an AWS account.
_ACCOUNT_ID_SIZE = 12
# So many shapes are remembered; names alone have thousands.
_MOST_SHAPES = 16384

_SSN = re.compile(rb"(?!000|666|9|123-45-6789|078-05-1120|219-09-9999)\d{3}-(?!00)\d\d-(?!0000)\d{4}")
_ITIN = re.compile(rb"9\d\d-(?:[57]\d|6[0-5]|8[0-8]|9[0-24-9])-\d{4}")
_PHONE = re.compile(rb"(?:\+1-|1-|001-)?\(?[2-9]\d\d[-). ]{1,2}[2-9]\d\d[-.](?!(\d)\1{3})\d{4}(?:x\d{1,6})?")
_BYTE = rb"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = re.compile(rb"(?!(?:127\.0\.0\.1|0\.0\.0\.0|255\.(?:0|255)\.(?:0|255)\.\d{1,3})\Z)" + rb"\.".join([_BYTE] * 4))
_EMAIL = re.compile(rb"[A-Za-z0-9_]++(?:[._+-][A-Za-z0-9_]++)*+@(?:[A-Za-z0-9]++(?:-[A-Za-z0-9]++)*+\.)+[A-Za-z]{2,24}")


def _national(_data: bytes, _start: int, cell: bytes) -> str:
    if cell[0] == 57:
        return "itin" if _ITIN.fullmatch(cell) else ""
    return "ssn" if _SSN.fullmatch(cell) else ""


def _card(data: bytes, start: int, cell: bytes) -> str:
    digits = cell if cell.isdigit() else cell.replace(cell[4:5], b"")
    size = len(digits)
    total = sum(digits[-1::-2]) - 48 * ((size + 1) // 2) + sum(digits[-2::-2].translate(_LUHN))
    if total % 10 or not is_issued(digits[:4], size) or digits.count(digits[:1]) == size:
        return ""
    return "card" if size != _ACCOUNT_ID_SIZE or data[start - 1 : start] in _APART else ""


def _phone(data: bytes, start: int, cell: bytes) -> str:
    if _PHONE.fullmatch(cell) is None:
        return ""
    return "phone" if data[start - 1 : start] in _APART or not phones.is_called_otherwise(data, start) else ""


def _ipv4(data: bytes, start: int, cell: bytes) -> str:
    if _IPV4.fullmatch(cell) is None:
        return ""
    return "ip" if data[start - 1 : start] in _APART or not is_version(data, start) else ""


def _ipv6(_data: bytes, _start: int, cell: bytes) -> str:
    return "ip" if is_real_ipv6(cell.decode("ascii")) else ""


def _mac(_data: bytes, _start: int, cell: bytes) -> str:
    return "mac" if cell[:2] != cell[3:5] else ""


def _iban(_data: bytes, _start: int, cell: bytes) -> str:
    if size_of_iban(cell[:2]) != len(cell):
        return ""
    return "iban" if int("".join([_IBAN_DIGITS[sign] for sign in cell[4:] + cell[:4]])) % 97 == 1 else ""


def _email(_data: bytes, _start: int, cell: bytes) -> str:
    if len(cell) > _LONGEST_EMAIL or _EMAIL.fullmatch(cell) is None or cell[:4] == b"git@":
        return ""
    return "" if is_file_ending(cell[cell.rfind(b".") + 1 :]) else "email"


# What cells of a shape may be.
_SHAPES: tuple[tuple[re.Pattern[bytes], Proof], ...] = (
    (re.compile(rb"___-__-____"), _national),
    (re.compile(rb"_{12,19}|____([ -])____\1____\1____"), _card),
    (re.compile(rb"(?:\+?_-|___-)?(?:___-___-|\(___\) ?___-|___\.___\.)____(?:z_{1,6})?"), _phone),
    (re.compile(rb"_{1,3}(?:\._{1,3}){3}"), _ipv4),
    (re.compile(rb"[_bB]{2}([:-])(?:[_bB]{2}\1){4}[_bB]{2}"), _mac),
    (re.compile(rb"[BZ]{2}__[_BZ]{11,30}"), _iban),
    (re.compile(rb"(?=.*::)[_bB:]{4,39}|[_bB]{1,4}(?::[_bB]{1,4}){7}"), _ipv6),
)


@lru_cache(maxsize=_MOST_SHAPES)
def _proof_of(shape: bytes) -> Proof | None:
    return next((proof for pattern, proof in _SHAPES if pattern.fullmatch(shape)), None)


def is_dense(text: bytes) -> bool:
    """Whether a pass over every cell is the quicker way: told from three places of the text."""
    if len(text) < SMALLEST_DENSE:
        return False
    places = (0, len(text) // 2, len(text) - _SAMPLE)
    return any(len(taken(text[place : place + _SAMPLE], KINDS)[0]) >= _DENSE for place in places)


KINDS = frozenset(("ssn", "itin", "card", "phone", "ip", "mac", "iban", "email"))


def taken(text: bytes, kinds: frozenset[str]) -> tuple[list[ByteSpan], bytes]:
    """The values of these types that fill a cell for certain, in order, and the text without them, as long as it was."""
    spans: list[ByteSpan] = []
    left = bytearray(text)
    # What `ByteSpan(...)` does, without its cost for each of a million values.
    add, new = spans.append, tuple.__new__
    start = 0
    for cell, shape in zip(text.translate(_ENDS).split(b"\n"), text.translate(_SHAPE).split(b"\n"), strict=True):
        end = start + len(cell)
        proof = _email if b"@" in cell else _proof_of(shape)
        if proof is not None:
            kind = proof(text, start, cell)
            if kind in kinds:
                add(new(ByteSpan, (start, end, kind, kind)))
                left[start:end] = cell.translate(_TAKEN) if proof is _email else _BLANK[: end - start]
        start = end + 1
    return spans, bytes(left)
