"""AWS as a masking job reaches it: a session that can do what this job does and no more, each call decided by policy.

The principal is the system, and every call names its job. Call outside transactions: AWS may take seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

import boto3
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from django.conf import settings

from gateway.connections.endpoints import upstream_of
from gateway.connections.session_policies import for_call
from gateway.connections.sessions import SessionAsk, one_call_session
from gateway.connections.sts import RoleTarget
from gateway.engine import CompiledRevision, decide
from gateway.jobs.problems import JobDelayed, JobStopped
from gateway.terms import AccessClass, Effect, LinkLevel, Principal, PrincipalKind, Question
from gateway.wire.aws.candidates import candidate_of
from gateway.wire.aws.parsing import parse
from gateway.wire.request import WireRequest

_TIMEOUTS = {"connect_timeout": 5, "read_timeout": 60, "retries": {"total_max_attempts": 3, "mode": "standard"}}
# botocore makes clients from shared tables it fills as it goes: one at a time.
_making = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What one job may touch, and under which policy revision it does."""

    job_id: UUID
    target: RoleTarget
    connection_label: str
    region: str
    actions: tuple[str, ...]
    arns: tuple[str, ...]
    revision: CompiledRevision
    access: AccessClass = AccessClass.READ


@cache
def _session() -> boto3.session.Session:
    return boto3.session.Session()


def client(reach: Reach, service: str) -> Any:
    """An AWS client of the job's own session; raises Problems of the connection, as AssumeRoleFailed."""
    home = reach.target
    policy = for_call(reach.actions, reach.arns, account=home.end_account, regions=home.regions, further=home.beside)
    ask = SessionAsk(target=home, person="hoopweb-system", access=reach.access)
    session = one_call_session(ask, policy)
    style = {"s3": {"addressing_style": "path"}} if settings.UPSTREAM_AWS_URL else {}
    agent = f"hoopweb-job/{reach.job_id}"
    config = Config(ignore_configured_endpoint_urls=True, user_agent_extra=agent, **style, **_TIMEOUTS)
    # Asked for every service, S3 too: it refuses regions and services outside the partition.
    signing_region = upstream_of(service, reach.region).signing_region
    with _making:
        made = _session().client(
            service,
            region_name=signing_region if service != "s3" else reach.region,
            endpoint_url=settings.UPSTREAM_AWS_URL or None,
            aws_access_key_id=session.access_key_id,
            aws_secret_access_key=session.secret_access_key,
            aws_session_token=session.session_token,
            config=config,
        )
    made.meta.events.register_first("before-send", _Deciding(reach, made.meta.service_model.signing_name))
    return made


class _Deciding:
    """Asks the tenant's policy about each call as it is about to leave, as it is asked about an agent's."""

    def __init__(self, reach: Reach, signing_name: str) -> None:
        self._reach, self._signing_name = reach, signing_name

    def __call__(self, request: AWSPreparedRequest, **_: Any) -> None:
        reach = self._reach
        decision = decide(reach.revision, self._question(_wire(request)))
        if decision.effect is not Effect.ALLOW:
            rules = ", ".join(decision.rule_ids) or "nothing permits it"
            raise JobStopped(f"Policy does not let the system make this call ({rules})")

    def _question(self, request: WireRequest) -> Question:
        reach = self._reach
        account = reach.target.end_account
        readings = parse(request, self._signing_name, reach.region)
        return Question(
            tenant_id=reach.target.tenant_id,
            principal=Principal(kind=PrincipalKind.SYSTEM, id=reach.job_id, label="system"),
            connection_id=reach.target.connection_id,
            connection_label=reach.connection_label,
            account=account,
            region=reach.region,
            candidates=tuple(candidate_of(one, account=account, region=reach.region) for one in readings),
            link=LinkLevel.PERSON,
            is_machine_turn=True,
            source_address="",
            hour_utc=datetime.now(UTC).hour,
        )


def _wire(request: AWSPreparedRequest) -> WireRequest:
    """The prepared request as an edge would have read it; what a body streams is no parameter."""
    _, _, rest = request.url.partition("://")
    host, slash, target = rest.partition("/")
    headers = [(name, _text(value)) for name, value in request.headers.items()]
    if "host" not in {name.lower() for name, _ in headers}:
        headers.append(("Host", host))
    body = (
        request.body
        if isinstance(request.body, bytes)
        else (request.body or "").encode()
        if isinstance(request.body, str)
        else b""
    )
    return WireRequest(method=request.method, target=f"{slash}{target}" or "/", headers=tuple(headers), body=body)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


# What AWS answers is told by its code: messages may quote names.
def stopped(error: ClientError | BotoCoreError, *, what: str) -> JobStopped | JobDelayed:
    """The reason a job cannot go on, or not now, without AWS's own words."""
    code = code_of(error)
    kind = JobDelayed if code in _FOR_NOW or isinstance(error, HTTPClientError) else JobStopped
    return kind(f"AWS answered `{code[:60]}` to {what}")


# What AWS says when it is busy, or when a session ended amid a page: botocore itself has tried three times.
_FOR_NOW = frozenset(
    """Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException TooManyRequestsException
    ProvisionedThroughputExceededException RequestLimitExceeded BandwidthLimitExceeded LimitExceededException SlowDown
    InternalError InternalServerError InternalFailure ServiceUnavailable ServiceUnavailableException RequestTimeout
    RequestTimeoutException ExpiredToken ExpiredTokenException 500 502 503 504""".split()  # noqa: SIM905  # a list of words
)


def code_of(error: ClientError | BotoCoreError) -> str:
    """AWS's code, or what went wrong on the way to it."""
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else type(error).__name__


def is_for_now(error: ClientError) -> bool:
    """Whether the same call may well be answered later."""
    return code_of(error) in _FOR_NOW


def bucket_arns(bucket: str, prefix: str = "") -> Sequence[str]:
    """A bucket, and its objects below a prefix."""
    return (f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/{prefix}*")
