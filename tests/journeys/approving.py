"""Many calls that wait for a person at once, and a person who approves all of them."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.journeys.callers import TABLE, code_of
from tests.journeys.product import Product, Tenant

APPROVER = "HOOPWEB_APPROVER_API_KEY"
# A call that adds one, so that the stand-in itself says how often it ran.
ASKED_UPDATE = """
@id("journey.update")
@effect("ask")
@approvers("platform")
@quorum("1")
@expires("60m")
@run("return")
@advice("A person of the platform team has to approve this.")
forbid (principal, action == Action::"dynamodb:UpdateItem", resource);
"""
AT_ONCE = 12
# A call whose hold ran out is made again, as its error says; more than this would only prolong a failure.
MOST_RETURNS = 3
_numbers = itertools.count()


class Approver:
    """`count` calls, a dozen at a time, and votes for whatever waits. Entered: all begin; left: all have an answer."""

    def __init__(self, product: Product, tenant: Tenant, count: int) -> None:
        self.product, self.tenant = product, tenant
        self.done, self.errors = 0, Counter[str]()
        self.items = [f"approved-{next(_numbers)}" for _ in range(count)]
        self._left = iter(self.items)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._clients = [tenant.aws("dynamodb", edge=edge, max_pool_connections=AT_ONCE) for edge in (0, 1)]
        self._callers = [threading.Thread(target=self._call_all, args=(n,), daemon=True) for n in range(AT_ONCE)]
        self._person = threading.Thread(target=self._approve_all, daemon=True)

    def __enter__(self) -> Approver:
        for thread in (*self._callers, self._person):
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._callers:
            thread.join()
        self._over.set()
        self._person.join()

    def wait_for(self, done: int) -> None:
        """Return when so many calls were run, or when nothing more comes."""
        while self.done < done and any(thread.is_alive() for thread in self._callers):
            time.sleep(0.01)

    def times(self) -> Counter[str]:
        """How often each item's call really ran, by the stand-in's own state."""
        return Counter({item: number for item, number in _counters(self.product).items() if item in set(self.items)})

    def _call_all(self, number: int) -> None:
        while True:
            with self._lock:
                item = next(self._left, None)
            if item is None:
                return
            self._call(self._clients[number % 2], item)

    def _call(self, client: Any, item: str) -> None:
        for _ in range(MOST_RETURNS):
            try:
                client.update_item(
                    TableName=TABLE,
                    Key={"id": {"S": item}},
                    UpdateExpression="ADD runs :one",
                    ExpressionAttributeValues={":one": {"N": "1"}},
                )
            except (ClientError, BotoCoreError) as error:
                with self._lock:
                    self.errors[code_of(error)] += 1
                if code_of(error) != "ApprovalPending":
                    # It may have run: a person would look, and so it is not made again.
                    return
            else:
                with self._lock:
                    self.done += 1
                return

    def _approve_all(self) -> None:
        while not self._over.wait(0.1):
            for approval in self.tenant.items("approvals/?state=pending", key=APPROVER):
                body = {"answer": "approve", "reason": "a test decided"}
                reply = self.tenant.rest("POST", f"approvals/{approval['id']}/votes/", key=APPROVER, body=body)
                # 409: it ended between the list and the vote.
                assert reply.status in {201, 409}, reply


def _counters(product: Product) -> dict[str, int]:
    pages = product.truth("dynamodb").get_paginator("scan").paginate(TableName=TABLE)
    items = [item for page in pages for item in page["Items"] if "runs" in item]
    return {item["id"]["S"]: int(item["runs"]["N"]) for item in items}


def counted(product: Product) -> int:
    """How many approved updates the stand-in has done altogether."""
    return sum(_counters(product).values())
