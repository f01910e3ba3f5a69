"""Holding the stand-in's own access log against the product's tables: what must be true whatever died meanwhile.

Everything is read from outside: the log that only the stand-in writes, and the database as its superuser.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from audit.ledger.tree import leaf_hash
from tests.journeys.product import FINAL, Product

_WITNESS = re.compile(r" hoopweb/([0-9a-f-]{36})#([0-9a-f]{64})$")
# What reaches the stand-in beside calls of agents: the seed, the tests' own look, hoopweb's role sessions, connection tests, pins and masking jobs.
_NOT_AN_AGENTS = ("app/hoopweb-seed", "app/truth", " hoopweb-pin/", " hoopweb-job/")
FINAL_KINDS = tuple(f"request.{state}" for state in FINAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One call as it reached AWS: which request it says it is, and which line of the ledger it names."""

    request_id: UUID
    leaf: bytes
    at: datetime


def sightings(product: Product, *, since: int = 0) -> list[Sighting]:
    """Return every agent's call in the access log; fails on one that names no request of hoopweb's."""
    found = []
    for entry in product.upstream()[since:]:
        witness = _WITNESS.search(entry["user_agent"])
        if witness is None:
            assert _is_nobodys(entry), f"a call without a witness reached AWS: {entry}"
            continue
        request_id, leaf = UUID(witness.group(1)), bytes.fromhex(witness.group(2))
        found.append(Sighting(request_id=request_id, leaf=leaf, at=datetime.fromisoformat(entry["time"])))
    return found


def _is_nobodys(entry: dict[str, Any]) -> bool:
    if any(word in entry["user_agent"] for word in _NOT_AN_AGENTS) or entry["path"].startswith("/moto-api/"):
        return True
    return entry["action"] in {"AssumeRole", "GetCallerIdentity"} and entry["user_agent"].endswith(" hoopweb")


def check_recorded_before_sent(product: Product) -> list[Sighting]:
    """No call at AWS without a committed record whose ledger line it names, and none twice."""
    seen = sightings(product)
    twice = [id_ for id_, times in Counter(one.request_id for one in seen).items() if times > 1]
    assert not twice, f"sent twice: {twice}"
    rows = product.query(
        "SELECT r.id, r.event_leaf, e.at, e.kind FROM requests_proxiedrequest r LEFT JOIN audit_event e "
        "ON e.tenant_id = r.tenant_id AND e.sequence = r.event_sequence AND e.leaf = r.event_leaf AND e.subject = r.id "
        "WHERE r.id = ANY(%s)",
        [one.request_id for one in seen],
    )
    recorded = {row[0]: row[1:] for row in rows}
    for one in seen:
        assert one.request_id in recorded, f"{one.request_id} reached AWS and is not recorded"
        leaf, at, kind = recorded[one.request_id]
        assert bytes(leaf) == one.leaf, f"{one.request_id} names another line of the ledger"
        assert kind in {"request.admitted", "request.run"}, f"{one.request_id} left as {kind}"
        assert at <= one.at, f"{one.request_id} was recorded after it was sent"
    return seen


def wait_until_final(product: Product, *, seconds: float = 30.0) -> None:
    """Every request ends: nothing stays on its way once everything is up again."""

    def ended() -> bool:
        return not product.query("SELECT 1 FROM requests_proxiedrequest WHERE state <> ALL(%s)", list(FINAL))

    product.wait(ended, seconds=seconds, told=f"requests still open after {seconds:.0f} s: {_open(product)}")


def _open(product: Product) -> list[tuple[Any, ...]]:
    return product.query("SELECT state, count(*) FROM requests_proxiedrequest GROUP BY state")


def check_one_end_each(product: Product) -> None:
    """Each request has exactly one final event; a state that differs from it was corrected by another event."""
    rows = _ends(product)
    # What the control plane still had in hand when a part came back is written down only now: it gets its end too.
    for _ in range(10):
        if all(state in FINAL for _, state, _, _ in rows):
            break
        wait_until_final(product)
        rows = _ends(product)
    for id_, state, kinds, corrections in rows:
        assert len(kinds or ()) == 1, f"{id_} ended {kinds}"
        assert kinds == [f"request.{state}"] or corrections, f"{id_} is {state} but its event says {kinds}"


def _ends(product: Product) -> list[tuple[Any, ...]]:
    """Of each request, as of one moment: id, state, kinds of its final events, corrections."""
    return product.query(
        "SELECT r.id, r.state, array_agg(e.kind) FILTER (WHERE e.kind = ANY(%s)), "
        "count(*) FILTER (WHERE e.kind = 'request.corrected') "
        "FROM requests_proxiedrequest r LEFT JOIN audit_event e ON e.tenant_id = r.tenant_id AND e.subject = r.id "
        "GROUP BY r.id, r.state",
        list(FINAL_KINDS),
    )


def check_ledgers(product: Product) -> None:
    """Each tenant's ledger has no gap, and each line is the one that was hashed."""
    heads = product.query(
        "SELECT h.next_sequence, count(e.sequence), coalesce(max(e.sequence), -1) + 1 FROM audit_ledgerhead h "
        "LEFT JOIN audit_event e ON e.tenant_id = h.tenant_id GROUP BY h.tenant_id, h.next_sequence"
    )
    assert heads
    for head in heads:
        assert len(set(head)) == 1, f"a gap in a ledger: {head}"
    for body, leaf in product.query("SELECT body, leaf FROM audit_event"):
        assert leaf_hash(bytes(body)) == bytes(leaf)


def check_runs(product: Product, seen: list[Sighting]) -> None:
    """No approval was run twice, and what a run's record says agrees with what AWS saw."""
    sent = {one.request_id for one in seen}
    rows = product.query("SELECT r.approval_id, r.request_id, r.state FROM requests_approvedrun r")
    times = Counter(approval for approval, request, _ in rows if request in sent)
    assert all(number == 1 for number in times.values()), f"approved calls that ran twice: {times}"
    for approval, request, state in rows:
        assert state in {"completed", "failed", "not_sent", "ambiguous"}, f"the run of {approval} is {state}"
        if state == "completed":
            assert request in sent, f"the run of {approval} says completed, and AWS never saw it"
        if state == "not_sent":
            assert request not in sent, f"the run of {approval} says it was not sent, and AWS saw it"


def check_everything(product: Product) -> list[Sighting]:
    """All of it, once nothing is on its way any more."""
    wait_until_final(product)
    seen = check_recorded_before_sent(product)
    check_one_end_each(product)
    check_runs(product, seen)
    check_ledgers(product)
    return seen
