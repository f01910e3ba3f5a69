"""/healthz: anybody may ask, and learns nothing but whether the process can serve."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection
from django.test import Client


@pytest.mark.django_db
def test_a_process_with_its_database_is_well(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_a_process_without_its_database_says_so_and_nothing_else(client: Client) -> None:
    def away(*_: object) -> None:
        raise DatabaseError("connection to 10.0.0.7 refused")

    with connection.execute_wrapper(away):
        answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable"})


@pytest.mark.django_db
def test_it_cannot_be_posted_to(client: Client) -> None:
    assert client.post("/healthz").status_code == 405
