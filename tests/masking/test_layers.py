"""A secret under escapes or encodings is found where it stands in the outer text; bombs are not unpacked."""

from __future__ import annotations

import base64
import gzip
import json
import time
import zlib
from urllib.parse import quote

import pytest
import zstandard

from gateway.masking.content import ContentScanner
from gateway.masking.decoding import LARGEST_INFLATED, readable

PLAIN = 'line one\npassword = "Sw0rdf1sh/9!"\nand more words to fill the line\n'
TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"


def b64(data: bytes | str) -> str:
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


BLOBS = {
    "base64": b64(PLAIN),
    "URL-safe": base64.urlsafe_b64encode((PLAIN + "??>>~~é").encode()).decode().rstrip("="),
    "twice": b64(b64(PLAIN)),
    "gzip": b64(gzip.compress(PLAIN.encode(), mtime=0)),
    "zlib": b64(zlib.compress(PLAIN.encode())),
    "zstd": b64(zstandard.compress(PLAIN.encode())),
    "UTF-16": b64(PLAIN.encode("utf-16-le")),
    "gzip of base64": b64(gzip.compress(b64(PLAIN).encode(), mtime=0)),
}


@pytest.mark.parametrize("blob", BLOBS.values(), ids=BLOBS)
@pytest.mark.parametrize("around", [("", ""), ('{"note": "', '"}'), ("note=", "&n=1"), ("é text ", " end")])
def test_a_blob_that_holds_a_secret_is_masked_whole(
    scanner: ContentScanner, blob: str, around: tuple[str, str]
) -> None:
    spans = scanner.spans(around[0] + blob + around[1])
    assert [(span.start, span.end) for span in spans] == [(len(around[0]), len(around[0]) + len(blob))]
    assert spans[0].rule.startswith("base64:")


def test_base64_in_lines_is_one_blob(scanner: ContentScanner) -> None:
    text = "data:\n  " + base64.encodebytes((PLAIN * 4).encode()).decode().rstrip().replace("\n", "\n  ") + "\nend: 1\n"
    (span,) = scanner.spans(text)
    assert (span.start, text[span.end :]) == (8, "\nend: 1\n")


@pytest.mark.parametrize(
    "blob", [b64("nothing but words in here, none of them secret"), b64(bytes(range(256))), "A" * 400]
)
def test_a_blob_without_a_secret_is_left_alone(scanner: ContentScanner, blob: str) -> None:
    assert scanner.spans(f"note={blob}") == []


ESCAPED = {
    r"\u": "".join(f"\\u{ord(each):04x}" for each in TOKEN),
    r"\x": "".join(f"\\x{ord(each):02x}" for each in TOKEN),
    "percent": "".join(f"%{ord(each):02X}" for each in TOKEN),
    "references": "".join(f"&#{ord(each)};" for each in TOKEN),
    "hexadecimal references": "".join(f"&#x{ord(each):x};" for each in TOKEN),
    "percent twice": quote(quote("".join(f"%{ord(each):02X}" for each in TOKEN), safe=""), safe=""),
}


@pytest.mark.parametrize("escaped", ESCAPED.values(), ids=ESCAPED)
def test_an_escaped_secret_is_masked_where_it_stands(scanner: ContentScanner, escaped: str) -> None:
    text = f"é before {escaped} after"
    assert [span[:2] for span in scanner.spans(text)] == [(9, 9 + len(escaped))]


@pytest.mark.parametrize("depth", [1, 2])
def test_json_in_json_is_read_as_json(scanner: ContentScanner, depth: int) -> None:
    inner = json.dumps({"user": "ada", "db_password": 'Sw0rd"f1sh\\x'})
    for _ in range(depth):
        inner = json.dumps({"body": inner})
    (span,) = scanner.spans(inner)
    found = inner[span.start : span.end]
    assert found.startswith("Sw0rd")
    assert found.endswith("x")
    assert "ada" not in found


def test_escapes_around_nothing_are_left_alone(scanner: ContentScanner) -> None:
    assert scanner.spans(r"\u0041 %41 &amp; \"quoted\" &#65; https://x.example/?q=a%20b%2Fc") == []


def test_a_bomb_is_read_up_to_a_bound(scanner: ContentScanner) -> None:
    bomb = b64(gzip.compress(b"words and " * (8 * LARGEST_INFLATED // 10), mtime=0))
    started = time.perf_counter()
    assert scanner.spans(f"note={bomb} password=Sw0rdf1sh") != []
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("raw", [b"", b"\x89PNG\r\n\x1a\n\0\0", b"\x80\x81\x82", b"\x1f\x8b\x08broken"])
def test_bytes_that_are_no_text_say_nothing(raw: bytes) -> None:
    assert readable(raw) is None
