"""One name asked for by several at one moment: one gets it, the others are told."""

from __future__ import annotations

import pytest

from gateway.connections.models import Connection
from gateway.connections.problems import ConnectionNameTaken
from gateway.identity.problems import NameTaken
from gateway.tenants.models import Tenant
from tests.connections.test_create_connection import create, events
from tests.identity.test_agents import create as create_agent
from tests.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_four_connections_of_one_name_one_is_made(acme: Tenant) -> None:
    made = at_once([lambda: create(acme)] * 4)
    assert [type(one) for one in made].count(ConnectionNameTaken) == 3
    assert [type(one) for one in made].count(Connection) == 1
    assert len(events(acme, "connection.created")) == 1


def test_of_four_agents_of_one_name_one_is_made(acme: Tenant) -> None:
    made = at_once([lambda: create_agent(acme, None)] * 4)
    assert [type(one) for one in made].count(NameTaken) == 3
    assert len(events(acme, "agent.created")) == 1
