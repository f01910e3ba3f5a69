"""What the endpoints for hooks and credential helpers share: the device behind them, and what a hook tells.

The contract they keep is docs/api-for-agents.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request

from audit.prompts import LARGEST_NAME, HookTold
from gateway.identity import agent_keys
from gateway.identity.authentication import DeviceAuthentication
from gateway.identity.caller import Caller
from gateway.identity.device_problems import DeviceRefused
from gateway.identity.models import Agent, Device, User
from gateway.identity.proving import Cap, HookFacts
from gateway.policy.detectors import live_detectors
from hoopweb.api.base import ApiView, StrictSerializer

MOST_ATTACHMENTS = 200
LONGEST_PATH = 4096
LONGEST_KIND = 40
# A process id and the kernel's ticks since boot: both far below.
_LARGEST_NUMBER = 2**53


class DeviceView(ApiView):
    """A view for enrolled devices and nobody else: an API key or a browser proves no machine."""

    authentication_classes = (DeviceAuthentication,)

    def check_permissions(self, request: Request) -> None:
        super().check_permissions(request)
        if self.caller.device is None:
            raise DeviceRefused("This endpoint takes requests signed by a device")

    @property
    def device(self) -> tuple[Device, User]:
        """The device that signed, and its person."""
        device, user = self.caller.device, self.caller.user
        if device is None or user is None:
            raise DeviceRefused
        return device, user


class ParentBody(StrictSerializer):
    conversation = serializers.CharField(max_length=LARGEST_NAME)
    tool_use_id = serializers.CharField(required=False, allow_null=True, default=None, max_length=LARGEST_NAME)


class ProcessBody(StrictSerializer):
    agent_pid = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=_LARGEST_NUMBER
    )
    agent_started = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=0, max_value=_LARGEST_NUMBER
    )
    parent_executable = serializers.CharField(required=False, allow_blank=True, default="", max_length=LONGEST_PATH)
    is_inside_agent_shell = serializers.BooleanField(required=False, default=False)
    is_doubtful = serializers.BooleanField(required=False, default=False)
    is_second_agent = serializers.BooleanField(required=False, default=False)


class HookBody(StrictSerializer):
    """What every hook event tells. `agent` is the kind of agent; with an API key, the id of one."""

    agent = serializers.CharField(required=False, allow_null=True, allow_blank=True, default=None, max_length=40)
    conversation = serializers.CharField(max_length=LARGEST_NAME)
    agent_version = serializers.CharField(required=False, allow_blank=True, default="", max_length=80)
    parent = ParentBody(required=False, allow_null=True, default=None)
    subagent = serializers.CharField(required=False, allow_blank=True, default="", max_length=LARGEST_NAME)
    process = ProcessBody(required=False, allow_null=True, default=None)
    occurred_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    is_late = serializers.BooleanField(required=False, default=False)


def facts_of(body: Mapping[str, Any]) -> HookFacts | None:
    """What stood above the hook, where that was told."""
    return HookFacts(**body["process"]) if body["process"] is not None else None


def told(body: Mapping[str, Any], caller: Caller, cap: Cap) -> HookTold:
    """What of a hook's event is kept beside its words."""
    parent = body["parent"] or {}
    return HookTold(
        device_id=caller.device.pk if caller.device else None,
        device_label=caller.device.name if caller.device else "",
        agent_kind=body["agent"] or "" if caller.device else "",
        agent_version=body["agent_version"],
        attachments=tuple(body.get("attachments", ())),
        workspace=body.get("workspace", ""),
        parent_conversation=parent.get("conversation", ""),
        parent_tool_use=parent.get("tool_use_id") or "",
        subagent=body["subagent"],
        process=body["process"],
        occurred_at=body["occurred_at"],
        is_late=body["is_late"],
        level_cap=cap.level.value,
        cap_reason=cap.reason[:200],
        detectors=live_detectors(caller.tenant),
    )


def agent_named(view: DeviceView, kind: str | None) -> Agent | None:
    """The person's own agent of this kind."""
    _, user = view.device
    return agent_keys.agent_of(view.caller.tenant, owner=user, kind=kind or "", now=view.now)


def id_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
