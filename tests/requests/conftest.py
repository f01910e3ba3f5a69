"""Alice's keys at acme, an edge that serves acme, a published policy, and an STS that answers."""

from __future__ import annotations

import pytest

from gateway.connections.models import Connection
from gateway.identity.models import Agent, User
from gateway.tenants.models import Tenant
from tests.connections.conftest import standin_url, strict_sts
from tests.connections.strict_sts import StrictSts
from tests.requests.world import EVERYTHING, EdgeLife, Keys, enrolled, keys_of, publish_text

__all__ = ["standin_url", "strict_sts"]


@pytest.fixture
def edge(acme: Tenant) -> EdgeLife:
    return enrolled(acme)


@pytest.fixture
def keys(acme: Tenant, alice: User, billing_agent: Agent, billing_account: Connection) -> Keys:
    """Keys of alice's agent in one conversation."""
    return keys_of(acme, alice, billing_account, agent=billing_agent, conversation="conv-1")


@pytest.fixture
def open_policy(acme: Tenant) -> None:
    """Everything is permitted, so that a test sees its own refusal and no other."""
    publish_text(acme, EVERYTHING)


@pytest.fixture
def ready(open_policy: None, strict_sts: StrictSts) -> StrictSts:
    """Policy allows, STS answers: a call would be forwarded."""
    return strict_sts
