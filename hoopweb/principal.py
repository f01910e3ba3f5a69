"""The trust policy to show for a connection: asks once which AWS identity of ours a tenant must name."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from gateway.connections.models import Connection
from gateway.connections.sts import StsRefused, gateway_principal
from gateway.connections.trust import trust_policy
from gateway.problems import Problem


class PrincipalUnknown(Problem):
    code = "connections.principal_unknown"
    status = 503
    title = "AWS did not say which identity this installation has"
    remedy = "Set HOOPWEB_AWS_PRINCIPAL_ARN, or give the installation credentials and try again."


@lru_cache(maxsize=64)
def _principal(region: str) -> str:
    # An installation's identity lasts as long as its process; a refusal is not remembered.
    return gateway_principal(region=region)


def trust_policy_of(connection: Connection) -> dict[str, Any]:
    """Return the policy to paste into the connection's role; raises PrincipalUnknown."""
    try:
        return trust_policy(connection, _principal(connection.regions[0]))
    except StsRefused as refusal:
        raise PrincipalUnknown(f"STS answered `{refusal.code}`") from None
