"""`/api/schema/` and `/api/docs/`: the API described, and the description shown without any script or CDN."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import View
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny

from hoopweb.api import extensions

# In the order a reader wants them; what else a path item may hold is not an operation.
_METHODS = ("get", "post", "put", "patch", "delete")


class Schema(SpectacularAPIView):
    """The OpenAPI document. It tells of no tenant, so tools may read it without a key."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class Docs(View):
    http_method_names = ("get", "head", "options")

    def get(self, request: HttpRequest) -> HttpResponse:
        schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # an untyped library
        return render(request, "api_docs.html", {"groups": _groups(schema), "schemas": _schemas(schema)})


def _groups(schema: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, item in schema["paths"].items():
        name = path.removeprefix("/api/v1/").split("/")[0]
        groups.setdefault(name, []).extend(
            {"method": method.upper(), "path": path, **_told(item[method])} for method in _METHODS if method in item
        )
    return groups


def _told(operation: dict[str, Any]) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    answers = {
        status: _schema_name(answer.get("content", {}).get("application/json", {}).get("schema", {}))
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    }
    return {
        "summary": operation.get("summary", ""),
        "parameters": operation.get("parameters", []),
        "body": _schema_name(body),
        "answers": answers,
    }


def _schema_name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rsplit("/", 1)[-1]


def _schemas(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "members": _members(one)}
        for name, one in sorted(schema["components"]["schemas"].items())
        if one.get("type") == "object"
    ]


def _members(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = set(schema.get("required", ()))
    return [
        {"name": name, "type": _type(member), "is_required": name in required, "about": member.get("description", "")}
        for name, member in schema.get("properties", {}).items()
    ]


def _type(member: dict[str, Any]) -> str:
    parts = member.get("allOf") or member.get("oneOf") or []
    named = _schema_name(member) or next((name for name in map(_schema_name, parts) if name), "")
    if member.get("type") == "array":
        return f"list of {_type(member['items'])}"
    return named or str(member.get("format") or member.get("type") or "any JSON")


__all__ = ["Docs", "Schema", "extensions"]
