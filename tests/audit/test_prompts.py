"""Prompts: the exact words sealed, a masked copy to read, a commitment in the ledger."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from functools import partial
from typing import Any

import pytest

from audit.models import Event, Prompt
from audit.problems import PromptConflict, PromptNotFound, PromptTooLong, PromptUnreadable
from audit.prompts import LARGEST_PROMPT, SALT_COLUMN, TEXT_COLUMN, read_exact, record_prompt
from gateway.identity.models import Agent, User
from gateway.sealing.envelope import SealBroken
from gateway.sealing.services import unseal
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.people import NOW
from tests.races import at_once

pytestmark = pytest.mark.django_db
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzzzz"
TEXT = f"Clean up staging. Use aws_secret_access_key={SECRET} and leave production alone."

PROOF = {"proof": "totp", "proof_age_seconds": 30}


class Hook:
    """An agent's hook that posts what alice typed."""

    def __init__(self, tenant: Tenant, alice: User, agent: Agent) -> None:
        self.tenant = tenant
        self.told: dict[str, Any] = {
            "person_id": alice.pk,
            "person_label": "alice",
            "agent_id": agent.pk,
            "agent_label": agent.name,
            "conversation": "conversation-1",
            "generation": "generation-1",
            "text": TEXT,
            "source": "person",
            "now": NOW,
            "random": os.urandom,
        }

    def post(self, **changed: Any) -> Prompt:
        with in_tenant(self.tenant):
            return record_prompt(tenant=self.tenant, **(self.told | changed))


@pytest.fixture
def hook(acme: Tenant, alice: User, billing_agent: Agent) -> Hook:
    return Hook(acme, alice, billing_agent)


def events(tenant: Tenant) -> list[tuple[str, dict[str, Any]]]:
    with in_tenant(tenant):
        rows = Event.objects.for_tenant(tenant).order_by("sequence")
        return [(row.kind, json.loads(bytes(row.body))["data"]) for row in rows]


def test_a_prompt_leaves_its_event_without_its_words(hook: Hook, acme: Tenant) -> None:
    prompt = hook.post()
    ((kind, facts),) = events(acme)
    assert kind == "prompt.recorded"
    assert facts == {
        "person": "alice",
        "agent": "billing-agent",
        "conversation": "conversation-1",
        "generation": "generation-1",
        "commitment": prompt.commitment,
        "source": "person",
        "characters": len(TEXT),
        "link": "B",
    }


def test_the_copy_for_reading_has_no_secret(hook: Hook) -> None:
    prompt = hook.post()
    assert SECRET not in prompt.masked_text
    assert prompt.masked_text.startswith("Clean up staging.")
    assert prompt.masked_text.endswith("leave production alone.")


def test_the_exact_words_are_sealed_for_their_tenant_and_column(hook: Hook, acme: Tenant, globex: Tenant) -> None:
    prompt = hook.post()
    assert SECRET.encode() not in bytes(prompt.sealed_text)
    with in_tenant(acme):
        opened = unseal(tenant_id=acme.pk, column=TEXT_COLUMN, sealed=bytes(prompt.sealed_text))
        with pytest.raises(SealBroken):
            unseal(tenant_id=acme.pk, column=SALT_COLUMN, sealed=bytes(prompt.sealed_text))
    assert opened.decode() == TEXT


def test_the_commitment_is_an_hmac_whose_salt_is_sealed_beside_it(hook: Hook, acme: Tenant) -> None:
    prompt = hook.post()
    with in_tenant(acme):
        salt = unseal(tenant_id=acme.pk, column=SALT_COLUMN, sealed=bytes(prompt.sealed_salt))
    assert prompt.commitment == hmac.new(salt, TEXT.encode(), hashlib.sha256).hexdigest()
    assert len(salt) == 32


def test_the_same_words_of_two_generations_cannot_be_told_to_be_the_same(hook: Hook) -> None:
    assert hook.post().commitment != hook.post(generation="generation-2").commitment


