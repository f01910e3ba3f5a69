"""Private values that fill a cell, told for all cells of a text at once: a table has tens of thousands a megabyte.

The quick twin of `personal`: what it takes, `personal` takes as well; what it is not sure of, it leaves to `personal`.
Which texts are worth it is `cells`' to say; numpy is loaded with this file, so at the first of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import repeat

import numpy as np
import numpy.typing as npt

from gateway.masking import phones
from gateway.masking.catalogue import ByteSpan
from gateway.masking.cells import ENDS
from gateway.masking.personal import is_file_ending, is_issued, is_real_ipv6, is_version, size_of_iban

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]

_LONGEST = 64
_DIGITS, _UPPER, _SMALL, _HEX = b"0123456789", bytes(range(65, 91)), bytes(range(97, 123)), b"abcdefABCDEF"
# What is counted in each cell, a byte of a large number for each: no longer cell is looked at, so none runs over.
_COUNTED = (_DIGITS, _UPPER + _SMALL, _HEX, _UPPER, b":", b".", b"-", b"@")
_DIGIT, _LETTER, _HEXES, _CAPITAL, _COLON, _DOT, _DASH, _AT = range(len(_COUNTED))
# Signs that set a cell apart from any word before it; `personal` looks further back than a tab or a quote.
_APART = b",;|"
_ZERO, _MINUS, _BLANK = 48, 45, 95
_ACCOUNT_ID_SIZE = 12


def _flags(signs: bytes) -> Flags:
    table = np.zeros(256, dtype=np.bool_)
    table[list(signs)] = True
    return table


_WEIGHTS = np.array(
    [sum((sign in signs) << (8 * place) for place, signs in enumerate(_COUNTED)) for sign in range(256)],
    dtype=np.uint64,
)
_IS_END = _flags(ENDS)
_IS_APART = _flags(_APART)
_IS_ALNUM = _flags(_DIGITS + _UPPER + _SMALL)
_IS_WORD = _flags(_DIGITS + _UPPER + _SMALL + b"_")
_IS_SIGN = _flags(b".+-@")
# ISO 13616: letters count as 10 to 35.
_IBAN_VALUE = np.array(
    [int(chr(sign), 36) if chr(sign) in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" else 0 for sign in range(256)]
)
_IBAN_FACTOR = np.where(_IBAN_VALUE > 9, 100, 10)
_IBAN_FACTOR[0] = 1
_IBAN_SIZE = np.array([size_of_iban(bytes((first, second))) for first in _UPPER for second in _UPPER]).reshape(26, 26)
_SHORTEST_IBAN, _LONGEST_IBAN = 15, 34
# A card's every second digit: doubled, and its digits added up.
_LUHN = np.array([sum(divmod(2 * digit, 10)) for digit in range(10)])
# What stays of a sign outside and inside of what was taken: as long, with the words of a mail address, and nothing that
# `personal` would look at again.
_AS_BLANK, _AS_EMAIL = 1, 2
_LEFT = np.array([range(256), [_BLANK] * 256, list(bytes.maketrans(b"0123456789@", b"__________."))], dtype=np.uint8)

_PHONE = re.compile(
    rb"(?:\+?1-|001-)?(?:[2-9]\d\d-[2-9]\d\d-|\([2-9]\d\d\) ?[2-9]\d\d-|[2-9]\d\d\.[2-9]\d\d\.)(?!(\d)\1{3})\d{4}(?:x\d{1,6})?"
)
_KNOWN_SSN = (123456789, 78051120, 219099999)


class Cells:
    """A text's cells: where they begin and end, how long they are, and what they are made of."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.signs: Bytes = np.frombuffer(text, dtype=np.uint8)
        stops = np.flatnonzero(_IS_END[self.signs])
        starts = np.concatenate(([0], stops + 1))
        ends = np.concatenate((stops, [len(text)]))
        is_likely = (ends - starts >= 6) & (ends - starts <= _LONGEST)
        self.starts: Places = starts[is_likely]
        self.ends: Places = ends[is_likely]
        self.sizes: Places = self.ends - self.starts
        self._so_far = np.concatenate((np.zeros(1, dtype=np.uint64), np.cumsum(_WEIGHTS[self.signs])))
        self._counts = self.counts(self.starts, self.ends)

    def counts(self, starts: Places, ends: Places) -> Bytes:
        """How many signs of each sort stand between these places: a row for each pair."""
        return (self._so_far[ends] - self._so_far[starts]).view(np.uint8).reshape(-1, len(_COUNTED))

    def count(self, sort: int) -> npt.NDArray[np.int64]:
        """How many signs of this sort each cell has."""
        return self._counts[:, sort].astype(np.int64)

    def rows(self, places: Places, size: int) -> npt.NDArray[np.int64]:
        """The signs of these cells, which have this size: a row for each."""
        signs: Bytes = self.signs[self.starts[places, None] + np.arange(size)]
        return signs.astype(np.int64)

    def cell(self, place: int) -> bytes:
        """One cell."""
        return self.text[self.starts[place] : self.ends[place]]

    def undoubted(self, places: Places, doubt: Callable[[bytes, int], bool]) -> Places:
        """Without those that a word before them may name something else."""
        before = self.signs[np.maximum(self.starts[places] - 1, 0)]
        is_apart = _IS_APART[before] & (self.starts[places] > 0)
        doubted = [place for place in places[~is_apart].tolist() if doubt(self.text, int(self.starts[place]))]
        return np.setdiff1d(places, doubted) if doubted else places


