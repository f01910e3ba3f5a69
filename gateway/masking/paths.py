"""A mask plan's paths as a tree that can be walked beside a decoded body.

Leaves the reading of bodies to `leaves` and `xmltext`, and the choice of paths to the control plane.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from gateway.wire.contract import MaskPath, SensitivityClass

ANY = "*"

# Output tokens of botocore's paginators. They often look like secrets (`eyJ...`), and masking one stops an agent
# from paging. Trusted only at the top of a body: deeper down a name is chosen by whoever wrote the data.
PAGINATION_NAMES = frozenset(
    [
        "NextToken",
        "nextToken",
        "next_token",
        "NextMarker",
        "nextMarker",
        "Marker",
        "marker",
        "NextPageToken",
        "nextPageToken",
        "NextPageMarker",
        "PaginationToken",
        "paginationToken",
        "ContinuationToken",
        "continuationToken",
        "NextContinuationToken",
        "PageToken",
        "pageToken",
        "position",
        "LastEvaluatedKey",
        "LastEvaluatedBackupArn",
        "LastEvaluatedTableName",
        "NextKeyMarker",
        "KeyMarker",
        "UploadIdMarker",
        "NextUploadIdMarker",
        "VersionIdMarker",
        "NextVersionIdMarker",
        "NextPartNumberMarker",
        "PartNumberMarker",
        "NextRecordName",
        "NextRecordType",
        "NextRecordIdentifier",
        "NextShardIterator",
        "nextForwardToken",
        "nextBackwardToken",
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class PathNode:
    """One step of the tree. A node with a `kind` masks everything at and below it under that type."""

    children: dict[str, PathNode] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)


States = tuple[PathNode, ...]


@lru_cache(maxsize=512)
def compile_paths(paths: tuple[MaskPath, ...], clear: tuple[str, ...] = ()) -> States:
    """The tree's start states; paths of a cleared class are left out, and no paths give no states."""
    root = PathNode()
    for mask in paths:
        if mask.sensitivity.value not in clear:
            _add(root, mask)
    return (root,) if root.children or root.kinds else ()


def _add(root: PathNode, mask: MaskPath) -> None:
    node = root
    for segment in mask.path:
        node = node.children.setdefault(segment, PathNode())
    if mask.sensitivity.value not in node.kinds:
        node.kinds.append(mask.sensitivity.value)


def step(states: Iterable[PathNode], name: str) -> States:
    """The states below a member, map value or list element called `name`."""
    found: list[PathNode] = []
    for node in states:
        for segment in (name, ANY):
            child = node.children.get(segment)
            if child is not None:
                found.append(child)
    return tuple(found)


def kind_of(states: Iterable[PathNode]) -> str | None:
    """The strictest class that masks here (bearer, secret, private), or None."""
    kinds = {kind for node in states for kind in node.kinds}
    if not kinds:
        return None
    return next((each.value for each in SensitivityClass if each.value in kinds), None)
