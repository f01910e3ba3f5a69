"""The trust policy a tenant pastes into the role it opens for us. Pure."""

from __future__ import annotations

from typing import Any

from gateway.connections.models import Connection


def trust_policy(connection: Connection, gateway_principal_arn: str) -> dict[str, Any]:
    """Return the role's trust policy: only our principal, only with this connection's ExternalId and a named person."""
    principal = {"AWS": gateway_principal_arn}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "HoopwebAssumes",
                "Effect": "Allow",
                "Principal": principal,
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"sts:ExternalId": connection.external_id},
                    # At least one character: a session without a person behind it is refused by AWS itself.
                    "StringLike": {"sts:SourceIdentity": "?*"},
                },
            },
            # A statement of its own: AWS evaluates these as further actions of the same call, and they give no
            # session by themselves.
            {
                "Sid": "HoopwebNames",
                "Effect": "Allow",
                "Principal": principal,
                "Action": ["sts:SetSourceIdentity", "sts:TagSession"],
            },
        ],
    }
