"""The process that reads names: asked, slow, killed, misled. What it cannot answer is never taken for read."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from gateway.masking.people import NamesUnread
from gateway.names import frames
from gateway.names.model import BadModel
from gateway.names.reader import Reader, shared_reader
from tests.names.places import MODEL


def test_names_are_found_where_they_stand(reader: Reader) -> None:
    texts = ["I spoke with Alice Johnson yesterday.", "nothing here", "Jürgen Groß and Marie Dupont have left."]
    found = [[text[start:end] for start, end in spans] for text, spans in zip(texts, reader.read(texts), strict=True)]
    assert found == [["Alice Johnson"], [], ["Jürgen Groß", "Marie Dupont"]]


def test_the_asking_process_loads_nothing_of_the_library(reader: Reader) -> None:
    reader.read(["Alice Johnson called"])
    assert "spacy" not in sys.modules


def test_the_reader_is_told_no_secret_of_ours(reader: Reader) -> None:
    environment = Path(f"/proc/{reader.process_id}/environ").read_bytes().split(b"\0")
    assert {one.partition(b"=")[0] for one in environment if one} <= {
        b"PYTHONPATH",
        b"OMP_NUM_THREADS",
        b"PATH",
        b"LC_ALL",
    }


@pytest.mark.long
def test_a_reader_that_was_killed_is_an_answer_not_read_and_then_there_is_a_new_one(reader: Reader) -> None:
    before = reader.process_id
    assert before is not None
    os.kill(before, signal.SIGKILL)
    with pytest.raises(NamesUnread):
        reader.read(["Alice Johnson called"])
    assert reader.read(["Alice Johnson called"]) == (((0, 13),),)
    assert reader.process_id != before


def test_a_reader_that_takes_too_long_is_not_waited_for(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    os.kill(reader.process_id or 0, signal.SIGSTOP)
    monkeypatch.setattr(reader, "read_seconds", 0.05)
    with pytest.raises(NamesUnread):
        reader.read(["Alice Johnson called"])
    assert reader.process_id is None


def test_a_folder_that_is_no_model_is_told_at_the_start_and_at_each_reading(tmp_path: Path) -> None:
    broken = Reader(tmp_path)
    with pytest.raises(BadModel, match=r"no meta\.json"):
        broken.start()
    with pytest.raises(NamesUnread, match=r"no meta\.json"):
        broken.read(["Alice Johnson called"])


def test_where_no_model_is_named_there_is_no_reader() -> None:
    assert shared_reader("") is None


@pytest.mark.long
def test_the_reader_ends_with_whoever_asked() -> None:
    """Its line closes, however that process ended."""
    ours, its = socket.socketpair()
    with its:
        child = subprocess.Popen([sys.executable, "-m", "gateway.names", "--serve", str(MODEL)], stdin=its.fileno())
    assert frames.receive(ours, frames.Ready).trouble == ""
    ours.close()
    assert child.wait(60) == 0


def test_a_frame_past_the_bound_is_refused_by_its_length() -> None:
    ours, its = socket.socketpair()
    with ours, its:
        ours.sendall((frames.LARGEST_FRAME + 1).to_bytes(4, "big"))
        with pytest.raises(msgspec.DecodeError):
            frames.receive(its, frames.Texts)
