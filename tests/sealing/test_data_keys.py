"""Each tenant has a data key of its own, made once, wrapped by the installation's key."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction

from gateway.sealing import services
from gateway.sealing.envelope import SealBroken
from gateway.sealing.models import DataKey
from gateway.sealing.services import seal, unseal
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
COLUMN = "audit_prompt.sealed_text"


def forget_keys() -> None:
    """What a restart does."""
    services._keys.clear()


def sealed_for(tenant: Tenant, plaintext: bytes = b"the words") -> bytes:
    with in_tenant(tenant):
        return seal(tenant_id=tenant.pk, column=COLUMN, plaintext=plaintext)


def test_what_a_tenant_seals_it_opens(acme: Tenant) -> None:
    sealed = sealed_for(acme)
    with in_tenant(acme):
        assert unseal(tenant_id=acme.pk, column=COLUMN, sealed=sealed) == b"the words"


def test_the_same_words_seal_differently_each_time(acme: Tenant) -> None:
    assert sealed_for(acme) != sealed_for(acme)


def test_one_tenant_does_not_open_what_another_sealed(acme: Tenant, globex: Tenant) -> None:
    theirs = sealed_for(globex)
    sealed_for(acme)
    with in_tenant(acme), pytest.raises(SealBroken):
        unseal(tenant_id=acme.pk, column=COLUMN, sealed=theirs)


def test_a_column_does_not_open_what_was_sealed_for_another(acme: Tenant) -> None:
    sealed = sealed_for(acme)
    with in_tenant(acme), pytest.raises(SealBroken):
        unseal(tenant_id=acme.pk, column="connections_credential.sealed_secret", sealed=sealed)


def test_the_data_key_lies_wrapped(acme: Tenant) -> None:
    sealed_for(acme)
    with in_tenant(acme):
        row = DataKey.objects.get()
        _, key = services._key(acme.pk)
    assert len(key) == 32
    assert key not in bytes(row.wrapped)
    assert (row.version, row.wrapped_by) == (1, "key-file")


def test_a_value_whose_data_key_is_gone_stays_closed(acme: Tenant) -> None:
    sealed = sealed_for(acme)
    renamed = sealed[:1] + (9).to_bytes(4, "big") + sealed[5:]
    with in_tenant(acme), pytest.raises(SealBroken, match="gone"):
        unseal(tenant_id=acme.pk, column=COLUMN, sealed=renamed)


def test_first_writers_at_once_make_one_key(acme: Tenant) -> None:
    found = at_once([lambda: sealed_for(acme)] * 4)
    with in_tenant(acme):
        assert DataKey.objects.count() == 1
        for sealed in found:
            assert isinstance(sealed, bytes)
            assert unseal(tenant_id=acme.pk, column=COLUMN, sealed=sealed) == b"the words"


def test_the_serving_role_cannot_replace_or_delete_a_key(acme: Tenant) -> None:
    sealed_for(acme)
    for sql in ("UPDATE sealing_datakey SET version = 2", "DELETE FROM sealing_datakey"):
        with pytest.raises(Exception, match="denied"), in_tenant(acme), connection.cursor() as cursor:
            cursor.execute(sql)


def test_a_key_made_in_a_transaction_that_failed_is_never_used_again(acme: Tenant) -> None:
    """Else what is sealed afterwards opens in this process, and in none after a restart."""

    def seal_and_fail() -> None:
        with in_tenant(acme):
            # Twice: the second finds the row the first one made, and must not remember it.
            for _ in range(2):
                seal(tenant_id=acme.pk, column=COLUMN, plaintext=b"lost with the rest")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        seal_and_fail()
    sealed = sealed_for(acme)
    forget_keys()
    with in_tenant(acme):
        assert unseal(tenant_id=acme.pk, column=COLUMN, sealed=sealed) == b"the words"


def test_a_key_made_within_a_failed_savepoint_is_never_used_again(acme: Tenant) -> None:
    with in_tenant(acme):
        savepoint = transaction.savepoint()
        for _ in range(2):
            seal(tenant_id=acme.pk, column=COLUMN, plaintext=b"lost with the rest")
        transaction.savepoint_rollback(savepoint)
        sealed = seal(tenant_id=acme.pk, column=COLUMN, plaintext=b"the words")
    forget_keys()
    with in_tenant(acme):
        assert unseal(tenant_id=acme.pk, column=COLUMN, sealed=sealed) == b"the words"


def test_a_committed_key_is_remembered(acme: Tenant, django_assert_num_queries: Any) -> None:
    sealed = sealed_for(acme)
    sealed_for(acme)
    with in_tenant(acme), django_assert_num_queries(0):
        assert unseal(tenant_id=acme.pk, column=COLUMN, sealed=sealed) == b"the words"
