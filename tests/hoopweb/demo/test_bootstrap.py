"""`bootstrap_demo`: a tenant that works at once, the same tenant at the next start, and keys nobody else can read."""

from __future__ import annotations

import hashlib
import io
import shlex
import stat
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from approvals.models import ApprovalRule
from audit.models import Event
from gateway.connections.models import Connection, ConnectionState
from gateway.identity import keys
from gateway.identity.models import ApiKey, GatewayKey, Membership
from gateway.identity.sign_in import sign_in
from gateway.policy import services as policy
from gateway.policy.models import Revision
from gateway.requests.models import EnrolmentToken
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from hoopweb.demo import env_file
from tests.conftest import AsOwner
from tests.identity.counters import forget_guesses

Bootstrap = Callable[..., dict[str, str]]
WANTED = {
    "HOOPWEB_URL",
    "HOOPWEB_TENANT",
    "HOOPWEB_ADMIN_USER",
    "HOOPWEB_ADMIN_PASSWORD",
    "HOOPWEB_API_KEY",
    "HOOPWEB_ADMIN_API_KEY",
    "HOOPWEB_APPROVER_API_KEY",
    "HOOPWEB_APPROVER2_API_KEY",
    "HOOPWEB_DEVELOPER_API_KEY",
    "AWS_ENDPOINT_URL",
    "AWS_CA_BUNDLE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "HOOPWEB_UPSTREAM_AWS_URL",
}


