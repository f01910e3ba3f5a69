"""How far a grant reaches: this account, another one, everybody. In doubt it reaches further.

Which parameters of a call are grants is `gateway.engine.facts`; documents are read by `gateway.engine.documents`.
"""

from __future__ import annotations

import ipaddress
import re
from enum import IntEnum

_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_EVERYBODY = frozenset({"*", "all", "everyone"})
# AWS's own principals, and Lake Formation's word for "as IAM already says".
_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".amazon.com", ".aws.internal")
_OWN_WORDS = frozenset({"", "self", "iam_allowed_principals"})
# An /8 is what the largest networks own; more than that is nobody's own network.
WIDEST_V4, WIDEST_V6 = 8, 16


class Reach(IntEnum):
    """Who a grant lets in, from the narrowest."""

    OWN = 0
    FOREIGN = 1
    PUBLIC = 2


def reach_of(grantee: str, account: str) -> Reach:
    """How far a grant to this principal, account or group reaches. What is not recognised is somebody else."""
    text = grantee.strip()
    if text.casefold() in _EVERYBODY:
        return Reach.PUBLIC
    if text.casefold() in _OWN_WORDS or text.endswith(_AWS_DOMAINS):
        return Reach.OWN
    if text.startswith("arn:"):
        return _reach_of_arn(text, account)
    return Reach.OWN if is_account(text) and text == account else Reach.FOREIGN


def _reach_of_arn(arn: str, account: str) -> Reach:
    fields = arn.split(":", 5)
    if len(fields) < 6 or fields[2] == "organizations":
        return Reach.FOREIGN
    owner = fields[4]
    if "*" in owner or "?" in owner:
        return Reach.PUBLIC
    # Names in place of a number are AWS's own: `aws`, `cloudfront`.
    return Reach.OWN if owner == account or (owner and not is_account(owner)) else Reach.FOREIGN


def is_account(text: str) -> bool:
    """Whether this is an AWS account's number."""
    return _ACCOUNT.fullmatch(text) is not None


def is_wide(cidr: str) -> bool:
    """Whether an address range is open to strangers: everything, half of everything, or not readable as a range."""
    try:
        network = ipaddress.ip_network(cidr.strip(), strict=False)
    except ValueError:
        return True
    widest = WIDEST_V4 if network.version == 4 else WIDEST_V6
    return network.prefixlen <= widest and not network.is_private
