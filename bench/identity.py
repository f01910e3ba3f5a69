"""`make bench PART=identity`: what wrong keys and passwords, 200 a second from one source, cost a right one from another.

Both speak to a product of its own over plain sockets; the sources are two addresses of this machine's loopback.
"""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from bench.stack import measured
from hoopweb.stack.plan import CHECKOUT
from hoopweb.stack.processes import table
from hoopweb.stack.running import Stack
from hoopweb.story.world import read_env

WRONG_A_SECOND = 200
SECONDS = 10.0
RIGHT_CALLS = 100
GUESSERS = 8
GUESSER, RIGHT = "127.0.0.2", "127.0.0.3"
Ask = Callable[[http.client.HTTPConnection], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the product's pages are."""

    host: str
    port: int

    def connect(self, source: str) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=30, source_address=(source, 0))


def by_key(key: str) -> Ask:
    """One call of the API with a key; returns its status."""

    def ask(wire: http.client.HTTPConnection) -> int:
        wire.request("GET", "/api/v1/me/", headers={"Authorization": f"Bearer {key}"})
        answer = wire.getresponse()
        answer.read()
        return answer.status

    return ask


def by_password(token: str) -> Ask:
    """One attempt to sign in with a wrong password; returns its status."""
    form = urlencode({"username": "olga", "password": "wrong", "csrfmiddlewaretoken": token})
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": f"csrftoken={token}"}

    def ask(wire: http.client.HTTPConnection) -> int:
        wire.request("POST", "/sign-in/", body=form, headers=headers)
        answer = wire.getresponse()
        answer.read()
        return answer.status

    return ask


def latencies(place: Place, ask: Ask, until: Callable[[], bool]) -> list[float]:
    """Milliseconds of right calls, one after the other."""
    wire, taken = place.connect(RIGHT), list[float]()
    while not until() or len(taken) < RIGHT_CALLS:
        begun = time.perf_counter()
        if ask(wire) != 200:
            raise RuntimeError("the right key was refused")
        taken.append(1000 * (time.perf_counter() - begun))
        time.sleep(0.02)
    wire.close()
    return taken


def guess(place: Place, ask: Ask, ends: float, told: Counter[int], lock: threading.Lock) -> None:
    """Guess at an even pace until the end; a server that is slower than the pace is asked as fast as it answers."""
    wire, due = place.connect(GUESSER), time.monotonic()
    while time.monotonic() < ends:
        status = ask(wire)
        with lock:
            told[status] += 1
        due += GUESSERS / WRONG_A_SECOND
        time.sleep(max(0.0, due - time.monotonic()))
    wire.close()


def beside(place: Place, right: Ask, wrong: Ask) -> tuple[list[float], Counter[int]]:
    """Right calls while wrong ones come in; returns their times, and the statuses the wrong ones got."""
    told, lock, ends = Counter[int](), threading.Lock(), time.monotonic() + SECONDS
    guessers = [threading.Thread(target=guess, args=(place, wrong, ends, told, lock)) for _ in range(GUESSERS)]
    for one in guessers:
        one.start()
    taken = latencies(place, right, lambda: time.monotonic() >= ends)
    for one in guessers:
        one.join()
    return taken, told


def csrf_token(place: Place) -> str:
    wire = place.connect(GUESSER)
    wire.request("GET", "/sign-in/")
    answer = wire.getresponse()
    answer.read()
    cookies = answer.headers.get_all("Set-Cookie") or []
    return next(one.partition("=")[2].partition(";")[0] for one in cookies if "csrftoken" in one)


def told_of(name: str, alone: list[float], taken: list[float], told: Counter[int]) -> str:
    before, after = statistics.median(alone), statistics.median(taken)
    rate = sum(told.values()) / SECONDS
    looked_at = sum(number for status, number in told.items() if status != 429)
    return (
        f"{name}: {rate:.0f} wrong a second, {looked_at} of {sum(told.values())} looked at; "
        f"a right key {before:.1f} ms alone, {after:.1f} ms beside ({after / before:.2f}x)"
    )


def tell_what_it_adds(stack: Stack, env: dict[str, str]) -> None:
    """Measure, as a web process of this product, what authentication adds to a call. The key goes by standard input's
    neighbour, the argument list: it is of a product that lives for a minute."""
    web = next(process for process in table(stack.plan) if process.name == "web").program()
    argv = (sys.executable, "-m", "bench.authentication", env["HOOPWEB_API_KEY"], env["HOOPWEB_ADMIN_USER"])
    subprocess.run(argv, env={**web.environment}, check=True, cwd=CHECKOUT)


def main() -> None:
    with measured(is_canned=True) as stack:
        tell_what_it_adds(stack, dict(read_env(stack.plan.demo_env)))
        address, env = urlsplit(stack.plan.url), read_env(stack.plan.demo_env)
        place = Place(host=address.hostname or "127.0.0.1", port=address.port or 80)
        right, guessed = by_key(env["HOOPWEB_API_KEY"]), env["HOOPWEB_ADMIN_API_KEY"]
        alone = latencies(place, right, lambda: True)
        for name, wrong in (("keys", by_key(guessed[:-4] + "AAAA")), ("passwords", by_password(csrf_token(place)))):
            print(told_of(name, alone, *beside(place, right, wrong)), flush=True)


if __name__ == "__main__":
    main()
