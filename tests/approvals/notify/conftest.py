"""A webhook's receiver and a mail server, and a channel to each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from approvals.notify.models import NoticeChannel
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from tests.api.asking import Api, api_of
from tests.approvals.asking import asking
from tests.approvals.notify.receiving import MailServer, Receiver, mail_server, receiver
from tests.approvals.notify.telling import channel_named
from tests.people import member

__all__ = ["asking"]
Channel = Callable[..., NoticeChannel]


@pytest.fixture
def hook(settings: Settings) -> Iterator[Receiver]:
    """Somebody's server, on a network the operator opened."""
    settings.EGRESS_ALLOWED = ["127.0.0.0/8"]
    with receiver() as told:
        yield told


@pytest.fixture
def mail(settings: Settings) -> Iterator[MailServer]:
    with mail_server() as told:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", told.port, False
        yield told


@pytest.fixture
def olgas(acme: Tenant) -> Api:
    return api_of(acme, member(acme, "olga", roles=[Role.OWNER]), *Right)


@pytest.fixture
def to_hook(acme: Tenant, hook: Receiver, olgas: Api) -> Channel:
    """Makes a channel to the receiver, by the API."""

    def made(*kinds: str, **more: Any) -> NoticeChannel:
        body = {"name": "team red", "way": "webhook", "target": hook.url, "kinds": list(kinds), **more}
        answer = olgas.post("notice-channels/", body)
        assert answer.status_code == 201, answer.content
        return channel_named(acme, body["name"])

    return made
