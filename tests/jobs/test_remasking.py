"""Recordings masked again with the rules of today: what is shown changes, what was committed to does not."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from audit.models import Event, Recording
from audit.recordings import recorded_halves, sealed_half, store
from audit.selectors import facts_of
from gateway.jobs import remasking, work
from gateway.jobs.models import JobState
from gateway.masking.decoy_forms import decoy_for
from gateway.masking.decoys import Press
from gateway.policy import detectors
from gateway.requests.decoys import decoy_key
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.jobs.working import found, remask, told, worked
from tests.story import Story

WORD = "nightingale"
TEXTS = (f"the {WORD} report", '{"project": "' + WORD + '", "n": 1}', "nothing of it")


@pytest.fixture
def calls(story: Story) -> list[UUID]:
    """Answers recorded when the word was nobody's secret."""
    return recorded(story, *TEXTS)


def recorded(story: Story, *texts: str) -> list[UUID]:
    ids = [uuid4() for _ in texts]
    halves = [
        sealed_half(
            tenant_id=story.tenant.pk,
            request_id=id_,
            part="response",
            body=text.encode(),
            content_type="text/plain",
            salt=b"s" * 32,
            is_whole=True,
            byte_count=len(text),
            now=timezone.now(),
        )
        for id_, text in zip(ids, texts, strict=True)
    ]
    with in_tenant(story.tenant):
        store(tenant_id=story.tenant.pk, halves=halves)
    return ids


def bodies(story: Story, calls: list[UUID]) -> list[str]:
    with in_tenant(story.tenant):
        halves = recorded_halves(tenant_id=story.tenant.pk, request_ids=calls)
    return [halves[id_]["response"].text for id_ in calls]


def forbid(tenant: Tenant, word: str) -> None:
    one = detectors.Definition(name="project", pattern=word, must_match=(word,))
    with in_tenant(tenant):
        made = detectors.save(tenant=tenant, definition=one, by_label="olga", now=timezone.now())
        detectors.set_live(tenant=tenant, detector_id=made.detector_id, number=1, by_label="olga", now=timezone.now())


def test_a_new_rule_reaches_what_was_recorded_before_it(story: Story, calls: list[UUID]) -> None:
    with in_tenant(story.tenant):
        salts = dict(Recording.objects.for_tenant(story.tenant).values_list("id", "sealed_salt"))
        leaves = list(Event.objects.for_tenant(story.tenant).order_by("sequence").values_list("leaf", flat=True))
    forbid(story.tenant, WORD)
    job = worked(remask(story.tenant))
    assert (job.state, job.error) == (JobState.DONE, "")
    assert bodies(story, calls) == [
        "the [REDACTED:project] report",
        '{"project": "[REDACTED:project]", "n": 1}',
        "nothing of it",
    ]
    assert found(job) == {f"response of {id_}": {"project": 1} for id_ in calls[:2]}
    with in_tenant(story.tenant):
        # The salts that open the commitments, and the ledger up to here, are as they were.
        assert dict(Recording.objects.for_tenant(story.tenant).values_list("id", "sealed_salt")) == salts
        now = list(Event.objects.for_tenant(story.tenant).order_by("sequence").values_list("leaf", flat=True))
        assert now[: len(leaves)] == leaves
        remasked = Event.objects.for_tenant(story.tenant).filter(kind="recording.remasked")
        assert {one.subject for one in remasked} == set(calls[:2])
        assert {facts_of(one)["by"] for one in remasked} == {"system"}
        assert all(WORD not in str(facts_of(one)) for one in remasked)


def test_once_more_changes_nothing(story: Story, calls: list[UUID]) -> None:
    forbid(story.tenant, WORD)
    worked(remask(story.tenant))
    kept = bodies(story, calls)
    job = worked(remask(story.tenant))
    assert job.counts.get("changed", 0) == 0
    assert bodies(story, calls) == kept
    assert [kind for kind, _, _ in told(job)] == ["job.started", "job.worked", "job.ended"]


def test_it_goes_page_by_page(story: Story, calls: list[UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remasking, "RECORDINGS_A_PAGE", 1)
    job = worked(remask(story.tenant))
    with in_tenant(story.tenant):
        total = Recording.objects.for_tenant(story.tenant).count()
    assert total > 3
    assert (job.counts["seen"], job.pages) == (total, total + 1)


def test_a_page_of_a_job_another_worker_has_changes_nothing(
    story: Story, calls: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(story.tenant, WORD)
    job, plain = remask(story.tenant), remasking.remask_page

    def overtaken(**given: Any) -> Any:
        page = plain(**given)
        type(job).objects.for_tenant(job.tenant_id).filter(pk=job.pk).update(lease=None)
        return page

    monkeypatch.setattr(work, "remask_page", overtaken)
    assert not work.perform(tenant_id=job.tenant_id, job_id=job.pk, now=timezone.now)
    assert bodies(story, calls) == list(TEXTS)
    with in_tenant(story.tenant):
        assert not Event.objects.for_tenant(story.tenant).filter(kind="recording.remasked").exists()


def test_decoys_an_agent_was_given_stay_as_they_were_beside_nothing_else(story: Story) -> None:
    press = Press(key=decoy_key(story.tenant.pk), tag=7)
    values = [("secret", "ghp_R4nD0mL00k1ngT0k3nF0rTh3D3m00000abcd"), ("password", "x"), ("aws-access-key", AKIA)]
    given = [decoy_for(press, kind, value) or "" for kind, value in values]
    only = "\n".join(("token " + given[0], "password=" + given[1], "AWS_ACCESS_KEY_ID=" + given[2]))
    mixed = only + "\npassword=Tr0ub4dor-of-nobody\n"
    texts = recorded(story, only, mixed)
    worked(remask(story.tenant))
    kept, changed = bodies(story, texts)
    assert kept == only
    assert "Tr0ub4dor" not in changed


AKIA = "AKIAQ3EGRIRO7ABCDEFG"  # made up