@pytest.fixture
def state(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.STATE_DIR = tmp_path
    # Five people a start: the real hash is slow on purpose, and is not what is tested here.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    monkeypatch.setenv("HOOPWEB_EDGE_NAMES", "edge-1,edge-2")
    monkeypatch.setenv("HOOPWEB_EDGE_URL", "https://localhost:8443")
    return tmp_path


@pytest.fixture
def bootstrap(db: None, state: Path, standin: str, as_owner: AsOwner) -> Bootstrap:
    """Run the command as `make run` does, as the owner role, and return what the shell then has."""

    def run(*arguments: str) -> dict[str, str]:
        path = state / "demo.env"
        with as_owner():
            call_command(
                "bootstrap_demo", "--env-file", str(path), *arguments, stdout=io.StringIO(), stderr=io.StringIO()
            )
        script = f". {shlex.quote(str(path))} && env -0"
        told = subprocess.run(["sh", "-c", script], env={}, check=True, capture_output=True, text=True).stdout
        return dict(line.split("=", 1) for line in told.split("\0") if "=" in line)

    return run


def tenant_of(exports: dict[str, str]) -> Tenant:
    named = keys.read_access_key_id(exports["AWS_ACCESS_KEY_ID"])
    assert named is not None
    with in_tenant(named.tenant_id):
        tenant: Tenant = Tenant.objects.get(pk=named.tenant_id)
    return tenant


def live_key(tenant: Tenant, plaintext: str) -> ApiKey | None:
    named = keys.read_api_key(plaintext)
    assert named is not None
    with in_tenant(tenant):
        key: ApiKey = ApiKey.objects.for_tenant(tenant).select_related("user").get(pk=named.key_id)
    assert keys.matches(plaintext, bytes(key.digest))
    return key if key.is_live(datetime.now(UTC)) else None


def test_a_shell_that_reads_the_file_has_everything_the_readme_needs(bootstrap: Bootstrap, standin: str) -> None:
    exports = bootstrap()
    assert set(exports) >= WANTED
    assert all(exports[name] for name in WANTED)
    assert exports["HOOPWEB_UPSTREAM_AWS_URL"] == standin
    assert exports["AWS_ENDPOINT_URL"] == "https://localhost:8443"


def test_the_demo_tenant_is_whole(bootstrap: Bootstrap) -> None:
    tenant = tenant_of(bootstrap())
    assert tenant.keys_may_vote
    with in_tenant(tenant):
        connection = Connection.objects.for_tenant(tenant).get()
        assert (connection.state, connection.test_report["is_standin"]) == (ConnectionState.ACTIVE, True)
        assert ApprovalRule.objects.for_tenant(tenant).get().group == "platform"
        assert policy.current(tenant.pk).revision == "main@1"
        voters = Membership.objects.for_tenant(tenant).filter(
            roles__contains=["approver"], groups__contains=["platform"]
        )
        assert voters.count() == 2


def test_each_key_is_one_persons_with_that_persons_rights(bootstrap: Bootstrap) -> None:
    wanted = {
        "HOOPWEB_API_KEY": ("auditor", "events:read"),
        "HOOPWEB_ADMIN_API_KEY": ("admin", "policies:write"),
        "HOOPWEB_APPROVER_API_KEY": ("bob", "approvals:vote"),
        "HOOPWEB_APPROVER2_API_KEY": ("carol", "approvals:vote"),
        "HOOPWEB_DEVELOPER_API_KEY": ("alice", "keys:issue"),
    }
    exports = bootstrap()
    live = {variable: live_key(tenant_of(exports), exports[variable]) for variable in wanted}
    assert {variable: key and key.user and key.user.username for variable, key in live.items()} == {
        variable: username for variable, (username, _) in wanted.items()
    }
    assert [variable for variable, key in live.items() if key is None or wanted[variable][1] not in key.scopes] == []


def test_the_aws_keys_are_alices_agents_and_last_a_working_day(bootstrap: Bootstrap) -> None:
    exports = bootstrap()
    tenant = tenant_of(exports)
    with in_tenant(tenant):
        key = GatewayKey.objects.for_tenant(tenant).select_related("user", "agent").get()
    assert key.user is not None
    assert (key.access_key_id, key.user.username, key.agent.name) == (
        exports["AWS_ACCESS_KEY_ID"],
        "alice",
        "demo-agent",
    )
    assert (key.expires_at - key.issued_at).total_seconds() == 8 * 3600
    assert keys.matches(exports["AWS_SESSION_TOKEN"], bytes(key.token_digest))


def test_the_people_in_the_file_can_sign_in(bootstrap: Bootstrap) -> None:
    forget_guesses()
    exports = bootstrap()
    for who in ("HOOPWEB_ADMIN", "HOOPWEB_APPROVER"):
        username, password = exports[f"{who}_USER"], exports[f"{who}_PASSWORD"]
        found = sign_in(username=username, password=password, source="127.0.0.1", now=datetime.now(UTC))
        assert found.username == username


def test_a_second_start_keeps_the_tenant_and_its_policy_and_changes_only_the_keys(bootstrap: Bootstrap) -> None:
    first = bootstrap()
    second = bootstrap()
    tenant = tenant_of(first)
    assert tenant_of(second) == tenant
    changed = {name for name in WANTED if first[name] != second[name]}
    assert changed == {name for name in WANTED if name.endswith("_API_KEY") or name == "HOOPWEB_API_KEY"} | {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    }
    with in_tenant(tenant):
        assert Revision.objects.for_tenant(tenant).count() == 1
        assert Connection.objects.for_tenant(tenant).count() == 1
        assert Event.objects.for_tenant(tenant).filter(kind="connection.tested").count() == 1


def test_a_second_start_ends_the_keys_of_the_first_and_leaves_peoples_own_alone(bootstrap: Bootstrap) -> None:
    first = bootstrap()
    tenant = tenant_of(first)
    with in_tenant(tenant):
        ApiKey.objects.for_tenant(tenant).filter(user__username="carol").update(name="carol's own")
    bootstrap()
    assert live_key(tenant, first["HOOPWEB_APPROVER_API_KEY"]) is None
    assert live_key(tenant, first["HOOPWEB_APPROVER2_API_KEY"]) is not None
    with in_tenant(tenant):
        assert GatewayKey.objects.for_tenant(tenant).filter(revoked_at=None).count() == 1


def test_what_a_person_published_meanwhile_still_decides(bootstrap: Bootstrap) -> None:
    tenant = tenant_of(bootstrap())
    text = '@id("mine") permit (principal, action, resource);'
    with in_tenant(tenant):
        policy.publish(tenant=tenant, packs=[], text=text, by_label="admin", now=datetime.now(UTC))
    bootstrap()
    with in_tenant(tenant):
        assert set(policy.current(tenant.pk).by_id) == {"mine"}


def test_a_suspended_connection_stays_suspended(bootstrap: Bootstrap) -> None:
    tenant = tenant_of(bootstrap())
    with in_tenant(tenant):
        Connection.objects.for_tenant(tenant).update(state=ConnectionState.SUSPENDED)
    bootstrap()
    with in_tenant(tenant):
        assert Connection.objects.for_tenant(tenant).get().state == ConnectionState.SUSPENDED


def test_each_edge_gets_a_token_of_its_own_and_unspent_ones_are_withdrawn(bootstrap: Bootstrap, state: Path) -> None:
    bootstrap()
    bootstrap()
    texts = [(state / "secrets" / f"edge-{number}-enrol-token").read_text() for number in (1, 2)]
    digests = {hashlib.sha256(text.encode()).digest() for text in texts}
    assert len(digests) == 2
    assert {bytes(token.digest) for token in EnrolmentToken.objects.all()} == digests


def test_every_file_with_a_secret_is_closed_to_everybody_else(bootstrap: Bootstrap, state: Path) -> None:
    bootstrap()
    written = [path for path in state.rglob("*") if path.is_file()]
    assert len(written) >= 8
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o600}


