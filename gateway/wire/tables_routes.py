"""Build time: a service's REST operations as a trie over raw path segments.

Matching a request against it is `gateway.wire.aws.rest`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.wire.tables import Route, RouteNode, Shape

_MIXED = re.compile(r"([^{}]*)\{(\w[\w.-]*)\}([^{}]*)\Z")


class _Node:
    """A node while it grows; `RouteNode` is its frozen form."""

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.mixed: dict[tuple[str, str, str], _Node] = {}
        self.label: dict[str, _Node] = {}
        self.greedy: dict[str, _Node] = {}
        self.routes: list[Route] = []

    def step(self, segment: str) -> _Node:
        if "{" not in segment:
            return self.literal.setdefault(segment, _Node())
        match = _MIXED.match(segment)
        if segment.endswith("+}") and segment.startswith("{"):
            return self.greedy.setdefault(segment[1:-2], _Node())
        if match is None:
            raise ValueError(f"path segment {segment!r} has a form the router does not know")
        prefix, label, suffix = match.groups()
        if not prefix and not suffix:
            return self.label.setdefault(label, _Node())
        return self.mixed.setdefault((prefix, label, suffix), _Node())

    def frozen(self) -> RouteNode:
        return RouteNode(
            literal={segment: node.frozen() for segment, node in self.literal.items()},
            mixed=tuple((*key, node.frozen()) for key, node in self.mixed.items()),
            label=tuple((name, node.frozen()) for name, node in self.label.items()),
            greedy=tuple((name, node.frozen()) for name, node in self.greedy.items()),
            routes=tuple(self.routes),
        )


def routes_of(model: Mapping[str, Any], shapes: Mapping[str, Shape]) -> RouteNode:
    """The trie of all operations of one REST model; raises ValueError on a path form it does not know."""
    root = _Node()
    for name, operation in model["operations"].items():
        path, _, query = operation["http"]["requestUri"].partition("?")
        node = root
        for segment in path.removeprefix("/").split("/"):
            node = node.step(segment)
        shape = shapes.get(operation.get("input", {}).get("shape", ""))
        node.routes.append(_route(name, operation["http"]["method"], query, shape))
    return root.frozen()


def _route(name: str, method: str, query: str, shape: Shape | None) -> Route:
    needed: list[tuple[str, str | None]] = []
    for part in filter(None, query.split("&")):
        literal, _, value = part.partition("=")
        needed.append((literal, value))
    required = [member for member in shape.members if member.name in shape.required] if shape else []
    needed.extend((member.wire_name, None) for member in required if member.location == "querystring")
    return Route(
        operation=name,
        method=method,
        query=tuple(needed),
        headers=tuple(member.wire_name.lower() for member in required if member.location == "header"),
    )
