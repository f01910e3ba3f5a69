"""Telling drf-spectacular what it cannot guess: how callers prove who they are."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class CallerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its registering hook is untyped
    target_class = "gateway.identity.authentication.CallerAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "An API key: `hwk_...`"}


class SwitchScheme(CallerScheme):  # type: ignore[no-untyped-call]  # its registering hook is untyped
    """The same key; the generator wants one name for each class that reads it."""

    target_class = "gateway.identity.authentication.SwitchAuthentication"
    name = "apiKeyOfSuspended"


class DeviceScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its registering hook is untyped
    """A device's signature beside the key: docs/api-for-agents.md says what is signed."""

    target_class = "gateway.identity.authentication.DeviceAuthentication"
    name = ["apiKeyBesideDevice", "deviceSignature"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        signature = "Ed25519 over method, path, time, nonce and body, beside `Hoopweb-Device`"
        return [
            {"type": "http", "scheme": "bearer", "description": "An API key: `hwk_...`"},
            {"type": "apiKey", "in": "header", "name": "Hoopweb-Signature", "description": signature},
        ]
