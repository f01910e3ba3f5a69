"""`python -m gateway.masking spans|mask`: the detectors on standard input, for pipes and for measuring.

`spans` reads JSON lines `{"id", "text"}` and writes `{"id", "spans": [[start, end, type], ...]}` in code points;
`mask` streams bytes and writes them with secrets replaced. `compile` fills the rule cache and ends.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from gateway.masking.content import ContentScanner, Wanted, default_scanner
from gateway.masking.personal import PRIVATE_KINDS
from gateway.masking.streaming import Masker
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, MaskPlan, OpaqueChoice

USAGE = (
    "usage: python -m gateway.masking spans < in.jsonl > out.jsonl\n"
    "       python -m gateway.masking mask < in > out\n"
    "       python -m gateway.masking compile"
)
# Measuring wants every detector on; what a tenant's policy leaves out is not this command's to know.
ALL_KINDS = Wanted(masks=tuple(sorted(PRIVATE_KINDS)))

# A pipe's text, whatever else is in it: what `spans` would show, and nothing refused.
ANY_BYTES = MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB, masks=ALL_KINDS.masks, opaque=OpaqueChoice.PASS)
CHUNK = 256 * 1024


def main(arguments: list[str], source: BinaryIO, target: BinaryIO) -> int:
    """Run one command; returns the exit status."""
    scanner = default_scanner()
    match arguments:
        case ["spans"]:
            for line in span_lines(source, scanner):
                target.write(line)
        case ["mask"]:
            mask_stream(source, target, scanner)
        case ["compile"]:
            scanner.load()
        case _:
            sys.stderr.write(USAGE + "\n")
            return 2
    target.flush()
    return 0


def span_lines(lines: Iterable[bytes], scanner: ContentScanner) -> Iterator[bytes]:
    """One answer line for each question line; blank lines are skipped."""
    for line in lines:
        if line.strip():
            record = json.loads(line)
            spans = [[span.start, span.end, span.kind] for span in scanner.spans(record["text"], ALL_KINDS)]
            yield json.dumps({"id": record["id"], "spans": spans}).encode() + b"\n"


def mask_stream(source: BinaryIO, target: BinaryIO, scanner: ContentScanner) -> None:
    """Bytes with their secrets replaced, in constant memory. Bytes that are not UTF-8 stand for themselves."""
    masker = Masker(ANY_BYTES, scanner=scanner)
    while chunk := source.read(CHUNK):
        target.write(masker.feed(chunk))
    target.write(masker.finish())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdin.buffer, sys.stdout.buffer))
