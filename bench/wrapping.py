"""Labelled texts as they travel: escaped, encoded, in JSON, XML, CSV and DynamoDB's form, with their labels moved along.

Field names are neutral: one that says `secret` would give the score away.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from itertools import accumulate
from urllib.parse import quote
from xml.sax.saxutils import escape

from gateway.masking.quality import Labelled

Wrap = Callable[[Labelled], Labelled]


def _by_character(encode: Callable[[str], str], before: str, after: str) -> Wrap:
    """Each character by itself, so that a label's place is known."""

    def wrap(record: Labelled) -> Labelled:
        pieces = [encode(character) for character in record.text]
        places = [len(before), *(len(before) + size for size in accumulate(map(len, pieces)))]
        spans = tuple((places[start], places[end], kind) for start, end, kind in record.spans)
        return Labelled(text=before + "".join(pieces) + after, spans=spans, source=record.source)

    return wrap


def _as_blob(encode: Callable[[bytes], str]) -> Wrap:
    """One blob: a label in it is a label on all of it."""

    def wrap(record: Labelled) -> Labelled:
        blob, before = encode(record.text.encode("utf-8", "replace")), '{"note": "'
        spans = tuple((len(before), len(before) + len(blob), kind) for _, _, kind in record.spans[:1])
        return Labelled(text=f'{before}{blob}"}}', spans=spans, source=record.source)

    return wrap


def _json(character: str) -> str:
    return json.dumps(character, ensure_ascii=False)[1:-1]


def _twice(character: str) -> str:
    return _json(_json(character))


def _base64(text: bytes) -> str:
    return base64.b64encode(text).decode()


def _code_unit(character: str) -> str:
    return "".join(rf"\u{each}" for each in character.encode("utf-16-be").hex(" ", 2).split())


FORMS: dict[str, Wrap] = {
    "JSON": _by_character(_json, '{"note": "', '", "n": 1}'),
    "JSON in JSON": _by_character(_twice, r'{"body": "{\"note\": \"', r'\"}", "n": 1}'),
    r"\u escapes": _by_character(_code_unit, '{"note": "', '"}'),
    "percent": _by_character(lambda character: quote(character, safe=""), "note=", "&n=1"),
    "base64": _as_blob(_base64),
    "base64 twice": _as_blob(lambda text: _base64(_base64(text).encode())),
    "base64 of gzip": _as_blob(lambda text: _base64(gzip.compress(text, mtime=0))),
    "base64 of UTF-16": _as_blob(lambda text: _base64(text.decode().encode("utf-16-le"))),
    "XML": _by_character(lambda character: escape(character, {'"': "&quot;"}), "<r><note>", "</note></r>"),
    "CSV": _by_character(lambda character: '""' if character == '"' else character, '1,"', '",x\n'),
    "DynamoDB": _by_character(_json, '{"Item": {"id": {"S": "c-1"}, "note": {"S": "', '"}}}'),
}
