"""Which patterns a tenant may write: linear in time, of bounded length, never empty, and not of everything. Pure.

Looking for them is `tenant_rules`' work.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable
from importlib import import_module

import re2

LONGEST_PATTERN = 512
# In characters, so at most four times as many bytes: a stream keeps more on either side of a cut.
LONGEST_VALUE = 256
# Instructions of the compiled program: beyond, a pass over a text costs too much.
_LARGEST_PROGRAM = 600
_MOST_MEMORY = 2 * 1024 * 1024
# Python's own reader of patterns, which has no public name any more.
_PARSER = import_module("re._parser")
# How much of ordinary text a detector may take for what it looks for.
_MOST_OF_ORDINARY = 0.05
# Nor how often: one find in so many characters.
_FEWEST_BETWEEN = 250
_LONG_LINE = (
    "When the build is done the agent reads the log from the start to the end, looks for the first error, and then tells "
    "the person what it found and where, so that the change can be made in one place and the tests can be run again; "
) * 8
_ENCODED = base64.b64encode(bytes(range(256)) * 4).decode()
# What agents read all day, without a single thing to hide.
ORDINARY = f"""{_LONG_LINE}
{_ENCODED}
"""
ORDINARY += """
The deployment finished at 14:02 and all twelve checks are green; see the runbook for what to do next.
2026-03-04T05:06:07.123Z INFO  worker-3 request_id=7d4e1c52-8f0b-4f3e-9b61-0a4c5e8d2f77 status=200 took=38ms path=/orders
{"orderId": 48213, "state": "shipped", "total": 129.90, "currency": "EUR", "items": [{"sku": "A-4471", "count": 2}]}
def total(items: list[Item]) -> Decimal: return sum((item.price * item.count for item in items), Decimal(0))
arn:aws:iam::123456789012:role/reporting i-0abcd1234ef567890 vol-049df61146c4d7901 sg-0a1b2c3d eu-central-1
commit 3f9aa81c77de0b1d5c6a7e8f90123456789abcde Author: Build Robot Date: Wed Mar 4 05:06:07 2026 +0000
id,name,amount,created\\n1001,Widget,12.50,2026-03-04\\n1002,Gadget,7.25,2026-03-05\\n1003,Sprocket,99.00,2026-03-06
https://docs.example.com/guide/start?lang=en#install  /usr/lib/python3/dist-packages  v2.14.3  127.0.0.1:8080
resource "aws_s3_bucket" "reports" { bucket = "acme-reports" tags = { team = "billing", env = "production" } }
<note><to>Team</to><body>Lunch at noon, room 204. Bring 3 chairs.</body></note> 0123456789 9876543210 2^31 = 2147483648
""".strip()


class RuleRefused(ValueError):
    """Why a pattern, name or example may not be a detector; in words for who wrote it."""


def compiled(pattern: str) -> re2._Regexp[bytes]:
    """The pattern over UTF-8 bytes; raises RuleRefused with the reason."""
    if not 1 <= len(pattern) <= LONGEST_PATTERN:
        raise RuleRefused(f"A pattern has 1 to {LONGEST_PATTERN} characters.")
    try:
        made = re2.compile(pattern.encode(), _options())
    except (re2.error, UnicodeEncodeError) as error:
        raise RuleRefused(f"The pattern does not compile (RE2 syntax): {_words(error)}.") from None
    _check_width(pattern)
    if made.programsize > _LARGEST_PROGRAM:
        raise RuleRefused("The pattern is too slow: write fewer or smaller repetitions.")
    if made.search(b"") is not None:
        raise RuleRefused("The pattern matches an empty text, so it matches everywhere.")
    return made


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_MEMORY
    return options


def _words(error: Exception) -> str:
    told = error.args[0] if error.args else ""
    return (told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told))[:200] or "it cannot be read"


def _check_width(pattern: str) -> None:
    """RE2 does not tell how long a match may be; Python reads the same syntax and does."""
    try:
        narrowest, widest = _PARSER.parse(pattern).getwidth()
    except (re.error, OverflowError, RecursionError):
        raise RuleRefused(
            "The pattern uses syntax that only one of the engines knows (as \\p or \\z): write it out."
        ) from None
    if widest > LONGEST_VALUE:
        raise RuleRefused(
            f"A value may be at most {LONGEST_VALUE} characters long, or a stream could cut it in two: write {{1,40}} "
            "instead of + or *."
        )
    if narrowest < 1:
        raise RuleRefused("The pattern can match an empty text, so it matches everywhere.")


# What patterns are slow on: long runs of every alphabet, and runs that almost match.
_DRAWN = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(1_500))
_RUNS = re.sub(rb"[+/=]", b"", base64.b64encode(_DRAWN))
SLOW = b"\n".join((_RUNS, _RUNS.lower(), b"a" * 4_000 + b"1", b"0123456789" * 400))
# Good patterns take a hundredth of this.
_LONGEST_SECONDS = len(SLOW) / 6_000_000
_LONGEST_SECONDS_TOGETHER = 4 * _LONGEST_SECONDS


def check_speed(
    spans: Callable[[bytes], Iterable[object]], clock: Callable[[], float], *, is_whole_set: bool = False
) -> None:
    """Raises RuleRefused where a pass over text made to be slow takes too long; `clock` is the thread's own time.

    The best of three, so that a busy machine refuses nothing that a quiet one takes.
    """
    taken = []
    for _ in range(3):
        begun = clock()
        for _span in spans(SLOW):
            continue
        taken.append(clock() - begun)
    if min(taken) > (_LONGEST_SECONDS_TOGETHER if is_whole_set else _LONGEST_SECONDS):
        which = "All live detectors together are" if is_whole_set else "The pattern is"
        raise RuleRefused(
            f"{which} too slow on long runs of letters and digits: repeat less, or begin with a fixed word."
        )


def check_ordinary(spans: Callable[[bytes], Iterable[tuple[int, int, str, str]]]) -> None:
    """Raises RuleRefused where much of ordinary text would be masked."""
    data = ORDINARY.encode()
    found = list(spans(data))
    if len(found) * _FEWEST_BETWEEN > len(data):
        raise RuleRefused(
            f"It matches {len(found)} times in a page of ordinary text: make it more particular, or name keywords."
        )
    share = sum(end - start for start, end, _kind, _rule in found) / len(data)
    if share > _MOST_OF_ORDINARY:
        taken = ", ".join(f"`{data[start:end].decode()[:40]}`" for start, end, _kind, _rule in found[:3])
        raise RuleRefused(
            f"It matches {share:.0%} of ordinary text ({taken}): make it more particular, or name keywords."
        )
