"""Whether a text is a table of private values: then `columns` reads all its cells at once before triggers are asked.

What such values look like is told here by their shape alone; what proves them is `columns`' and `personal`'s.
"""

from __future__ import annotations

import re
from functools import lru_cache

# What ends a cell: tables and JSON hold values between these.
ENDS = b',;|\t\r"\n'
# The types whose values are told from a cell alone.
KINDS = frozenset(("ssn", "itin", "card", "phone", "ip", "mac", "iban", "email"))
# A shorter text is not worth a look at how dense it is.
SMALLEST_DENSE = 4096
_SAMPLE = 1024
# With fewer values in a sample, triggers and a look at each cost less than a pass over all cells.
_DENSE = 6
# A cell's shape: digits, hexadecimal letters and the others of either case are one each; other signs are themselves.
_LETTERS = bytes(range(ord("a"), ord("z") + 1))
_SHAPE = bytes.maketrans(
    b"0123456789" + _LETTERS + _LETTERS.upper() + ENDS,
    b"_" * 10 + b"b" * 6 + b"z" * 20 + b"B" * 6 + b"Z" * 20 + b"\n" * len(ENDS),
)
_VALUE = re.compile(
    rb"___-__-____"
    rb"|_{12,19}|____([ -])____\1____\1____"
    rb"|(?:\+?_-|___-)?(?:___-___-|\(___\) ?___-|___\.___\.)____(?:z_{1,6})?"
    rb"|_{1,3}(?:\._{1,3}){3}"
    rb"|[_bB]{2}([:-])(?:[_bB]{2}\2){4}[_bB]{2}"
    rb"|[BZ]{2}__[_BZ]{11,30}"
    rb"|(?=.*::)[_bB:]{6,39}|[_bB]{1,4}(?::[_bB]{1,4}){7}"
    rb"|[\w.+-]{1,63}@[\w.-]{4,}"
)
# So many shapes are remembered; names alone have thousands.
_MOST_SHAPES = 16384


@lru_cache(maxsize=_MOST_SHAPES)
def _may_be_value(shape: bytes) -> bool:
    return _VALUE.fullmatch(shape) is not None


def is_dense(text: bytes) -> bool:
    """Whether a pass over every cell is the quicker way: told from three places of the text."""
    if len(text) < SMALLEST_DENSE:
        return False
    places = (0, len(text) // 2, len(text) - _SAMPLE)
    return any(_likely_values(text[place : place + _SAMPLE]) >= _DENSE for place in places)


def _likely_values(sample: bytes) -> int:
    return sum(map(_may_be_value, sample.translate(_SHAPE).split(b"\n")))