def test_a_lost_password_file_means_a_new_password(bootstrap: Bootstrap, state: Path) -> None:
    forget_guesses()
    first = bootstrap()
    (state / "secrets" / "password-of-admin").unlink()
    second = bootstrap()
    assert second["HOOPWEB_ADMIN_PASSWORD"] != first["HOOPWEB_ADMIN_PASSWORD"]
    sign_in(username="admin", password=second["HOOPWEB_ADMIN_PASSWORD"], source="x", now=datetime.now(UTC))


def test_a_second_demo_tenant_has_people_of_its_own(bootstrap: Bootstrap) -> None:
    demo, globex = bootstrap(), bootstrap("--tenant", "globex")
    assert tenant_of(demo) != tenant_of(globex)
    assert globex["HOOPWEB_ADMIN_USER"] == "globex-admin"
    assert live_key(tenant_of(demo), demo["HOOPWEB_API_KEY"]) is not None


def test_no_secret_is_in_the_ledger(bootstrap: Bootstrap) -> None:
    exports = bootstrap()
    tenant = tenant_of(exports)
    with in_tenant(tenant):
        bodies = b"".join(bytes(event.body) for event in Event.objects.for_tenant(tenant))
    hidden = [
        exports[name]
        for name in WANTED
        if "PASSWORD" in name or "API_KEY" in name or "SECRET" in name or "TOKEN" in name
    ]
    assert len(hidden) >= 8
    assert [one for one in hidden if one.encode() in bodies] == []


def test_the_serving_role_is_turned_away(db: None, state: Path, standin: str) -> None:
    with pytest.raises(CommandError, match="owner role"):
        call_command("bootstrap_demo")


def test_without_a_stand_in_there_is_no_demo(db: None, state: Path, settings: Settings, as_owner: AsOwner) -> None:
    settings.UPSTREAM_AWS_URL = ""
    with as_owner(), pytest.raises(CommandError, match="HOOPWEB_UPSTREAM_AWS_URL"):
        call_command("bootstrap_demo")


@pytest.mark.parametrize("value", ["plain", "it's", "a b", "$(id)", "`id`", '"', "\\", "a;b"])
def test_a_value_reaches_the_shell_as_it_is(tmp_path: Path, value: str) -> None:
    path = tmp_path / "x.env"
    env_file.write(path, {"VALUE": value})
    told = subprocess.run(["sh", "-c", f'. {path} && printf %s "$VALUE"'], check=True, capture_output=True, text=True)
    assert told.stdout == value
    assert path.read_text().startswith("export VALUE='")
