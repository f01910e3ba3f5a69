"""What hooks cannot send waits on disk, in order, for its owner alone, and survives the death of whoever writes it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.client.errors import GatewayUnreachable, Refused
from gateway.client.hook_spool import Spool, SpoolFull
from gateway.client.state import Place

CHECKOUT = Path(__file__).parent.parent.parent


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(home=str(tmp_path), profile="default")


@pytest.fixture
def spool(place: Place) -> Spool:
    return Spool(place)


def never() -> bool:
    return False


def fill(spool: Spool) -> None:
    for number in range(10):
        spool.keep("/p", {"n": number})


def into(taken: list[Any]) -> Callable[[str, dict[str, Any]], None]:
    return lambda path, body: taken.append((path, body))


def test_records_are_sent_in_order_marked_late_and_gone_afterwards(spool: Spool) -> None:
    for number in range(12):
        spool.keep("/p", {"n": number})
    taken: list[Any] = []
    spool.send(into(taken), is_over=never)
    assert taken == [("/p", {"n": number, "is_late": True}) for number in range(12)]
    assert spool.waiting() == 0
    spool.keep("/p", {"n": 99})
    assert spool.waiting() == 1


def test_nobody_else_can_read_what_waits(spool: Spool) -> None:
    spool.keep("/p", {"text": "the exact prompt"})
    folder = Path(spool.folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_what_was_not_taken_stays_with_all_that_follows(spool: Spool) -> None:
    for number in range(4):
        spool.keep("/p", {"n": number})
    taken: list[Any] = []

    def post(path: str, body: dict[str, Any]) -> None:
        if len(taken) == 2:
            raise GatewayUnreachable("away again")
        taken.append(body["n"])

    with pytest.raises(GatewayUnreachable):
        spool.send(post, is_over=never)
    assert (taken, spool.waiting()) == ([0, 1], 2)
    rest: list[Any] = []
    spool.send(into(rest), is_over=never)
    assert [body["n"] for _, body in rest] == [2, 3]


@pytest.mark.parametrize(("status", "is_kept"), [(403, False), (400, False), (503, True), (429, True)])
def test_what_is_refused_for_good_is_put_aside_and_not_in_the_way(spool: Spool, status: int, is_kept: bool) -> None:
    spool.keep("/p", {"n": 1})

    def post(path: str, body: dict[str, Any]) -> None:
        raise Refused("No.", http_status=status, code="x")

    if is_kept:
        with pytest.raises(Refused):
            spool.send(post, is_over=never)
    else:
        spool.send(post, is_over=never)
    assert (spool.waiting(), spool.refusals()) == ((1, 0) if is_kept else (0, 1))


def test_a_damaged_record_is_put_aside_too(spool: Spool) -> None:
    spool.keep("/p", {"n": 1})
    spool.keep("/p", {"n": 2})
    first = sorted(Path(spool.folder).glob("*.json"))[0]
    first.write_text("{")
    taken: list[Any] = []
    spool.send(into(taken), is_over=never)
    assert [body["n"] for _, body in taken] == [2]
    assert spool.refusals() == 1


@pytest.mark.parametrize("bounds", [{"most_records": 3}, {"most_bytes": 100}])
def test_a_full_spool_says_so_and_keeps_what_it_has(place: Place, bounds: dict[str, int]) -> None:
    spool = Spool(place, **bounds)
    with pytest.raises(SpoolFull):
        fill(spool)
    taken: list[Any] = []
    spool.send(into(taken), is_over=never)
    assert [body["n"] for _, body in taken] == list(range(len(taken)))
    assert 0 < len(taken) <= 3


def test_sending_ends_when_its_time_is_over(spool: Spool) -> None:
    for number in range(3):
        spool.keep("/p", {"n": number})
    taken: list[Any] = []
    spool.send(into(taken), is_over=lambda: len(taken) == 2)
    assert (len(taken), spool.waiting()) == (2, 1)


def test_two_senders_send_nothing_twice(spool: Spool) -> None:
    for number in range(3):
        spool.keep("/p", {"n": number})
    taken: list[Any] = []

    def post(path: str, body: dict[str, Any]) -> None:
        taken.append(body["n"])
        spool.send(into(taken), is_over=never)

    spool.send(post, is_over=never)
    assert taken == [0, 1, 2]


_WRITER = """
import sys
from gateway.client.hook_spool import Spool
from gateway.client.state import Place
spool = Spool(Place(home=sys.argv[1], profile="default"))
for number in range(100_000):
    spool.keep("/p", {"n": number, "text": "x" * 2000})
    print(number, flush=True)
"""


def test_nothing_that_was_kept_is_lost_when_its_writer_is_killed(place: Place, spool: Spool) -> None:
    """Whatever it had said was kept is whole; whatever it was writing at that moment is whole or not there."""
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, place.home], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        before = spool.waiting()
        said = [writer.stdout.readline() for _ in range(15)]
        os.kill(writer.pid, signal.SIGKILL)
        said += writer.stdout.readlines()
        writer.wait()
        assert spool.waiting() - before in {len(said), len(said) + 1}
    taken: list[Any] = []
    spool.send(into(taken), is_over=never)
    assert {len(body["text"]) for _, body in taken} == {2000}
    assert spool.refusals() == 0
    names = [json.dumps(body["n"]) for _, body in taken]
    assert names.count("0") == 3
