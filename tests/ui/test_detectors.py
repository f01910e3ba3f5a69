"""The detectors' pages: tried on a pasted text, saved as a version, made live and taken back."""

from __future__ import annotations

import pytest

from gateway.identity.models import User
from gateway.policy.detector_models import Detector
from gateway.policy.detectors import live_detectors
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Role
from gateway.tenants.scope import in_tenant
from tests.people import member
from tests.ui.browsing import browser_of, page

FORM = {
    "name": "employee-id",
    "pattern": r"\bEMP-\d{6}\b",
    "keywords": "",
    "checksum": "none",
    "must_match": "EMP-004711\r\n\r\nEMP-000001",
    "must_not_match": "EMP-1",
    "text": "<b>seen</b> by EMP-123456",
}


@pytest.fixture
def admin(acme: Tenant) -> User:
    return member(acme, "olga", roles=[Role.SECURITY_ADMIN])


def test_a_pattern_is_tried_and_its_matches_are_marked(acme: Tenant, admin: User) -> None:
    answer = browser_of(admin).post("/detectors/", FORM | {"do": "try"})
    html = answer.content.decode()
    assert "<mark>EMP-123456</mark>" in html
    assert "&lt;b&gt;seen" in html
    assert "Nothing in the newest 20 recorded calls" in page(answer).text
    with in_tenant(acme):
        assert not Detector.objects.for_tenant(acme).exists()


def test_a_version_is_saved_made_live_and_taken_back(acme: Tenant, admin: User) -> None:
    client = browser_of(admin)
    saved = client.post("/detectors/", FORM | {"do": "save"})
    assert saved.status_code == 302
    path = saved.headers["Location"]
    assert "nothing is masked by it" in page(client.get(path)).text
    assert client.post(path, {"number": "1"}).status_code == 302
    assert "Version 1 masks every call" in page(client.get(path)).text
    assert "live version 1" in " ".join(page(client.get("/detectors/")).text.split())
    with in_tenant(acme):
        assert live_detectors(acme)
    assert client.post(path, {"number": ""}).status_code == 302
    with in_tenant(acme):
        assert live_detectors(acme) == b""


def test_what_is_refused_is_told_and_the_form_keeps_what_was_written(acme: Tenant, admin: User) -> None:
    answer = browser_of(admin).post("/detectors/", FORM | {"pattern": "EMP-<(", "do": "save"})
    assert answer.status_code == 400
    assert "does not compile" in page(answer).text
    assert 'value="EMP-&lt;("' in answer.content.decode()


@pytest.mark.parametrize("changed", [{"checksum": "crc"}, {"must_match": "\n".join("abcdefghijklmnopqrstuvwxyz")}])
def test_a_form_nobody_was_shown_is_refused(admin: User, changed: dict[str, str]) -> None:
    assert browser_of(admin).post("/detectors/", FORM | {"do": "save"} | changed).status_code == 400


def test_a_number_that_is_none_is_refused(acme: Tenant, admin: User) -> None:
    client = browser_of(admin)
    path = client.post("/detectors/", FORM | {"do": "save"}).headers["Location"]
    assert client.post(path, {"number": "one"}).status_code == 400
    assert client.post(path, {"number": "7"}).status_code == 404


def test_a_reader_sees_them_without_a_form(acme: Tenant, admin: User) -> None:
    path = browser_of(admin).post("/detectors/", FORM | {"do": "save"}).headers["Location"]
    client = browser_of(member(acme, "ada", roles=[Role.AUDITOR]))
    for one in ("/detectors/", path):
        assert "employee-id" in page(client.get(one)).text
        assert "<textarea" not in client.get(one).content.decode()
        assert client.post(one, {"number": "1"}).status_code == 403
