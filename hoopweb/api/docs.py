"""`/api/schema/` and `/api/docs/`: the API described, and the description shown without any script or CDN.

Neither tells of a tenant, so both are open to anybody; each is made once a process, since making it takes a second.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer, StaticHTMLRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from hoopweb.api import extensions

# In the order a reader wants them; what else a path item may hold is not an operation.
_METHODS = ("get", "post", "put", "patch", "delete")


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document as data. Callers must not change it."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # an untyped library
    return made


@cache
def _document_json() -> bytes:
    return json.dumps(document(), indent=2).encode()


class _Open(APIView):
    """A view for anybody, itself no part of the schema."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None


class Schema(_Open):
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(_document_json(), content_type="application/vnd.oai.openapi+json")


class Docs(_Open):
    renderer_classes = (JSONRenderer, StaticHTMLRenderer)

    def get(self, request: Request) -> HttpResponse:
        shown = {"groups": _groups(document()), "schemas": _schemas(document())}
        return render(request._request, "api_docs.html", shown)


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