def test_a_hook_that_repeats_itself_gets_the_same_prompt_and_no_second_event(hook: Hook, acme: Tenant) -> None:
    assert hook.post().pk == hook.post().pk
    assert len(events(acme)) == 1


def test_a_recorded_prompt_never_changes(hook: Hook, acme: Tenant) -> None:
    first = hook.post()
    with pytest.raises(PromptConflict):
        hook.post(text="Delete production.")
    with in_tenant(acme):
        assert read_exact(tenant=acme, prompt_id=first.pk, by_label="carol", proof=PROOF, now=NOW) == TEXT


@pytest.mark.parametrize("member", ["person_id", "agent_id"])
def test_nobody_adopts_anothers_prompt(hook: Hook, member: str) -> None:
    hook.post()
    with pytest.raises(PromptConflict):
        hook.post(**{member: None})


@pytest.mark.parametrize("text", ["", "nul \0 inside", "\u202e bidi", "emoji 🙂", "x" * LARGEST_PROMPT])
def test_any_unicode_text_is_kept_exactly(hook: Hook, acme: Tenant, text: str) -> None:
    prompt = hook.post(text=text)
    assert prompt.characters == len(text)
    with in_tenant(acme):
        assert read_exact(tenant=acme, prompt_id=prompt.pk, by_label="carol", proof=PROOF, now=NOW) == text


def test_a_prompt_past_the_limit_is_refused_whole(hook: Hook, acme: Tenant) -> None:
    with pytest.raises(PromptTooLong):
        hook.post(text="x" * (LARGEST_PROMPT + 1))
    assert events(acme) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"text": "half \ud800"},
        {"conversation": ""},
        {"generation": ""},
        {"conversation": "x" * 201},
        {"generation": "line\nbreak"},
        {"conversation": "nul\0"},
        {"conversation": "hidden\u200b"},
    ],
)
def test_what_cannot_be_recorded_exactly_is_refused(hook: Hook, acme: Tenant, changed: dict[str, str]) -> None:
    with pytest.raises(PromptUnreadable):
        hook.post(**changed)
    assert events(acme) == []


def test_reading_the_exact_words_is_written_down(hook: Hook, acme: Tenant) -> None:
    prompt = hook.post()
    with in_tenant(acme):
        assert read_exact(tenant=acme, prompt_id=prompt.pk, by_label="carol", proof=PROOF, now=NOW) == TEXT
        written = Event.objects.for_tenant(acme).get(kind="evidence.read")
    assert written.subject == prompt.pk
    assert events(acme)[-1] == ("evidence.read", {"by": "carol", "what": "prompt", **PROOF})


def test_another_tenants_prompt_is_not_there_and_reading_it_leaves_nothing(hook: Hook, globex: Tenant) -> None:
    prompt = hook.post()
    with in_tenant(globex), pytest.raises(PromptNotFound):
        read_exact(tenant=globex, prompt_id=prompt.pk, by_label="mallory", proof=PROOF, now=NOW)
    assert events(globex) == []


@pytest.mark.django_db(transaction=True)
def test_a_hook_that_races_itself_records_one_prompt(hook: Hook, acme: Tenant) -> None:
    found = at_once([hook.post] * 4)
    assert len({prompt.pk for prompt in found if isinstance(prompt, Prompt)}) == 1
    assert len([prompt for prompt in found if isinstance(prompt, Prompt)]) == 4
    assert len(events(acme)) == 1


@pytest.mark.django_db(transaction=True)
def test_two_different_prompts_at_once_leave_one_and_a_conflict(hook: Hook, acme: Tenant) -> None:
    found = at_once([partial(hook.post, text=text) for text in ("one", "other")])
    assert sorted(type(one).__name__ for one in found) == ["Prompt", "PromptConflict"]
    assert len(events(acme)) == 1
