"""Text as an approver must see it: nothing invisible, nothing that reorders. Pure.

HTML escaping is the template's; this comes before it, and the API shows the same text.
"""

from __future__ import annotations

import re
import unicodedata

# Invisible without being format characters: joiners, fillers, variation selectors, the blank Braille pattern.
_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2065\u2800\u3164\uffa0"
    + "".join(chr(point) for point in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
# Control, format (bidi and zero-width among them), surrogate, private, unassigned, line and paragraph separators.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# A backslash that would read as one of our own escapes is itself escaped, so that no text can pretend to be one.
_PLAIN = re.compile(r"[ -\[\]-~]*")


def visible(text: str) -> str:
    r"""Return one line with every hidden character as `\u{hex}`, line ends and tabs included."""
    return _escaped(text, kept="")


def visible_lines(text: str) -> str:
    r"""Return text whose line ends and tabs are kept, with every other hidden character as `\u{hex}`."""
    return _escaped(text.replace("\r\n", "\n"), kept="\n\t")


def _escaped(text: str, *, kept: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return "".join(
        f"\\u{{{ord(character):x}}}" if _is_escaped(text, place, kept) else character
        for place, character in enumerate(text)
    )


def _is_escaped(text: str, place: int, kept: str) -> bool:
    character = text[place]
    if character == "\\":
        return text.startswith("u{", place + 1)
    return character not in kept and _is_hidden(character)


def _is_hidden(character: str) -> bool:
    category = unicodedata.category(character)
    # Every space but the plain one looks like it, and is another.
    return category in _HIDDEN or (category == "Zs" and character != " ") or character in _BLANK
