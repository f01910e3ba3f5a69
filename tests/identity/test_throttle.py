"""Counting guesses: all processes together, never more than the bound where many come at once, and without Valkey too."""

from __future__ import annotations

import logging
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import redis

from gateway.identity.problems import SignInThrottled
from gateway.identity.throttle import Throttle
from hoopweb.stack.ports import free_port
from hoopweb.stack.services import Services
from tests.people import NOW

MOST, WINDOW = 8, timedelta(minutes=5)


@pytest.fixture
def name() -> str:
    return f"dora\n{uuid.uuid4()}"


def guess(throttle: Throttle, name: str, *, after: timedelta = timedelta(0)) -> bool:
    """Whether the guess would be looked at."""
    try:
        throttle.count(name, most=MOST, window=WINDOW, now=NOW + after)
    except SignInThrottled:
        return False
    return True


def test_two_processes_look_at_no_more_guesses_than_one(services: Services, name: str) -> None:
    one, other = Throttle(services.valkey.url), Throttle(services.valkey.url)
    looked_at = [guess(throttle, name) for _ in range(10) for throttle in (one, other)]
    assert sum(looked_at) == MOST
    assert looked_at[:MOST] == [True] * MOST


def test_many_guesses_at_once_win_nothing(services: Services, name: str) -> None:
    processes = [Throttle(services.valkey.url) for _ in range(4)]
    together = threading.Barrier(24)

    def guess_together(n: int) -> bool:
        together.wait(10)
        return guess(processes[n % 4], name)

    with ThreadPoolExecutor(24) as pool:
        assert sum(pool.map(guess_together, range(24))) == MOST


def test_without_valkey_each_process_still_counts(name: str, caplog: pytest.LogCaptureFixture) -> None:
    away = f"redis://127.0.0.1:{free_port()}/0"
    one, other = Throttle(away), Throttle(away)
    with caplog.at_level(logging.WARNING):
        assert [sum(guess(throttle, name) for _ in range(20)) for throttle in (one, other)] == [MOST, MOST]
    assert "counted by this process alone" in caplog.text
    assert name not in caplog.text


def test_what_was_counted_before_valkey_went_still_counts(services: Services, name: str) -> None:
    throttle = Throttle(services.valkey.url)
    assert all(guess(throttle, name) for _ in range(MOST))
    throttle._shared = redis.Redis(port=free_port(), socket_connect_timeout=0.1)
    assert not guess(throttle, name)


def test_a_right_guess_forgets_the_wrong_ones_everywhere(services: Services, name: str) -> None:
    one, other = Throttle(services.valkey.url), Throttle(services.valkey.url)
    for _ in range(MOST):
        guess(one, name)
    assert not guess(other, name)
    one.forget(name)
    assert guess(one, name)


def test_the_window_begins_with_the_first_guess_and_ends(name: str) -> None:
    throttle = Throttle(f"redis://127.0.0.1:{free_port()}/0")
    for _ in range(MOST):
        guess(throttle, name)
    assert not guess(throttle, name, after=WINDOW - timedelta(seconds=1))
    assert guess(throttle, name, after=WINDOW)


def test_in_valkey_a_counter_ends_with_its_window_and_tells_no_name(services: Services, name: str) -> None:
    guess(Throttle(services.valkey.url), name)
    client = redis.Redis.from_url(services.valkey.url)
    keys = [key for key in client.scan_iter("hoopweb:throttle:*") if 0 < client.ttl(key) <= WINDOW.total_seconds()]
    assert keys
    assert not any(b"dora" in key for key in keys)


def test_floods_of_names_fill_no_memory(name: str) -> None:
    throttle = Throttle(f"redis://127.0.0.1:{free_port()}/0", most_kept=10)
    for n in range(25):
        guess(throttle, f"{name}{n}")
    assert len(throttle._own) == 10


def test_counting_is_safe_from_many_threads(name: str) -> None:
    throttle = Throttle(f"redis://127.0.0.1:{free_port()}/0")
    threads = [threading.Thread(target=guess, args=(throttle, name)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not guess(throttle, name)
