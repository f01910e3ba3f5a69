"""AssumeRole and GetCallerIdentity at STS, with whatever identity the connection or the installation has.

Which sessions are kept, and for how long, is `gateway.connections.sessions`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from gateway.connections.chain import Hop
from gateway.connections.endpoints import upstream_of
from gateway.connections.session_policies import SessionPolicy

# A session outlives the longest hold and approval window it is used in; role chaining allows no more than an hour.
SESSION_SECONDS = 3600
_TIMEOUTS = {"connect_timeout": 3, "read_timeout": 7, "retries": {"total_max_attempts": 2, "mode": "standard"}}
_NAME_CHARS = re.compile(r"[^A-Za-z0-9_+=,.@-]")
_TAG_CHARS = re.compile(r"[^\w .:/=+@-]")
_LONGEST_NAME = 64
_ROLE_SESSION = re.compile(r"^arn:aws:sts::(\d{12}):assumed-role/([^/]+)/.+$")


class StsRefused(Exception):
    """STS said no, or could not be reached. `code` is its error code; messages may name principals and stay here."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseKeys:
    """Long-lived keys a role is assumed with; without them the installation's own identity is used."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


_STANDIN_KEYS = BaseKeys(access_key_id="AKIASTANDIN000000000", secret_access_key="of-no-use-at-aws")  # noqa: S106


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleTarget:
    """A connection as STS needs it. The whole value is part of a pool's key: a changed role is another pool."""

    tenant_id: UUID
    tenant_label: str
    connection_id: UUID
    connection_label: str
    account: str
    role_arn: str
    external_id: str = field(repr=False)
    regions: tuple[str, ...]
    base: BaseKeys | None = None
    # Accounts beside its own that its chains and calls may reach.
    further_accounts: tuple[str, ...] = ()
    # Roles assumed after the connection's own, where a key was derived by AssumeRole.
    hops: tuple[Hop, ...] = ()

    def __hash__(self) -> int:
        # By what tells most apart: looked up for every call, and the rest of it is a long walk.
        return hash((self.role_arn, self.external_id))

    @property
    def end_account(self) -> str:
        """The account calls are made in: that of the last role on the way."""
        return self.hops[-1].account if self.hops else self.account

    @property
    def accounts(self) -> tuple[str, ...]:
        """Every account the connection may reach, its own first."""
        return (self.account, *self.further_accounts)

    @property
    def beside(self) -> tuple[str, ...]:
        """The accounts calls may reach beside the one they are made in."""
        return tuple(one for one in self.accounts if one != self.end_account)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSession:
    """Temporary credentials of one role session. They never leave the control plane."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: datetime
    # Who one is by them, as STS said: `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`, and the role's id with it.
    principal_arn: str = ""
    principal_id: str = ""


def source_identity(*, label: str, person_id: UUID) -> str:
    """The person in the characters STS allows; a label that had to be changed carries the id's first half too."""
    cleaned = _NAME_CHARS.sub("-", label)
    if cleaned == label and 2 <= len(label) <= _LONGEST_NAME:
        return label
    mark = f".{person_id.hex[:16]}"
    return cleaned[: _LONGEST_NAME - len(mark)] + mark


def tag_value(text: str) -> str:
    """The text in the characters of a session tag, at most 256 of them."""
    return _TAG_CHARS.sub("_", text)[:256]


