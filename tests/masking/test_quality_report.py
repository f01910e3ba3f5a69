"""What `make quality` measures with: values in settings, wrapped with their labels, and no step backwards."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest

from bench.private_values import TYPES, private_values
from bench.wrapping import FORMS
from gateway.masking.content import ContentScanner
from gateway.masking.quality import Labelled, generated_corpus, scores

RECORD = Labelled(text='é "pass\\word" = <Sw0rd&f1sh>\n', spans=((17, 27, "PASSWORD"),), source="mine")


def test_each_value_stands_where_its_label_says() -> None:
    records = list(private_values(seed=3, each=10))
    assert len(records) == 10 * len(TYPES)
    assert all(0 < start < end < len(record.text) for record in records for start, end, _ in record.spans)
    assert records == list(private_values(seed=3, each=10))


@pytest.mark.parametrize("kind", TYPES)
def test_private_values_are_found_and_their_look_alikes_are_not(scanner: ContentScanner, kind: str) -> None:
    records = [record for record in private_values(seed=11, each=60) if record.source == f"private {kind}"]
    score = scores(records, scanner)[f"private {kind}"]
    assert score.recall >= (0.9 if kind == "phone" else 0.98), score
    assert score.precision >= 0.95, score


@pytest.mark.parametrize("form", FORMS)
def test_wrapping_takes_little_away(scanner: ContentScanner, form: str) -> None:
    records = [FORMS[form](record) for record in generated_corpus(seed=4, records=70)]
    assert scores(records, scanner)["generated"].recall >= 0.95


def test_a_label_moves_with_its_text() -> None:
    start, end, _ = FORMS["percent"](RECORD).spans[0]
    assert unquote(FORMS["percent"](RECORD).text[start:end]) == "Sw0rd&f1sh"
    start, end, _ = FORMS[r"\u escapes"](RECORD).spans[0]
    assert json.loads(f'"{FORMS[chr(92) + "u escapes"](RECORD).text[start:end]}"') == "Sw0rd&f1sh"
    assert json.loads(json.loads(FORMS["JSON in JSON"](RECORD).text)["body"])["note"] == RECORD.text
    assert FORMS["XML"](RECORD).text.count("Sw0rd&amp;f1sh") == 1
