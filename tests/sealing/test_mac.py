"""What is told by its MAC: the same message is found again, and nobody without the tenant's key can guess it."""

from __future__ import annotations

import hashlib

from gateway.sealing.models import DataKey
from gateway.sealing.services import seal, tenant_mac
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant

MESSAGE = b"ec2:TerminateInstances i-0123456789abcdef0"


def mac(tenant: Tenant, purpose: str = "approval digest", message: bytes = MESSAGE) -> bytes:
    with in_tenant(tenant):
        return tenant_mac(tenant_id=tenant.pk, purpose=purpose, message=message)


def test_the_same_message_has_the_same_mac(acme: Tenant) -> None:
    assert mac(acme) == mac(acme)
    assert len(mac(acme)) == 32


def test_another_tenant_purpose_or_message_has_another(acme: Tenant, globex: Tenant) -> None:
    others = [mac(globex), mac(acme, purpose="something else"), mac(acme, message=MESSAGE + b" ")]
    assert len({mac(acme), *others}) == 4


def test_it_is_no_plain_hash_of_what_can_be_guessed(acme: Tenant) -> None:
    assert mac(acme) != hashlib.sha256(MESSAGE).digest()


def test_a_tenant_without_a_data_key_gets_one(acme: Tenant) -> None:
    with in_tenant(acme):
        assert not DataKey.objects.for_tenant(acme).exists()
    mac(acme)
    with in_tenant(acme):
        assert DataKey.objects.for_tenant(acme).get().version == 1


def test_a_newer_data_key_changes_no_mac(acme: Tenant) -> None:
    before = mac(acme)
    with in_tenant(acme):
        first = DataKey.objects.for_tenant(acme).get()
        DataKey.objects.create(tenant=acme, version=2, wrapped=first.wrapped, wrapped_by=first.wrapped_by)
        seal(tenant_id=acme.pk, column="any.column", plaintext=b"x")
    assert mac(acme) == before
