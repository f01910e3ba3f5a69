"""`/prompts/?q=`: prompts by their words, on the masked text, in one tenant, and bounded whatever is asked."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from audit import searching
from audit.models import Prompt
from audit.problems import SearchRefused
from audit.prompts import record_prompt
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from gateway.tenants.scope import in_tenant
from tests.api.asking import Api, api_of, is_problem
from tests.conftest import AsOwner
from tests.story import SECRET

TEXTS = {
    "old": "Clean up the old billing instances in eu-central-1",
    "read": f"Read prod/billing/db_password with {SECRET}",
    "new": "Deploy the checkout service, dann räume auf: 古い請求 löschen",
}


def _record(tenant: Tenant, texts: dict[str, str], *, conversation: str = "conv-1") -> None:
    start = timezone.now() - timedelta(minutes=10)
    with in_tenant(tenant):
        for number, (generation, text) in enumerate(texts.items()):
            record_prompt(
                tenant=tenant,
                person_id=None,
                person_label="alice",
                agent_id=None,
                agent_label="",
                conversation=conversation,
                generation=generation,
                text=text,
                source="person",
                now=start + timedelta(seconds=number),
                random=os.urandom,
            )


@pytest.fixture
def api(acme: Tenant) -> Api:
    _record(acme, TEXTS)
    return api_of(acme, None, Right.SESSIONS_READ)


def found(api: Api, q: str, **query: str) -> list[str]:
    answer = api.get("prompts/", q=q, **query)
    assert answer.status_code == 200, answer.content
    return [one["generation"] for one in answer.json()["items"]]


@pytest.mark.parametrize(
    ("words", "generations"),
    [
        ("billing", ["read", "old"]),
        ("BILLING inst", ["old"]),
        ("clean deploy", []),
        ('"old billing"', ["old"]),
        ('"billing old"', []),
        ('"old bill"', []),
        ("billing/db", ["read"]),
        ("password", ["read"]),
        ("db_password", ["read"]),
        ("eu-central-1", ["old"]),
        ("räume", ["new"]),
        ("古い", ["new"]),
        ("o", []),
        ("nothing-like-this", []),
    ],
)
def test_all_words_must_occur_each_as_a_beginning(api: Api, words: str, generations: list[str]) -> None:
    assert found(api, words) == generations


def test_what_was_masked_cannot_be_found(api: Api) -> None:
    assert found(api, SECRET) == []
    assert found(api, SECRET[:6]) == []


def test_a_search_stays_in_one_conversation_if_told(acme: Tenant, api: Api) -> None:
    _record(acme, {"elsewhere": "billing again"}, conversation="conv-2")
    assert found(api, "billing", conversation="conv-2") == ["elsewhere"]


def test_pages_follow_one_another_without_gap_or_double(acme: Tenant, api: Api) -> None:
    _record(acme, {f"g{number}": f"rotate keys {number}" for number in range(5)}, conversation="conv-3")
    first = api.get("prompts/", q="rotate", limit=2).json()
    second = api.get("prompts/", q="rotate", limit=2, cursor=first["next"]).json()
    last = api.get("prompts/", q="rotate", limit=2, cursor=second["next"]).json()
    told = [one["generation"] for page in (first, second, last) for one in page["items"]]
    assert (told, last["next"]) == (["g4", "g3", "g2", "g1", "g0"], None)


def test_another_tenants_words_are_not_found(api: Api, acme: Tenant, globex: Tenant) -> None:
    stranger = api_of(globex, None, *Right)
    assert found(stranger, "billing") == []
    # Nor by whoever calls the function for a tenant that is not entered.
    with in_tenant(globex), connection.cursor() as cursor:
        cursor.execute("SELECT audit_search_prompts(%s, '''billing''', NULL, NULL, NULL, NULL, NULL, 10)", [acme.pk])
        assert cursor.fetchall() == []
        assert Prompt.objects.count() == 0


@pytest.mark.parametrize(
    "words",
    [
        "'); DROP TABLE audit_prompt; --",
        "a & | ! ( ) : * <-> b",
        "\\' \\\\ '' \"",
        "%%_",
        "<script>alert(1)</script>",
        "💥",
    ],
)
def test_hostile_words_are_words_or_refused_and_never_an_error(api: Api, words: str) -> None:
    assert api.get("prompts/", q=words).status_code in {200, 400}
    assert len(found(api, "billing")) == 2


@pytest.mark.parametrize("words", ["", "  ", "!!!", '""', "x" * 201, " ".join("abcdefghijklmnopq"), "a\0b"])
def test_nothing_to_look_for_and_too_much_are_refused(api: Api, words: str) -> None:
    assert api.get("prompts/", q=words).status_code == 400


def test_a_refusal_says_what_a_search_may_be(api: Api) -> None:
    assert is_problem(api.get("prompts/", q="?!"), 400, "prompt.search_refused")


def test_a_search_that_takes_too_long_is_cut_and_says_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "TIME_LIMIT_MILLISECONDS", 20)
    monkeypatch.setattr(searching, "_SEARCH", "SELECT pg_sleep(2), %s, %s, %s, %s, %s, %s::int")
    assert is_problem(api.get("prompts/", q="billing"), 422, "prompt.search_too_wide")
    # What is asked afterwards has its usual time again.
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_the_longest_prompt_is_recorded_and_found_by_its_beginning(acme: Tenant, api: Api) -> None:
    # As many different words as fit: their vector must not burst.
    text = " ".join(chr(0x20000 + number % 40_000) for number in range(131_000))
    _record(acme, {"huge": f"enormous {text}"})
    assert found(api, "enormous") == ["huge"]


def _plan() -> str:
    with connection.cursor() as cursor:
        # A handful of rows is read through whatever stands in the way; the question is whether the index may be used.
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
        cursor.execute("EXPLAIN SELECT id FROM audit_prompt WHERE words @@ to_tsquery('simple', %s)", ["'checkout':*"])
        return "\n".join(row[0] for row in cursor.fetchall())


def test_the_text_index_serves_the_function_and_could_not_serve_the_policy(
    acme: Tenant, api: Api, as_owner: AsOwner
) -> None:
    with in_tenant(acme):
        assert "prompt_words" not in _plan()
        with as_owner():
            assert "prompt_words" in _plan()


def test_words_become_quoted_beginnings_and_nothing_else() -> None:
    assert searching.wanted_of('ab "c d" e f\'g') == "'ab':* & 'c d' & 'e' & 'f g':*"
    with pytest.raises(SearchRefused):
        searching.wanted_of("&|!")
