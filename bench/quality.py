"""`make quality`: how much of a labelled corpus is masked, how often wrongly, and what wrapping takes away.

Without CORPUS a small generated one stands in for it; private values are always generated. Numbers are printed as they
are; nothing here decides what is good enough.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.private_values import private_values
from bench.wrapping import FORMS
from gateway.masking.content import default_scanner
from gateway.masking.quality import Labelled, Score, generated_corpus, read_corpus, scores


def main(arguments: list[str]) -> int:
    """Print the tables; returns the exit status."""
    corpus = list(read_corpus(Path(arguments[0])) if arguments else generated_corpus(seed=1))
    scanner = default_scanner()
    sys.stdout.write(f"{'source/type':44} {'gold':>6} {'full':>6} {'masked':>7} {'P':>6}  wrong by rule\n")
    _print(scores(corpus, scanner))
    private = list(private_values(seed=1))
    _print(scores(private, scanner), with_types=False)
    sys.stdout.write(f"\n{'wrapped form':24} {'plain':>7} {'wrapped':>8} {'points':>7}   private: wrapped, points\n")
    secrets = [record for record in corpus if record.spans and _is_secret(record)]
    plain, plain_private = _recall(secrets), _recall(private[::10])
    for form, wrap in FORMS.items():
        wrapped = _recall([wrap(record) for record in secrets])
        other = _recall([wrap(record) for record in private[::10]])
        points, other_points = (wrapped - plain) * 100, (other - plain_private) * 100
        sys.stdout.write(f"{form:24} {plain:7.3f} {wrapped:8.3f} {points:+7.1f} {other:10.3f} {other_points:+7.1f}\n")
    return 0


def _is_secret(record: Labelled) -> bool:
    """Whether a secret is labelled in it: names and places are nobody's promise here."""
    return any(kind in ("SECRET", "PASSWORD", "TOKEN", "KEY") for _, _, kind in record.spans)


def _recall(records: Sequence[Labelled]) -> float:
    table = scores(records, default_scanner())
    totals = [score for name, score in table.items() if "/" not in name]
    gold = sum(score.gold for score in totals)
    return sum(score.full for score in totals) / gold if gold else 1.0


def _print(table: dict[str, Score], *, with_types: bool = True) -> None:
    for name, score in sorted(table.items()):
        if "/" in name and not with_types:
            continue
        wrong = ", ".join(f"{rule} {count}" for rule, count in score.by_rule_wrong.most_common(8))
        tail = f"{score.predicted:7} {score.precision:6.3f}  {wrong}" if score.predicted else ""
        sys.stdout.write(f"{name:44} {score.gold:6} {score.recall:6.3f} {tail}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
