"""Two publishers at one moment: both revisions are kept under numbers of their own, and one of them decides."""

from __future__ import annotations

from functools import partial

import pytest

from gateway.policy.models import Policy, Revision
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.policy.test_publish import NARROW, OPEN, events, publish
from tests.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_publishing_at_once_numbers_each_revision_once(acme: Tenant) -> None:
    texts = [OPEN, NARROW] * 3
    made = at_once([partial(publish, acme, text=text) for text in texts])
    assert [one for one in made if not isinstance(one, Revision)] == []
    with in_tenant(acme):
        numbers = Revision.objects.for_tenant(acme).order_by("number").values_list("number", flat=True)
        assert list(numbers) == [1, 2, 3, 4, 5, 6]
        policy = Policy.objects.for_tenant(acme).select_related("current").get()
    assert policy.current.number == 6
    assert len(events(acme)) == 6