def _number(digits: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Rows of digits as numbers."""
    return (digits - _ZERO) @ (10 ** np.arange(digits.shape[1])[::-1])


def _national(cells: Cells) -> tuple[Places, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cells like 123-45-6789 with their nine digits and the two in the middle."""
    places = np.flatnonzero((cells.sizes == 11) & (cells.count(_DIGIT) == 9) & (cells.count(_DASH) == 2))
    rows = cells.rows(places, 11)
    is_shaped = (rows[:, 3] == _MINUS) & (rows[:, 6] == _MINUS)
    rows = rows[is_shaped]
    return places[is_shaped], _number(rows[:, (0, 1, 2, 4, 5, 7, 8, 9, 10)]), _number(rows[:, 4:6])


def _ssn(cells: Cells) -> Places:
    places, number, group = _national(cells)
    area = number // 1_000_000
    is_area = (area != 0) & (area != 666) & (area < 900)
    is_right: Flags = is_area & (group != 0) & (number % 10_000 != 0) & ~np.isin(number, _KNOWN_SSN)
    return places[is_right]


def _itin(cells: Cells) -> Places:
    places, number, group = _national(cells)
    is_group: Flags = (group >= 50) & ~np.isin(group, (66, 67, 68, 69, 89, 93))
    return places[(number >= 900_000_000) & is_group]


def _card(cells: Cells) -> Places:
    digits, found = cells.count(_DIGIT), []
    for size in range(12, 20):
        places = np.flatnonzero((cells.sizes == size) & (digits == size))
        found.append(_cards_among(cells, places, cells.rows(places, size) - _ZERO))
    places = np.flatnonzero((cells.sizes == 19) & (digits == 16))
    rows = cells.rows(places, 19)
    sign = rows[:, 4]
    is_shaped = ((sign == 32) | (sign == _MINUS)) & (rows[:, 9] == sign) & (rows[:, 14] == sign)
    grouped = np.delete(rows[is_shaped], (4, 9, 14), axis=1) - _ZERO
    return np.concatenate((*found, _cards_among(cells, places[is_shaped], grouped)))


def _cards_among(cells: Cells, places: Places, digits: npt.NDArray[np.int64]) -> Places:
    size = digits.shape[1]
    total = digits[:, ::-2].sum(axis=1) + _LUHN[digits[:, -2::-2]].sum(axis=1)
    is_varied = (digits != digits[:, :1]).any(axis=1)
    passing = np.flatnonzero((total % 10 == 0) & is_varied)
    issued = _issued(size)[digits[passing, :4] @ (1000, 100, 10, 1)]
    found = places[passing[issued]]
    # A word before may say that so many digits are an AWS account.
    return cells.undoubted(found, lambda _text, _start: True) if size == _ACCOUNT_ID_SIZE else found


@cache
def _issued(size: int) -> Flags:
    """By the first four digits, whether some issuer numbers cards of this size so."""
    return np.fromiter((is_issued(b"%04d" % beginning, size) for beginning in range(10_000)), np.bool_, 10_000)


def _phone(cells: Cells) -> Places:
    digits, letters = cells.count(_DIGIT), cells.count(_LETTER)
    signs = cells.sizes - digits - letters
    likely = np.flatnonzero((digits >= 10) & (digits <= 19) & (letters <= 1) & (signs >= 2) & (signs <= 5))
    starts, ends = cells.starts[likely].tolist(), cells.ends[likely].tolist()
    matches = map(_PHONE.fullmatch, repeat(cells.text), starts, ends)
    found = [place for place, match in zip(likely.tolist(), matches, strict=True) if match is not None]
    return cells.undoubted(np.array(found, dtype=np.intp), phones.is_called_otherwise)


def _ipv4(cells: Cells) -> Places:
    digits, dots = cells.count(_DIGIT), cells.count(_DOT)
    places = np.flatnonzero((dots == 3) & (digits + 3 == cells.sizes) & (cells.sizes <= 15))
    where = np.flatnonzero(cells.signs == ord("."))
    first = np.searchsorted(where, cells.starts[places])
    stops = [*(where[first + step] for step in range(3)), cells.ends[places]] if len(places) else []
    begins = [cells.starts[places], *(stop + 1 for stop in stops[:3])]
    is_right, values = np.ones(len(places), dtype=np.bool_), []
    for begin, stop in zip(begins, stops, strict=False):
        value, is_byte = _byte_values(cells.signs, begin, stop - begin)
        is_right &= is_byte
        values.append(value)
    if not len(places):
        return places
    joined = ((values[0] * 256 + values[1]) * 256 + values[2]) * 256 + values[3]
    is_netmask = (values[0] == 255) & np.isin(values[1], (0, 255)) & np.isin(values[2], (0, 255))
    return cells.undoubted(places[is_right & ~is_netmask & (joined != 0) & (joined != 0x7F000001)], is_version)


def _byte_values(signs: Bytes, begin: Places, size: Places) -> tuple[npt.NDArray[np.int64], Flags]:
    """Numbers of one to three digits from these places, and whether each is written as a byte is."""
    last = len(signs) - 1
    digits = [signs[np.minimum(begin + step, last)].astype(np.int64) - _ZERO for step in range(3)]
    value = np.where(size > 1, digits[0] * 10 + digits[1], digits[0])
    value = np.where(size > 2, value * 10 + digits[2], value)
    return value, (size >= 1) & (size <= 3) & (value <= 255) & ((size == 1) | (digits[0] != 0))


def _ipv6(cells: Cells) -> Places:
    colons = cells.count(_COLON)
    is_colon = cells.signs == ord(":")
    doubled = np.flatnonzero(is_colon[:-1] & is_colon[1:])
    has_doubled = np.searchsorted(doubled, cells.starts) < np.searchsorted(doubled, cells.ends)
    is_made = cells.count(_DIGIT) + cells.count(_HEXES) + colons == cells.sizes
    is_made &= (cells.sizes <= 39) & (has_doubled | (colons == 7))
    found = [place for place in np.flatnonzero(is_made).tolist() if is_real_ipv6(cells.cell(place).decode("ascii"))]
    return np.array(found, dtype=np.intp)


def _mac(cells: Cells) -> Places:
    is_joined = (cells.count(_COLON) == 5) | (cells.count(_DASH) == 5)
    is_hex = cells.count(_DIGIT) + cells.count(_HEXES) == 12
    places = np.flatnonzero((cells.sizes == 17) & is_joined & is_hex)
    rows = cells.rows(places, 17)
    joins = rows[:, 2::3]
    is_shaped = (joins == joins[:, :1]).all(axis=1) & np.isin(joins[:, 0], (ord(":"), _MINUS))
    is_right: Flags = is_shaped & (rows[:, 0:2] != rows[:, 3:5]).any(axis=1)
    return places[is_right]


def _iban(cells: Cells) -> Places:
    digits, letters = cells.count(_DIGIT), cells.count(_CAPITAL)
    is_made = (digits + letters == cells.sizes) & (letters >= 2)
    places = np.flatnonzero(is_made & (cells.sizes >= _SHORTEST_IBAN) & (cells.sizes <= _LONGEST_IBAN))
    rows = cells.rows(places, 4)
    is_shaped = (rows[:, :2] > 64).all(axis=1) & (rows[:, 2:] < 58).all(axis=1)
    places, rows = places[is_shaped], rows[is_shaped]
    places = places[_IBAN_SIZE[rows[:, 0] - 65, rows[:, 1] - 65] == cells.sizes[places]]
    starts, sizes = cells.starts[places], cells.sizes[places]
    rest = np.zeros(len(places), dtype=np.int64)
    for step in range(sizes.max(initial=0)):
        # Country and check digits come last; shorter ones end sooner.
        place = np.where(step < sizes - 4, step + 4, step - sizes + 4)
        signs = np.where(step < sizes, cells.signs[starts + np.where(step < sizes, place, 0)], 0)
        rest = rest * _IBAN_FACTOR[signs] + _IBAN_VALUE[signs]
        if step % 4 == 3:
            # Four letters more still fit into 63 bits.
            rest %= 97
    found: Places = places[rest % 97 == 1]
    return found


def _email(cells: Cells) -> Places:
    signs, one = cells.signs, np.zeros(1, dtype=np.int32)
    is_word, is_sign = _IS_WORD[signs], _IS_SIGN[signs]
    has_words = np.zeros(len(signs), dtype=np.bool_)
    has_words[1:-1] = is_word[:-2] & is_word[2:]
    wrong = np.concatenate((one, np.cumsum(~(is_word | (is_sign & has_words)), dtype=np.int32)))
    places = np.flatnonzero((cells.count(_AT) == 1) & (wrong[cells.ends] == wrong[cells.starts]))
    starts, ends = cells.starts[places], cells.ends[places]
    at = np.flatnonzero(signs == ord("@"))
    at = at[np.searchsorted(at, starts)] if len(places) else starts
    dots = np.concatenate(([-1], np.flatnonzero(signs == ord("."))))
    last = dots[np.searchsorted(dots, ends) - 1]
    # No domain has an underscore or a plus; its end is of letters.
    local_only = np.concatenate((one, np.cumsum((signs == ord("_")) | (signs == ord("+")), dtype=np.int32)))
    size = ends - last - 1
    is_ended = (last > at) & (size >= 2) & (size <= 24)
    is_ended[is_ended] = cells.counts(last[is_ended] + 1, ends[is_ended])[:, _LETTER] == size[is_ended]
    is_right = is_ended & (local_only[ends] == local_only[at])
    text = cells.text
    kept = [
        place
        for place, start, dot, end in zip(
            *(each[is_right].tolist() for each in (places, starts, last, ends)), strict=True
        )
        if not is_file_ending(text[dot + 1 : end]) and text[start : start + 4] != b"git@"
    ]
    return np.array(kept, dtype=np.intp)


_FINDERS: tuple[tuple[str, Callable[[Cells], Places]], ...] = (
    ("ssn", _ssn),
    ("itin", _itin),
    ("card", _card),
    ("phone", _phone),
    ("ip", _ipv4),
    ("ip", _ipv6),
    ("mac", _mac),
    ("iban", _iban),
    ("email", _email),
)
_KINDS = tuple(dict.fromkeys(kind for kind, _ in _FINDERS))
# While values are written, one byte each stands for the types: no UTF-8 text holds these.
_STAND_INS = range(0xF8, 0xF8 + len(_KINDS))
_as_span = partial(tuple.__new__, ByteSpan)


class Table:
    """A text's values that fill a cell: where they begin and end, in order, and which of the types each is."""

    def __init__(self, text: bytes, starts: Places, ends: Places, kinds: Places) -> None:
        self.text, self._starts, self._ends, self._kinds = text, starts, ends, kinds

    def __len__(self) -> int:
        return len(self._starts)

    def spans(self) -> list[ByteSpan]:
        """The values one by one."""
        names = [_KINDS[kind] for kind in self._kinds.tolist()]
        # What `ByteSpan(...)` does, without its cost for each of a million values.
        return list(map(_as_span, zip(self._starts.tolist(), self._ends.tolist(), names, names, strict=True)))

    def counts(self) -> dict[str, int]:
        """How many values there are of each type."""
        return {_KINDS[kind]: int(count) for kind, count in enumerate(np.bincount(self._kinds)) if count}

    def only(self, which: Flags | slice) -> Table:
        """Some of the values."""
        return Table(self.text, self._starts[which], self._ends[which], self._kinds[which])

    def apart_from(self, spans: Sequence[ByteSpan]) -> tuple[Table, list[ByteSpan]]:
        """The values that none of these disjoint spans touches, and the others."""
        if not spans:
            return self, []
        begins, ends = np.array([span[:2] for span in spans]).T
        # The first span that ends behind the value's beginning: does it begin before the value's end?
        first = np.searchsorted(ends, self._starts, side="right")
        touched = np.append(begins, len(self.text))[first] < self._ends
        return self.only(~touched), self.only(touched).spans()

    def inside(self, first: int, start: int, last: int) -> tuple[Table, list[ByteSpan]]:
        """The values from `start` to `last` but the last one, and those that reach over these edges, or stand before."""
        is_inside = (self._starts >= start) & (self._ends <= last)
        is_inside[np.flatnonzero(is_inside)[-1:]] = False
        is_near: Flags = ~is_inside & (self._ends > first) & (self._starts < last)
        return self.only(is_inside), self.only(is_near).spans()

    def left(self) -> bytes:
        """The text without the values, as long as it was."""
        bounds = np.zeros(len(self.text) + 1, dtype=np.int8)
        way = np.where(self._kinds == _KINDS.index("email"), _AS_EMAIL, _AS_BLANK)
        bounds[self._starts], bounds[self._ends] = way, -way
        left: Bytes = _LEFT[np.cumsum(bounds[:-1], dtype=np.int32), np.frombuffer(self.text, dtype=np.uint8)]
        return left.tobytes()

    def written(self, stretches: Sequence[tuple[int, int]], label: Callable[[str], bytes]) -> list[bytes]:
        """These stretches of the text with the label of its type in each value's place; none may cut a value."""
        signs, bounds = np.frombuffer(self.text, dtype=np.uint8).copy(), np.zeros(len(self.text) + 1, dtype=np.int8)
        signs[self._starts] = _STAND_INS.start + self._kinds
        bounds[self._starts + 1], bounds[self._ends] = 1, -1
        text = signs[np.cumsum(bounds[:-1], dtype=np.int32) == 0].tobytes()
        for sign, kind in zip(_STAND_INS, _KINDS, strict=True):
            text = text.replace(bytes((sign,)), label(kind))
        sizes = np.array([len(label(kind)) for kind in _KINDS])
        grown = np.concatenate(([0], np.cumsum(sizes[self._kinds] - (self._ends - self._starts))))
        places = np.array(stretches)
        return [text[start:end] for start, end in (places + grown[np.searchsorted(self._starts, places)]).tolist()]


def taken(text: bytes, kinds: frozenset[str]) -> Table:
    """The values of these types that fill a cell for certain."""
    cells = Cells(text)
    found = [(_KINDS.index(kind), find(cells)) for kind, find in _FINDERS if kind in kinds]
    places = np.concatenate([places for _, places in found])
    order = np.argsort(places)
    which = np.repeat([kind for kind, _ in found], [len(places) for _, places in found])
    return Table(text, cells.starts[places[order]], cells.ends[places[order]], which[order])
