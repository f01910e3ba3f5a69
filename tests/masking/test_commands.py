"""The two commands and the two calls for records, used as a person or the control plane uses them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from gateway.masking.__main__ import main
from gateway.masking.catalogue import Catalogue, ScannerFailed
from gateway.masking.content import ContentScanner
from gateway.masking.quality import generated_corpus, read_corpus, scores
from gateway.masking.recorded import mask_json, mask_text
from tests.masking.conftest import paths


@pytest.fixture(autouse=True)
def _shared_scanner(scanner: ContentScanner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.masking.__main__.default_scanner", lambda: scanner)


def test_spans_answers_each_line_in_code_points() -> None:
    lines = [
        {"id": "a", "text": "é password=hunter2x"},
        {"id": 2, "text": "nothing"},
        {"id": 3, "text": "to bob@example.org"},
    ]
    source = io.BytesIO(b"\n".join(json.dumps(line).encode() for line in lines) + b"\n\n")
    target = io.BytesIO()
    assert main(["spans"], source, target) == 0
    assert [json.loads(line) for line in target.getvalue().splitlines()] == [
        {"id": "a", "spans": [[11, 19, "password"]]},
        {"id": 2, "spans": []},
        {"id": 3, "spans": [[3, 18, "email"]]},
    ]


def test_mask_keeps_bytes_that_are_no_utf8() -> None:
    target = io.BytesIO()
    assert main(["mask"], io.BytesIO(b"\xff\xfe password=hunter2x \x80\n"), target) == 0
    assert target.getvalue() == b"\xff\xfe password=[REDACTED:password] \x80\n"


def test_compile_fills_the_cache_and_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOPWEB_RULE_CACHE", str(tmp_path))
    monkeypatch.setattr("gateway.masking.__main__.default_scanner", ContentScanner)
    target = io.BytesIO()
    assert main(["compile"], io.BytesIO(b"password=hunter2x"), target) == 0
    assert target.getvalue() == b""
    assert {one.suffix for one in tmp_path.iterdir()} >= {".vscdb"}


def test_an_unknown_command_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan"], io.BytesIO(), io.BytesIO()) == 2
    assert "usage: python -m gateway.masking spans" in capsys.readouterr().err


def test_recorded_parameters_are_copied_without_their_secrets(scanner: ContentScanner) -> None:
    value = {"MasterUserPassword": "opensesame", "Tags": [{"Key": "a", "Value": "b"}], "Blob": "x", "n": 1.5}
    masked, counts = mask_json(value, paths=paths("Blob"), scanner=scanner)
    assert masked == {**value, "MasterUserPassword": "[REDACTED:password]", "Blob": "[REDACTED:secret]"}
    assert counts == {"password": 1, "secret": 1}
    assert value["MasterUserPassword"] == "opensesame"


def test_recorded_text_may_be_a_prompt_or_json(scanner: ContentScanner) -> None:
    prompt = mask_text("use password=hunter2x for the db", scanner=scanner)
    assert (prompt.text, prompt.by_type) == ("use password=[REDACTED:password] for the db", {"password": 1})
    assert mask_text(b'{"password":"\xc3\xa9\\u0061bcd"}', scanner=scanner).text == '{"password":"[REDACTED:password]"}'


def test_quality_scores_a_corpus_on_disk_and_a_generated_one(scanner: ContentScanner, tmp_path: Path) -> None:
    record = {"text": "password=hunter2x id=7", "spans": [[9, 17, "PASSWORD"], [21, 22, "other:id"]], "src": "mine"}
    missed = {"text": "the word is mellon", "spans": [[12, 18, "PASSWORD"]], "src": "mine"}
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, (record, missed))))
    table = scores(read_corpus(tmp_path), scanner)
    assert (table["mine"].gold, table["mine"].recall, table["mine"].precision) == (2, 0.5, 1.0)
    generated = scores(generated_corpus(seed=5, records=70), scanner)["generated"]
    assert (generated.recall, generated.precision) == (1.0, 1.0)


def test_a_folder_that_cannot_be_written_only_costs_the_compile(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    found = list(Catalogue(blocked / "rules").spans(b"x ghp_0123456789abcdefghijABCDEFGHIJ012345"))
    assert [(span.start, span.end) for span in found] == [(2, 42)]


def test_a_scan_that_fails_says_so_and_quotes_nothing(scanner: ContentScanner) -> None:
    class Broken:
        def scan(self, data: bytes, *, timeout: float | None) -> list[object]:
            raise RuntimeError(f"could not scan {data!r}")

    catalogue = Catalogue()
    catalogue._scanner = Broken()  # type: ignore[assignment]
    with pytest.raises(ScannerFailed) as caught:
        list(catalogue.spans(b"hunter2"))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
