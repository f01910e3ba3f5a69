"""Near its trigger a detector finds what it would find in the whole text, wherever in the text that is."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.masking.catalogue import CACHE_VARIABLE, ByteSpan, ScannerFailed
from gateway.masking.content import ContentScanner
from gateway.masking.triggers import WHOLE, Detector, Watch
from tests.masking.test_detectors import FOUND

FILLER = b"plain words on a line of their own, and more of them\n"


def windows(data: bytes, start: int, end: int) -> Iterator[ByteSpan]:
    yield ByteSpan(start, end, "k", "r")


def watch(*, behind: int, ahead: int) -> Watch[ByteSpan]:
    return Watch([Detector(trigger="x+y", behind=behind, ahead=ahead, find=windows)])


def test_a_window_lies_around_the_triggers_end() -> None:
    assert [span[:2] for span in watch(behind=5, ahead=3).found(b"." * 10 + b"XY" + b"." * 10)] == [(7, 15)]


def test_windows_that_touch_become_one_and_stay_inside_the_text() -> None:
    assert [span[:2] for span in watch(behind=4, ahead=4).found(b"xy..xy" + b"." * 20 + b"xy")] == [(0, 10), (24, 28)]
    assert [span[:2] for span in watch(behind=WHOLE, ahead=WHOLE).found(b"..xy..xy..")] == [(0, 10)]


def test_without_a_trigger_nothing_is_looked_at() -> None:
    assert list(watch(behind=4, ahead=4).found(FILLER)) == []


def test_a_trigger_that_does_not_compile_fails_the_scan() -> None:
    with pytest.raises(ScannerFailed):
        list(Watch([Detector(trigger="(", behind=1, ahead=1, find=windows)]).found(b"x"))


def test_threads_share_a_watch() -> None:
    shared = watch(behind=4, ahead=4)
    texts = [b"." * place + b"xy" + b"." * 5000 for place in range(200)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: [span[:2] for span in shared.found(text)], texts))
    assert found == [[(max(0, place - 2), place + 6)] for place in range(200)]


@pytest.mark.parametrize("before", [0, 1, 100, 5_000])
def test_every_known_secret_is_found_in_the_middle_of_a_long_text(scanner: ContentScanner, before: int) -> None:
    texts = [(text.encode(), secret.encode()) for text, secret in FOUND.items()]
    head = (FILLER * (before // len(FILLER) + 1))[:before].rsplit(b"\n", 1)[0] + b"\n" if before else b""
    for text, secret in texts:
        data = head + text + b"\n" + FILLER * 40
        start = len(head) + text.index(secret)
        spans = scanner.byte_spans(data)
        assert any(span.start <= start and start + len(secret) <= span.end for span in spans), text


def test_what_one_process_compiled_the_next_one_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    first = [span[:2] for span in watch(behind=5, ahead=3).found(b"..........xy..........")]
    (kept,) = tmp_path.iterdir()
    assert [span[:2] for span in watch(behind=5, ahead=3).found(b"..........xy..........")] == first
    kept.write_bytes(b"no database")
    assert [span[:2] for span in watch(behind=5, ahead=3).found(b"..........xy..........")] == first


def test_a_folder_that_cannot_be_written_costs_only_the_compile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "missing"))
    assert list(watch(behind=5, ahead=3).found(b"..xy..")) != []
