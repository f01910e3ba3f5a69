"""The revision that decides now: loaded once, replaced by the next publish, and a deny when it cannot be had."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gateway.policy import services
from gateway.policy.models import Policy, Revision
from gateway.policy.problems import PolicyNotReady
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.conftest import AsOwner
from tests.policy.test_publish import NARROW, publish


def test_the_current_revision_is_compiled_and_cited_by_policy_and_number(acme: Tenant) -> None:
    publish(acme)
    with in_tenant(acme):
        compiled = services.current(acme.pk)
    assert compiled.revision == "main@1"
    assert set(compiled.by_id) == {"all.open"}


def test_it_is_compiled_once_and_each_further_look_is_one_small_query(acme: Tenant) -> None:
    publish(acme)
    with in_tenant(acme):
        first = services.current(acme.pk)
        with CaptureQueriesContext(connection) as queries:
            assert services.current(acme.pk) is first
    assert len(queries) == 1
    assert "compiled_text" not in queries[0]["sql"]


def test_a_publish_counts_for_the_very_next_call(acme: Tenant) -> None:
    publish(acme)
    with in_tenant(acme):
        services.current(acme.pk)
    publish(acme, text=NARROW)
    with in_tenant(acme):
        assert services.current(acme.pk).revision == "main@2"


def test_only_the_policy_named_main_decides(acme: Tenant) -> None:
    publish(acme, policy_name="draft-of-security")
    with in_tenant(acme), pytest.raises(PolicyNotReady):
        services.current(acme.pk)


def test_a_tenant_without_a_policy_is_not_ready_which_is_a_deny(acme: Tenant) -> None:
    with in_tenant(acme), pytest.raises(PolicyNotReady) as problem:
        services.current(acme.pk)
    assert (problem.value.status, problem.value.code) == (503, "policy.not_ready")


def test_a_tenant_never_gets_anothers_policy(acme: Tenant, globex: Tenant) -> None:
    publish(globex)
    with in_tenant(acme), pytest.raises(PolicyNotReady):
        services.current(globex.pk)


def test_a_revision_whose_text_was_changed_behind_us_is_not_ready(acme: Tenant, as_owner: AsOwner) -> None:
    made = publish(acme)
    with as_owner(), in_tenant(acme):
        Revision.objects.for_tenant(acme).filter(pk=made.pk).update(compiled_text=NARROW)
    with in_tenant(acme), pytest.raises(PolicyNotReady, match="not the text that was published"):
        services.current(acme.pk)


def test_a_revision_that_no_longer_compiles_is_not_ready(acme: Tenant) -> None:
    """As after an upgrade that closed a hole: yesterday's text is refused, never half-read."""
    good = publish(acme)
    with in_tenant(acme):
        broken = Revision.objects.create(
            tenant=acme,
            policy=good.policy,
            number=2,
            text="permit",
            compiled_text="permit",
            sha256=services._digest("permit"),
            published_at=good.published_at,
            published_by="sam",
        )
        Policy.objects.for_tenant(acme).filter(pk=good.policy.pk).update(current=broken)
        with pytest.raises(PolicyNotReady, match="does not compile"):
            services.current(acme.pk)


def test_a_revision_that_is_not_there_is_not_ready(acme: Tenant) -> None:
    with in_tenant(acme), pytest.raises(PolicyNotReady):
        services._Compiled(largest=1).get(acme.pk, UUID(int=7))


def test_only_so_many_compiled_revisions_are_kept_and_the_least_asked_for_go_first(acme: Tenant) -> None:
    kept = services._Compiled(largest=2)
    first, second, third = (
        publish(acme, text=f'@id("r{number}") permit (principal, action, resource);').pk for number in range(3)
    )
    with in_tenant(acme):
        oldest = kept.get(acme.pk, first)
        kept.get(acme.pk, second)
        assert kept.get(acme.pk, first) is oldest
        newest = kept.get(acme.pk, third)
        assert kept.get(acme.pk, first) is oldest, "the second was asked for longest ago"
        assert kept.get(acme.pk, third) is newest
        assert list(kept._by_id) == [first, third]