def _installation_keys() -> BaseKeys | None:
    name, secret = (os.environ.get(f"HOOPWEB_AWS_{part}", "") for part in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
    if name and secret:
        return BaseKeys(access_key_id=name, secret_access_key=secret)
    # A stand-in checks no signature, and must never be sent the identity this machine has at AWS.
    return _STANDIN_KEYS if settings.UPSTREAM_AWS_URL else None


@lru_cache(maxsize=256)
def _client(region: str, keys: BaseKeys | None, session_token: str | None, standin_url: str) -> Any:
    endpoint = upstream_of("sts", region)
    # The installation's own AWS_ENDPOINT_URL may well point at one of our edges.
    config = Config(ignore_configured_endpoint_urls=True, user_agent_extra="hoopweb", **_TIMEOUTS)
    return boto3.session.Session().client(
        "sts",
        region_name=endpoint.signing_region,
        endpoint_url=standin_url or endpoint.url,
        aws_access_key_id=keys.access_key_id if keys else None,
        aws_secret_access_key=keys.secret_access_key if keys else None,
        aws_session_token=session_token,
        config=config,
    )


def _ask(operation: Callable[..., dict[str, Any]], **parameters: Any) -> dict[str, Any]:
    try:
        return operation(**parameters)
    except ClientError as error:
        raise StsRefused(str(error.response.get("Error", {}).get("Code", "Unknown"))) from None
    except BotoCoreError as error:
        raise StsRefused(type(error).__name__) from None


def assume_role(
    target: RoleTarget,
    *,
    source: str,
    session_name: str,
    policy: SessionPolicy,
    with_external_id: bool = True,
    tags: tuple[tuple[str, str], ...] = (),
    transitive: tuple[str, ...] = (),
) -> RoleSession:
    """Assume the connection's role as one person, under a session policy; raises StsRefused."""
    hop = Hop(role_arn=target.role_arn, session_name=session_name, tags=tags, transitive=transitive)
    client = _client(target.regions[0], target.base or _installation_keys(), None, settings.UPSTREAM_AWS_URL)
    external_id = target.external_id if with_external_id else ""
    return _assumed(client, target, hop, source=source, policy=policy, external_id=external_id)


def assume_next(target: RoleTarget, hop: Hop, *, by: RoleSession, source: str, policy: SessionPolicy) -> RoleSession:
    """Assume one more role of a chain with the session of the one before; raises StsRefused.

    The person goes on with it: STS keeps a source identity through a chain, and refuses another.
    """
    keys = BaseKeys(access_key_id=by.access_key_id, secret_access_key=by.secret_access_key)
    # Not the cached client: a session's credentials are for this one question.
    client = _client.__wrapped__(target.regions[0], keys, by.session_token, settings.UPSTREAM_AWS_URL)
    return _assumed(client, target, hop, source=source, policy=policy, external_id=hop.external_id)


def _assumed(
    client: Any, target: RoleTarget, hop: Hop, *, source: str, policy: SessionPolicy, external_id: str
) -> RoleSession:
    tags = (
        ("hoopweb:tenant", tag_value(target.tenant_label)),
        ("hoopweb:connection", tag_value(target.connection_label)),
    )
    parameters: dict[str, Any] = {
        "RoleArn": hop.role_arn,
        "RoleSessionName": _NAME_CHARS.sub("-", hop.session_name)[:_LONGEST_NAME],
        "SourceIdentity": source,
        "DurationSeconds": SESSION_SECONDS,
        "Policy": policy.policy_json,
        "Tags": [{"Key": key, "Value": value} for key, value in (*tags, *hop.tags)],
    }
    if hop.transitive:
        parameters["TransitiveTagKeys"] = list(hop.transitive)
    if policy.policy_arns:
        parameters["PolicyArns"] = [{"arn": arn} for arn in policy.policy_arns]
    if external_id:
        parameters["ExternalId"] = external_id
    answer = _ask(client.assume_role, **parameters)
    given, user = answer["Credentials"], answer.get("AssumedRoleUser", {})
    return RoleSession(
        access_key_id=given["AccessKeyId"],
        secret_access_key=given["SecretAccessKey"],
        session_token=given["SessionToken"],
        expires_at=given["Expiration"],
        principal_arn=str(user.get("Arn", "")),
        principal_id=str(user.get("AssumedRoleId", "")),
    )


def caller_account(session: RoleSession, *, region: str) -> str:
    """Return the account a role session acts in, as STS itself says; raises StsRefused."""
    keys = BaseKeys(access_key_id=session.access_key_id, secret_access_key=session.secret_access_key)
    # Not the cached client: a session's credentials are for this one question.
    client = _client.__wrapped__(region, keys, session.session_token, settings.UPSTREAM_AWS_URL)
    return str(_ask(client.get_caller_identity)["Account"])


def gateway_principal(*, region: str) -> str:
    """Return the ARN a tenant's trust policy must name: ours. `HOOPWEB_AWS_PRINCIPAL_ARN` says it without asking STS."""
    configured = os.environ.get("HOOPWEB_AWS_PRINCIPAL_ARN", "")
    if configured:
        return configured
    client = _client(region, _installation_keys(), None, settings.UPSTREAM_AWS_URL)
    return principal_of(str(_ask(client.get_caller_identity)["Arn"]))


def principal_of(caller_arn: str) -> str:
    """The lasting principal behind a caller: the role behind one of its sessions (roles with a path keep none here)."""
    session = _ROLE_SESSION.match(caller_arn)
    return f"arn:aws:iam::{session.group(1)}:role/{session.group(2)}" if session else caller_arn
