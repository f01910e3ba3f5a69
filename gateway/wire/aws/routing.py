"""Which REST operations of one service a method, raw path, query and headers can mean.

Typing what they carry is `rest`; building the trie is `gateway.wire.tables_routes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gateway.wire.tables import Route, RouteNode

Labels = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One route that fits, with its raw (still encoded) path labels and the names that made it more specific."""

    route: Route
    labels: Labels
    marks: frozenset[str] = field(default_factory=frozenset)


def matches(
    root: RouteNode,
    method: str,
    segments: tuple[str, ...],
    query: Mapping[str, tuple[str, ...]],
    headers: frozenset[str],
) -> tuple[Match, ...]:
    """The most specific routes that fit, several where the wire does not tell them apart; empty when none does.

    Literal segments win over mixed ones, those over labels, those over greedy labels (shortest first). Among
    routes at one place, one whose query and header marks contain another's wins over it.
    """
    for node_labels in _places(root, segments, 0):
        found = [
            Match(route=route, labels=labels, marks=marks)
            for node, labels in node_labels
            for route in node.routes
            if route.method == method and (marks := _marks(route, query, headers)) is not None
        ]
        if found:
            return tuple(match for match in found if not any(match.marks < other.marks for other in found))
    return ()


def _marks(route: Route, query: Mapping[str, tuple[str, ...]], headers: frozenset[str]) -> frozenset[str] | None:
    """What sets a fitting route apart, or None when it does not fit. A required value left empty sets nothing apart."""
    marks = set()
    for name, wanted in route.query:
        values = query.get(name)
        if values is None or (wanted and wanted not in values):
            return None
        if wanted is not None or any(values):
            marks.add(f"?{name}")
    for name in route.headers:
        if name not in headers:
            return None
        marks.add(name)
    return frozenset(marks)


def _places(node: RouteNode, segments: tuple[str, ...], at: int) -> Iterator[list[tuple[RouteNode, Labels]]]:
    """Groups of equally specific places the path leads to, the most specific group first."""
    if at == len(segments):
        yield [(node, {})]
        return
    segment = segments[at]
    literal = node.literal.get(segment)
    if literal is not None:
        yield from _places(literal, segments, at + 1)
    for prefix, label, suffix, child in node.mixed:
        is_longer = len(segment) > len(prefix) + len(suffix)
        if is_longer and segment.startswith(prefix) and segment.endswith(suffix):
            value = segment[len(prefix) : len(segment) - len(suffix)]
            yield from _with(child, {label: value}, segments, at + 1)
    if segment and node.label:
        yield from _abreast([_with(child, {name: segment}, segments, at + 1) for name, child in node.label])
    for end in range(at + 1, len(segments) + 1) if node.greedy else ():
        value = "/".join(segments[at:end])
        if value:
            yield from _abreast([_with(child, {name: value}, segments, end) for name, child in node.greedy])


def _with(
    node: RouteNode, labels: Labels, segments: tuple[str, ...], at: int
) -> Iterator[list[tuple[RouteNode, Labels]]]:
    for group in _places(node, segments, at):
        yield [(found, labels | below) for found, below in group]


def _abreast(
    streams: list[Iterator[list[tuple[RouteNode, Labels]]]],
) -> Iterator[list[tuple[RouteNode, Labels]]]:
    """Models name the same segment differently: their places are equally specific, whatever the label is called."""
    if len(streams) == 1:
        yield from streams[0]
        return
    merged = [place for stream in streams for group in stream for place in group]
    if merged:
        yield merged
