"""Decoys: values in the format of what they stand for, made for one response and known again by the tenant's key alone.

A decoy hides its response's tag under a proof nobody else can compute. Which form a value gets is `decoy_forms`' to
say, where decoys are looked for `decoy_watch`'s; which response a tag is, the control plane's.
"""

from __future__ import annotations

import hashlib
import hmac
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import log2

# An access key's id tells an account in the bits that hold the tag: every tag is then one of twelve digits.
TAGS = 5 * 10**11
DIGITS = "0123456789"
LOWER = "abcdefghijklmnopqrstuvwxyz"
_WORD = DIGITS + LOWER.upper() + LOWER
_HEX = DIGITS + "abcdef"
_PERSON = b"hoopweb-decoy"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The part of a decoy that carries its tag: characters for the tag, for what differs by value, for proof and check.

    `check` characters rule out nearly every other string for the price of a CRC; proof and check together are what a
    decoy is known by. `spread` is how far tags are spread under their veil: over all that so many characters can say,
    where nothing else asks for less. With `is_high` the first character is of its alphabet's upper half.
    """

    name: str
    alphabet: str
    tag: int
    variety: int
    proof: int
    check: int = 1
    spread: int = 0
    is_high: bool = False

    @property
    def length(self) -> int:
        """Characters in all."""
        return self.tag + self.variety + self.proof + self.check

    @property
    def proof_bits(self) -> float:
        """One of two to the power of so many strings of this shape is taken for a decoy by chance."""
        chance = TAGS / self.tags * len(self.alphabet) ** -(self.proof + self.check)
        return -log2(chance)

    @cached_property
    def tags(self) -> int:
        """How many tags stand under the veil."""
        return self.spread or len(self.alphabet) ** self.tag

    @cached_property
    def base(self) -> int:
        """How many characters there are."""
        return len(self.alphabet)

    @cached_property
    def least(self) -> int:
        """What is added to a veiled tag, so that its first character is a high one."""
        return self.base**self.tag // 2 if self.is_high else 0

    @cached_property
    def values(self) -> Mapping[str, int]:
        """What each character stands for."""
        return {character: value for value, character in enumerate(self.alphabet)}

    @cached_property
    def checks(self) -> tuple[bytes, ...]:
        """Every check there is, by its number."""
        return tuple(self.written(number, self.check).encode("latin-1") for number in range(self.base**self.check))

    def written(self, number: int, length: int) -> str:
        """The number's last so many characters."""
        found = []
        for _ in range(length):
            number, digit = divmod(number, self.base)
            found.append(self.alphabet[digit])
        return "".join(reversed(found))

    def read(self, text: str) -> int | None:
        """The number a text is; None for one that has other characters."""
        number, values = 0, self.values
        for character in text:
            value = values.get(character)
            if value is None:
                return None
            number = number * self.base + value
        return number


ACCESS_KEY = Shape(
    name="access-key",
    alphabet=LOWER.upper() + "234567",
    tag=8,
    variety=2,
    proof=5,
    spread=TAGS,
    # As in the ids that AWS issues since 2019.
    is_high=True,
)
WORD_20 = Shape(name="word-20", alphabet=_WORD, tag=7, variety=4, proof=8)
WORD_24 = Shape(name="word-24", alphabet=_WORD, tag=7, variety=4, proof=12)
WORD_30 = Shape(name="word-30", alphabet=_WORD, tag=7, variety=5, proof=17)
WORD_32 = Shape(name="word-32", alphabet=_WORD, tag=7, variety=5, proof=19)
WORD_40 = Shape(name="word-40", alphabet=_WORD, tag=7, variety=6, proof=26)
WORD_42 = Shape(name="word-42", alphabet=_WORD, tag=7, variety=6, proof=28)
HEX_30 = Shape(name="hex-30", alphabet=_HEX, tag=10, variety=6, proof=12, check=2)
HEX_32 = Shape(name="hex-32", alphabet=_HEX, tag=10, variety=6, proof=14, check=2)
HEX_40 = Shape(name="hex-40", alphabet=_HEX, tag=10, variety=6, proof=22, check=2)
HEX_64 = Shape(name="hex-64", alphabet=_HEX, tag=10, variety=6, proof=46, check=2)
MAILBOX = Shape(name="mailbox", alphabet=LOWER + "234567", tag=8, variety=4, proof=10, check=2)
ACCOUNT = Shape(name="account", alphabet=DIGITS + LOWER.upper(), tag=8, variety=4, proof=11)
SEED = Shape(name="seed", alphabet="".join(map(chr, range(256))), tag=5, variety=3, proof=23)
SHAPES = {
    shape.name: shape
    for shape in (
        *(ACCESS_KEY, WORD_20, WORD_24, WORD_30, WORD_32, WORD_40, WORD_42),
        *(HEX_30, HEX_32, HEX_40, HEX_64, MAILBOX, ACCOUNT, SEED),
    )
}


