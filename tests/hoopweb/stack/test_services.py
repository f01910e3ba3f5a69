"""PostgreSQL and Valkey as the launcher leaves them."""

from __future__ import annotations

import os
import stat

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from hoopweb.stack import postgres
from hoopweb.stack.services import Services


def test_the_app_role_is_bound_by_row_security(services: Services) -> None:
    with services.postgres.connect(postgres.APP, services.passwords.app, postgres.DATABASE) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert row == (False, False, False)


@pytest.mark.parametrize("role", [postgres.APP, postgres.OWNER, postgres.SUPERUSER])
def test_the_local_socket_asks_for_a_password(services: Services, role: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        services.postgres.connect(role, "wrong", postgres.DATABASE)


def test_the_app_role_cannot_become_the_owner(services: Services) -> None:
    with (
        services.postgres.connect(postgres.APP, services.passwords.app, postgres.DATABASE) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("SET ROLE hoopweb_owner")


def test_the_owner_can_step_down_to_the_app_role(services: Services) -> None:
    with services.postgres.connect(postgres.OWNER, services.passwords.owner, postgres.DATABASE) as connection:
        connection.execute("SET ROLE hoopweb_app")
        assert connection.execute("SELECT current_user").fetchone() == (postgres.APP,)


def test_the_server_listens_on_no_network_address(services: Services) -> None:
    with services.postgres.connect(postgres.APP, services.passwords.app, postgres.DATABASE) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_the_cluster_is_closed_to_other_accounts(services: Services) -> None:
    for folder in (services.postgres.home, services.postgres.data, services.postgres.socket_folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root has privileges to drop; the other branch is everybody else's run"
)
def test_as_root_the_server_runs_under_an_unprivileged_account(services: Services) -> None:
    assert services.postgres.data.stat().st_uid != 0


def test_valkey_asks_for_its_password(services: Services) -> None:
    with (
        redis.Redis(port=services.valkey.port, retry=Retry(NoBackoff(), 0)) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_no_password_stands_in_the_process_arguments(services: Services) -> None:
    arguments = " ".join([*services.valkey.command(), *services.postgres.command()])
    secrets = [services.valkey.password, services.passwords.superuser, services.passwords.app, services.passwords.owner]
    assert not any(secret in arguments for secret in secrets)


def test_secrets_are_readable_by_their_owner_alone(services: Services) -> None:
    files = list((services.state.root / "secrets").iterdir())
    assert files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
