"""How much of a labelled corpus is masked, and how often wrongly.

A corpus is a folder of `*.jsonl` lines `{"text", "spans": [[start, end, type], ...], "src"}`; a small one of secrets
can be generated. `bench.quality` prints the tables; nothing here decides what is good enough.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from gateway.masking.__main__ import ALL_KINDS
from gateway.masking.content import ContentScanner, Span

# A span counts as recalled when this share of its characters is masked: less leaves enough to use or to guess.
FULL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """One text and its gold spans (code points, end exclusive, type)."""

    text: str
    spans: tuple[tuple[int, int, str], ...]
    source: str


@dataclass(slots=True)
class Score:
    """Counts for one source or type."""

    gold: int = 0
    full: int = 0
    predicted: int = 0
    touching: int = 0
    by_rule_wrong: Counter[str] = field(default_factory=Counter)

    @property
    def recall(self) -> float:
        """Share of gold spans masked in full; 1 where there are none."""
        return self.full / self.gold if self.gold else 1.0

    @property
    def precision(self) -> float:
        """Share of masked spans that touch a gold span; 1 where nothing was masked."""
        return self.touching / self.predicted if self.predicted else 1.0


def read_corpus(folder: Path) -> Iterator[Labelled]:
    """The records of every `*.jsonl` in the folder. Types that begin with `other` name no secret and are left out."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            spans = tuple((start, end, kind) for start, end, kind in record["spans"] if not kind.startswith("other"))
            yield Labelled(text=record["text"], spans=spans, source=record.get("src", path.stem))


def scores(corpus: Iterable[Labelled], scanner: ContentScanner) -> dict[str, Score]:
    """A score by source, and by `source/TYPE` for recall."""
    found: dict[str, Score] = {}
    for record in corpus:
        predicted = scanner.spans(record.text, ALL_KINDS)
        _count_recall(record, predicted, found)
        score = found.setdefault(record.source, Score())
        for span in predicted:
            is_right = any(start < span.end and span.start < end for start, end, _ in record.spans)
            score.predicted += 1
            score.touching += is_right
            if not is_right:
                score.by_rule_wrong[span.rule] += 1
    return found


def _count_recall(record: Labelled, predicted: list[Span], found: dict[str, Score]) -> None:
    for start, end, kind in record.spans:
        covered = sum(max(0, min(end, span.end) - max(start, span.start)) for span in predicted)
        for name in (record.source, f"{record.source}/{kind}"):
            score = found.setdefault(name, Score())
            score.gold += 1
            score.full += covered >= FULL * (end - start)


_SECRETS = (
    ("PASSWORD", "db_password = '{}'\n", "hex12"),
    ("PASSWORD", "postgres://app:{}@db.internal:5432/app\n", "hex12"),
    ("PASSWORD", "mysql -h db -u root -p{} app\n", "hex12"),
    ("PASSWORD", "Server=db;Uid=sa;Pwd={};Timeout=5\n", "hex12"),
    ("TOKEN", "Authorization: Bearer {}\n", "base40"),
    ("TOKEN", '{{"api_key": "{}"}}\n', "base40"),
    ("KEY", "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", "base400"),
)
_BENIGN = (
    "arn:aws:iam::123456789012:role/deploy {}\n",
    "password = os.environ['DB_PASSWORD'] # {}\n",
    "sha256:{} verified\n",
    "GET /forgot-password?step={} 200\n",
)


def generated_corpus(*, seed: int, records: int = 400) -> Iterator[Labelled]:
    """Secrets in everyday settings between lines that only look alike; the same for the same seed."""
    random = Random(seed)  # noqa: S311  # measuring, not key making
    for place in range(records):
        before = random.choice(_BENIGN).format(_drawn(random, "hex12"))
        kind, setting, form = _SECRETS[place % len(_SECRETS)]
        value = _drawn(random, form)
        text = before + setting.format(value)
        start = text.index(value)
        yield Labelled(text=text, spans=((start, start + len(value), kind),), source="generated")


def _drawn(random: Random, form: str) -> str:
    alphabet = "0123456789abcdef" if form.startswith("hex") else "ABCDEFGHIJKLMNOPabcdefghijklmnop0123456789"
    return "".join(random.choices(alphabet, k=int(form.lstrip("abcdefhsx"))))
