"""Notices by e-mail: to one plain address, through the operator's server, with nothing in a header that is not ours."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from audit.kinds import EventKind
from gateway.tenants.models import Tenant
from tests.api.asking import Api, is_problem
from tests.approvals.notify.receiving import MailServer
from tests.approvals.notify.telling import channel_named, delivered, followed
from tests.approvals.notify.test_following import told

KINDS = ["device", "break_glass"]


def to_mailbox(olgas: Api, target: str = "security@acme.example") -> Any:
    return olgas.post("notice-channels/", {"name": "mailbox", "way": "email", "target": target, "kinds": KINDS})


def test_a_notice_arrives_in_the_mailbox_with_a_way_back(acme: Tenant, mail: MailServer, olgas: Api) -> None:
    assert to_mailbox(olgas).json()["secret"] == ""
    told(acme, EventKind.GLASS_BROKEN, user="olga")
    followed(acme)
    assert delivered(acme) == 1
    ((recipients, message),) = mail.mails
    assert recipients == ["security@acme.example"]
    assert message["Subject"].startswith("[hoopweb acme] olga came in past")
    assert message["Auto-Submitted"] == "auto-generated"
    assert "/events/" in str(message.get_payload())


def test_a_name_with_line_ends_makes_no_header(acme: Tenant, mail: MailServer, olgas: Api) -> None:
    to_mailbox(olgas)
    told(acme, EventKind.DEVICE_REVOKED, name="x\r\nBcc: eve@evil.example\r\n\r\nbody", by="olga")
    followed(acme)
    assert delivered(acme) == 1
    ((recipients, message),) = mail.mails
    assert (recipients, message["Bcc"]) == (["security@acme.example"], None)


def test_a_server_that_takes_nothing_now_is_asked_again(acme: Tenant, mail: MailServer, olgas: Api) -> None:
    to_mailbox(olgas)
    told(acme, EventKind.GLASS_BROKEN, user="olga")
    followed(acme)
    mail.refuses = True
    assert delivered(acme) == 0
    assert channel_named(acme, "mailbox").last_error == "the mail server: SMTPDataError"
    mail.refuses = False
    assert delivered(acme, later=timedelta(minutes=1)) == 1
    assert len(mail.mails) == 1


def test_a_server_that_is_not_there_is_a_refusal_and_no_crash(
    acme: Tenant, mail: MailServer, olgas: Api, settings: Settings
) -> None:
    to_mailbox(olgas)
    told(acme, EventKind.GLASS_BROKEN, user="olga")
    followed(acme)
    settings.EMAIL_PORT = 1
    assert delivered(acme) == 0
    assert channel_named(acme, "mailbox").failing_since is not None


@pytest.mark.parametrize(
    "target",
    [
        "no address",
        "two@acme.example,three@acme.example",
        "a@acme.example\r\nBcc: eve@evil.example",
        "Olga <olga@acme.example>",
        "olga@",
    ],
)
def test_what_is_no_single_address_is_refused(acme: Tenant, mail: MailServer, olgas: Api, target: str) -> None:
    answer = to_mailbox(olgas, target)
    assert is_problem(answer, 400, "notice_channel.refused")


def test_where_the_operator_has_no_mail_server_the_channel_is_refused_with_what_to_do(
    acme: Tenant, olgas: Api, settings: Settings
) -> None:
    settings.EMAIL_HOST = ""
    assert is_problem(to_mailbox(olgas), 409, "notice_channel.no_mail_here")
