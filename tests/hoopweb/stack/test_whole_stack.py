"""The product as `make run` leaves it: killed whole, started again, its parts killed one by one."""

from __future__ import annotations

import os
import signal
import stat
import time
import urllib.request

import pytest

from hoopweb.story.world import read_env
from tests.journeys.product import Product
from tests.running_stack import FirstLife, tenants_in


def test_a_killed_launcher_leaves_nothing_and_loses_nothing(first_life: FirstLife, product: Product) -> None:
    assert first_life.processes > 25, "guardians, granian's and Celery's workers, PostgreSQL's processes, two edges"
    assert first_life.is_all_dead
    assert first_life.tenants
    assert first_life.tenants <= tenants_in(product.stack.plan.state.root)


def test_what_people_need_to_know_is_in_one_file_of_their_own(product: Product) -> None:
    told = product.stack.plan.demo_env
    exported = read_env(told)
    assert {"HOOPWEB_URL", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_ACCESS_KEY_ID"} <= set(exported)
    assert stat.S_IMODE(told.stat().st_mode) == 0o600
    with urllib.request.urlopen(f"{exported['HOOPWEB_URL']}/healthz", timeout=5) as answer:
        assert answer.status == 200


def test_no_secret_of_the_installation_is_in_a_log(product: Product) -> None:
    state = product.stack.plan.state.root
    secrets = {path.read_text().strip() for path in (state / "secrets").iterdir() if path.name != "install-id"}
    logs = "".join(path.read_text(errors="replace") for path in (state / "log").iterdir())
    assert secrets
    assert not [secret for secret in secrets if secret and secret in logs + "".join(product.said)]


@pytest.mark.parametrize("name", ["web-edge", "worker-approved", "beat", "edge-2", "web"])
def test_a_killed_part_is_brought_back(product: Product, name: str) -> None:
    before = set(product.pids(name))
    product.kill(name)
    product.wait_back(name)
    assert before.isdisjoint(product.pids(name))


def test_a_killed_web_edge_worker_is_replaced_while_the_other_serves(product: Product) -> None:
    main, *workers = sorted(product.pids("web-edge"))
    os.kill(workers[-1], signal.SIGKILL)
    deadline = time.monotonic() + 20
    while workers[-1] in product.pids("web-edge") or len(product.pids("web-edge")) < len(workers) + 1:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert main in product.pids("web-edge")
