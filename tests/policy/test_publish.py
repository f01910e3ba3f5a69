"""Publishing: packs and the tenant's own text become one immutable revision, or nothing changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db.utils import ProgrammingError
from pytest_django.fixtures import Settings

from audit.models import Event
from gateway.engine import PolicyRejected
from gateway.policy import selectors, services
from gateway.policy.models import Policy, Revision
from gateway.policy.packs import pack_names, pack_text
from gateway.policy.problems import PackUnknown, PolicyNameRefused, RevisionUnknown
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.people import NOW

OPEN = '@id("all.open") permit (principal, action, resource);'
NARROW = '@id("all.closed") forbid (principal, action, resource);'


def publish(tenant: Tenant, *packs: str, text: str = OPEN, **changes: Any) -> Revision:
    with in_tenant(tenant):
        return services.publish(tenant=tenant, packs=packs, text=text, by_label="sam", now=NOW, **changes)


def events(tenant: Tenant) -> list[dict[str, Any]]:
    with in_tenant(tenant):
        rows = Event.objects.for_tenant(tenant).filter(kind="revision.published").order_by("sequence")
        return [json.loads(bytes(row.body)) for row in rows]


def deciding(tenant: Tenant) -> Revision | None:
    with in_tenant(tenant):
        policy = Policy.objects.for_tenant(tenant).select_related("current").filter(name="main").first()
    return policy.current if policy else None


def test_a_published_revision_decides_and_is_an_event(acme: Tenant) -> None:
    made = publish(acme)
    assert deciding(acme) == made
    assert (made.number, made.published_by, made.published_at) == (1, "sam", NOW)
    (event,) = events(acme)
    assert (event["subject"], event["data"]) == (str(made.pk), {"by": "sam", "name": "main@1", "what": made.sha256})


def test_revisions_are_numbered_within_their_policy_and_tenant(acme: Tenant, globex: Tenant) -> None:
    assert [publish(acme).number, publish(acme, text=NARROW).number, publish(globex).number] == [1, 2, 1]
    assert publish(acme, policy_name="night-shift").number == 1


def test_all_packs_publish_together_and_keep_their_own_text(acme: Tenant) -> None:
    made = publish(acme, *pack_names(), text="")
    assert made.packs == list(pack_names())
    for name in pack_names():
        assert pack_text(name) in made.compiled_text


def test_the_tenants_own_text_stands_beside_the_packs(acme: Tenant) -> None:
    made = publish(acme, "secrets-reads")
    assert (made.text, made.packs) == (OPEN, ["secrets-reads"])
    assert OPEN in made.compiled_text
    assert pack_text("secrets-reads") in made.compiled_text


@pytest.mark.parametrize(
    "text",
    [
        "permit",
        "permit (principal, action, resource);",
        f"{OPEN}\n{OPEN}",
        '@id("x") @effect("maybe") forbid (principal, action, resource);',
    ],
)
def test_a_text_with_a_fault_publishes_nothing_and_the_old_revision_still_decides(acme: Tenant, text: str) -> None:
    before = publish(acme)
    with pytest.raises(PolicyRejected) as rejected:
        publish(acme, text=text)
    assert rejected.value.faults
    assert deciding(acme) == before
    assert len(events(acme)) == 1


def test_a_rule_of_the_same_id_as_a_packs_is_refused(acme: Tenant) -> None:
    taken = next(line for line in pack_text("secrets-reads").splitlines() if line.startswith("@id"))
    with pytest.raises(PolicyRejected):
        publish(acme, "secrets-reads", text=f"{taken}\npermit (principal, action, resource);")


def test_a_pack_that_is_none_is_refused(acme: Tenant) -> None:
    for name in ("no-such-pack", "../policy/models", ""):
        with pytest.raises(PackUnknown):
            publish(acme, name)


@pytest.mark.parametrize("name", ["", "Main", "a b", "a" * 41, "secrets-reads", "-", "main@2"])
def test_a_policys_name_is_plain_and_no_packs(acme: Tenant, name: str) -> None:
    with pytest.raises(PolicyNameRefused):
        publish(acme, policy_name=name)


def test_a_draft_is_compiled_and_published_nowhere(acme: Tenant) -> None:
    compiled = services.draft(packs=["secrets-reads"], text=OPEN)
    assert "all.open" in compiled.by_id
    assert deciding(acme) is None


@pytest.mark.parametrize("change", [{"text": NARROW}, {"compiled_text": NARROW}, {"number": 7}])
def test_the_serving_role_cannot_change_a_published_revision(acme: Tenant, change: dict[str, Any]) -> None:
    made = publish(acme)
    with in_tenant(acme), pytest.raises(ProgrammingError, match="permission denied"):
        Revision.objects.for_tenant(acme).filter(pk=made.pk).update(**change)


def test_another_tenants_policy_is_not_seen(acme: Tenant, globex: Tenant) -> None:
    theirs = publish(globex)
    with in_tenant(acme):
        assert list(selectors.policies(acme)) == []
        assert list(selectors.revisions(acme)) == []
        with pytest.raises(RevisionUnknown):
            selectors.revision(acme, theirs.pk)


def test_revisions_are_listed_newest_first(acme: Tenant) -> None:
    made = [publish(acme), publish(acme, text=NARROW)]
    publish(acme, policy_name="other")
    with in_tenant(acme):
        assert list(selectors.revisions(acme)) == made[::-1]
        assert selectors.revision(acme, made[0].pk).text == OPEN


def test_packs_ship_with_the_product() -> None:
    expected = {"credential-minting", "destroys-or-disables-protection", "interactive-shells", "secrets-reads"}
    assert expected <= set(pack_names())
    assert list(pack_names()) == sorted(pack_names())


NAMES = '@id("people.masked") @mask("email, person-token") permit (principal, action, resource);'


def test_names_are_not_asked_for_where_nobody_could_find_them(acme: Tenant) -> None:
    with pytest.raises(PolicyRejected) as refused:
        publish(acme, text=NAMES)
    [fault] = refused.value.faults
    assert (fault.rule_id, "HOOPWEB_NAMES_MODEL" in fault.message) == ("people.masked", True)
    assert deciding(acme) is None


def test_where_there_is_a_model_names_may_be_asked_for(acme: Tenant, settings: Settings) -> None:
    settings.NAMES_MODEL = "/srv/models/en"
    publish(acme, text=NAMES)
    assert deciding(acme) is not None
