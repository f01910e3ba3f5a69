"""Alice's keys at acme, an edge that serves acme, a published policy, and an STS that answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from gateway.connections.models import Connection
from gateway.identity.models import Agent, User
from gateway.tenants.models import Tenant
from tests.connections.strict_sts import StrictSts
from tests.requests.asking import Asking
from tests.requests.standin import Standin, running_standin
from tests.requests.world import ASK_TERMINATE, EVERYTHING, EdgeLife, Keys, enrolled, keys_of, publish_text


@pytest.fixture(scope="session")
def sts_server() -> Iterator[StrictSts]:
    """One for all tests: stopping it takes longer than most of them."""
    with StrictSts() as sts:
        yield sts


@pytest.fixture
def strict_sts(sts_server: StrictSts, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> StrictSts:
    """An STS that lets the installation assume every role, until a test tells it otherwise."""
    monkeypatch.setenv("HOOPWEB_AWS_ACCESS_KEY_ID", "AKIAINSTALLATION0000")
    monkeypatch.setenv("HOOPWEB_AWS_SECRET_ACCESS_KEY", "installation-secret-of-the-stand-in")
    settings.UPSTREAM_AWS_URL = sts_server.url
    sts_server.failing_code = ""
    sts_server.asked.clear()
    return sts_server


@pytest.fixture(scope="session")
def aws_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    """The stand-in AWS with an access log of its own."""
    yield from running_standin(tmp_path_factory.mktemp("aws"))


@pytest.fixture
def aws(aws_process: Standin, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Standin:
    """The installation dials the stand-in, for STS too."""
    monkeypatch.setenv("HOOPWEB_AWS_ACCESS_KEY_ID", "AKIAINSTALLATION0000")
    monkeypatch.setenv("HOOPWEB_AWS_SECRET_ACCESS_KEY", "installation-secret-of-the-stand-in")
    settings.UPSTREAM_AWS_URL = aws_process.url
    return aws_process


@pytest.fixture
def asking(
    acme: Tenant, edge: EdgeLife, keys: Keys, bob: User, approver_rules: None, aws: Standin, settings: Settings
) -> Asking:
    """Terminating instances is asked about; bob may answer."""
    publish_text(acme, EVERYTHING + ASK_TERMINATE)
    return Asking(tenant=acme, edge=edge, keys=keys, approver=bob, aws=aws)


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
