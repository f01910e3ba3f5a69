"""How values look on pages: nothing invisible, times in UTC, sizes and levels in words.

HTML escaping stays Django's; these return plain text (or say so).
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from approvals import escaping
from hoopweb.api.parsing import read_json

register = template.Library()

_LINK_WORDS = {
    "A": "bound to this very prompt by an enrolled device",
    "B": "bound to the conversation; the prompt by its generation or time",
    "C": "declared by the client, not proven",
    "D": "the person only; no prompt is known",
}
_STATE_WORDS = {
    "refused": "refused",
    "held": "waiting for approval",
    "admitted": "on its way",
    "running": "running",
    "completed": "completed",
    "failed": "failed",
    "not_sent": "not sent",
    "ambiguous": "may have run: no answer came",
}
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@register.filter
def visible(value: object) -> str:
    """One line, hidden characters spelled out."""
    return escaping.visible(str(value))


@register.filter
def visible_lines(value: object) -> str:
    """Text with its lines, hidden characters spelled out."""
    return escaping.visible_lines(str(value))


@register.filter
def pretty(value: Any) -> str:
    """JSON data, indented, hidden characters spelled out."""
    # Escaped after it is text: inside JSON the mark's own backslash would be doubled.
    return escaping.visible_lines(json.dumps(value, indent=2, ensure_ascii=False))


@register.filter
def pretty_body(text: str) -> str:
    """A recorded body: indented where it is strict JSON, else as it is; hidden characters spelled out."""
    try:
        document = read_json(text.encode())
    except ValueError:
        return escaping.visible_lines(text)
    return pretty(document) if isinstance(document, dict | list) else escaping.visible_lines(text)


@register.filter
def moment(value: datetime | None) -> SafeString | str:
    """A time in UTC to the second, machine-readable beside it."""
    if value is None:
        return "—"
    return format_html(
        '<time datetime="{}" title="{}">{} <span class="utc">UTC</span></time>',
        value.isoformat(),
        value.isoformat(timespec="milliseconds"),
        value.strftime("%Y-%m-%d %H:%M:%S"),
    )


@register.filter
def clock(value: datetime) -> SafeString:
    """The time of day to the millisecond, for rows under a date."""
    return format_html(
        '<time datetime="{}">{}</time>',
        value.isoformat(),
        value.strftime("%H:%M:%S.") + f"{value.microsecond // 1000:03}",
    )


@register.filter
def since(later: datetime | None, earlier: datetime | None) -> str:
    """The time between two moments, in the unit a person would choose."""
    if later is None or earlier is None:
        return "—"
    seconds = (later - earlier).total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min"


@register.filter
def size(count: int) -> str:
    value = float(count)
    for unit in _UNITS:
        if value < 1024 or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("the last unit takes every size")


@register.filter
def link_words(level: str) -> str:
    return _LINK_WORDS.get(level, "unknown")


@register.filter
def state_words(state: str) -> str:
    return _STATE_WORDS.get(state, state)


@register.filter
def arn_tail(arn: str) -> str:
    """The part of an ARN a person reads first: what comes after the account."""
    return arn.split(":", 5)[-1] if arn.startswith("arn:") else arn


@register.filter
def resource_arn(resource: Any) -> str:
    """A recorded resource is an object with its ARN, or the ARN itself."""
    return str(resource.get("arn", "")) if isinstance(resource, dict) else str(resource)


@register.filter
def fact(value: Any) -> str:
    """A fact of an event in one line: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