def _number(key: bytes, shape: Shape, purpose: bytes, said: bytes) -> int:
    """A number only the key's holder can tell."""
    asked = b"\0".join((purpose, shape.name.encode(), said))
    return int.from_bytes(hashlib.blake2b(asked, key=key, digest_size=40, person=_PERSON).digest(), "big")


def _veil(key: bytes, shape: Shape, rest: str) -> int:
    return _number(key, shape, b"veil", rest.encode("latin-1"))


def _proof(key: bytes, shape: Shape, tag: int, variety: str) -> int:
    return _number(key, shape, b"proof", b"%d/" % tag + variety.encode("latin-1"))


@lru_cache(maxsize=256)
def check_start(key: bytes) -> int:
    """What a tenant's checks begin with."""
    return int.from_bytes(hashlib.blake2b(b"check", key=key, digest_size=4, person=_PERSON).digest(), "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """What makes the decoys of one response: the tenant's key for decoys and the response's tag, below TAGS."""

    key: bytes = field(repr=False)
    tag: int

    def core(self, shape: Shape, value: str) -> str:
        """The decoy part that stands for this value: for the same one in this response the same, elsewhere another.

        Nothing of the value can be read from it without the key: what differs by value is a keyed hash.
        """
        said = b"%d/" % self.tag + value.encode("utf-8", "surrogatepass")
        variety = shape.written(_number(self.key, shape, b"value", said), shape.variety)
        rest = variety + shape.written(_proof(self.key, shape, self.tag, variety), shape.proof)
        # Under a veil of its own: two decoys of one response have nothing in common to know them by.
        veiled = (self.tag + _veil(self.key, shape, rest)) % shape.tags
        proven = shape.written(veiled + shape.least, shape.tag) + rest
        check = zlib.crc32(proven.encode("latin-1"), check_start(self.key)) % len(shape.checks)
        return proven + shape.checks[check].decode("latin-1")


def may_be(start: int, shape: Shape, core: bytes) -> bool:
    """Whether the check is right, which it is of one string in some dozens; `start` is the key's `check_start`."""
    place, checks = -shape.check, shape.checks
    return core[place:] == checks[zlib.crc32(core[:place], start) % len(checks)]


def tag_in(key: bytes, shape: Shape, core: bytes) -> int | None:
    """The tag of a decoy part made under this key; None for anything else."""
    if len(core) != shape.length or not may_be(check_start(key), shape, core):
        return None
    text = core.decode("latin-1")
    veiled = shape.read(text[: shape.tag])
    if veiled is None or not 0 <= veiled - shape.least < shape.tags:
        return None
    rest = text[shape.tag : -shape.check]
    tag = (veiled - shape.least - _veil(key, shape, rest)) % shape.tags
    if tag >= TAGS:
        return None
    variety, proof = rest[: shape.variety], rest[shape.variety :]
    expected = shape.written(_proof(key, shape, tag, variety), shape.proof)
    is_proven = hmac.compare_digest(proof.encode("latin-1"), expected.encode("latin-1"))
    return tag if is_proven else None
