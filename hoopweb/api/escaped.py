"""JSON as an approver must see it: no text in it may hide or reorder anything."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from approvals.escaping import visible


def escaped(value: Any) -> Any:
    """Return the same data with every text, names of members included, made visible."""
    match value:
        case str():
            return visible(value)
        case list():
            return [escaped(item) for item in value]
        case dict():
            return {visible(str(name)): escaped(item) for name, item in value.items()}
        case _:
            return value


class EscapedField(serializers.JSONField):
    def to_representation(self, value: Any) -> Any:
        return escaped(value)
