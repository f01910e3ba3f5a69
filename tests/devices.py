"""A developer's machine as the gateway meets it: an enrolled key, signed requests, and what an agent's hooks tell."""

from __future__ import annotations

import json
import os
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client

from gateway.identity.models import Device, User
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.device_signature import sign

# What a hook of the agent itself has above it.
AGENT = {"agent_pid": 4711, "agent_started": 99, "parent_executable": "/usr/bin/node", "is_inside_agent_shell": False}
BELOW = {"is_below_agent": True, "is_outlived": False}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One enrolled device. Its key lies where the level is not held down, unless a test says otherwise."""

    device: Device
    private: Ed25519PrivateKey = field(repr=False)

    def headers(self, method: str, path: str, body: bytes, **changed: Any) -> dict[str, str]:
        given: dict[str, Any] = {
            "device_id": str(self.device.pk),
            "unix_ms": int(time.time() * 1000),
            "nonce": os.urandom(16),
        }
        return sign(self.private, method=method, target=path, body=body, **{**given, **changed})

    def send(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """One request, signed now; or with headers that were signed before."""
        target, data = f"/api/v1/{path}", json.dumps(body).encode() if body is not None else b""
        signed = headers if headers is not None else self.headers(method, target, data)
        client = Client(raise_request_exception=False)
        return client.generic(method, target, data, content_type="application/json", headers=signed)

    def post(self, path: str, body: Any, **more: Any) -> Any:
        return self.send("POST", path, body, **more)

    def prompt(self, conversation: str, generation: str, **changed: Any) -> Any:
        """What `hoopweb hook` posts at a prompt."""
        body = {
            "agent": "cursor",
            "agent_version": "3.1",
            "conversation": conversation,
            "generation": generation,
            "text": f"words of {generation}",
            "attachments": [],
            "source": "person",
            "workspace": "/users/alice/billing",
            "process": AGENT,
        }
        return self.post("prompts/", {**body, **changed})

    def tool(self, conversation: str, generation: str | None, name: str, phase: str, **changed: Any) -> Any:
        """What it posts before and after a tool use."""
        body = {
            "agent": "cursor",
            "conversation": conversation,
            "generation": generation,
            "phase": phase,
            "tool": "Shell",
            "command": "aws s3 ls",
            "cwd": "/users/alice/billing",
            "tool_use_id": name,
            "process": AGENT,
        }
        return self.post("tool-uses/", {**body, **changed})

    def credentials(self, conversation: str, generation: str | None, **changed: Any) -> Any:
        """What `hoopweb credentials` asks for."""
        body = {
            "connection": "billing",
            "agent": "cursor",
            "conversation": conversation,
            "generation": generation,
            "how": "the environment names the conversation",
            "process": BELOW,
        }
        return self.post("agent-credentials/", {**body, **changed})


def machine_of(tenant: Tenant, user: User, *, name: str = "laptop", key_storage: str = "separate_account") -> Machine:
    """Enrol a machine of a person, without the login."""
    private = Ed25519PrivateKey.generate()
    with in_tenant(tenant):
        device: Device = Device.objects.create(
            id=uuid.uuid4(),
            tenant=tenant,
            user=user,
            name=name,
            public_key=private.public_key().public_bytes_raw(),
            key_storage=key_storage,
        )
    return Machine(device=device, private=private)
