"""Level C: a conversation the client only names, in the User-Agent that no signature covers.

`AWS_SDK_UA_APP_ID=conversation-NAME` makes every AWS SDK send `app/conversation-NAME`: for agents without hooks, whose
keys name no conversation. What it leads to is shown as declared, and proves nothing.
"""

from __future__ import annotations

import re
from dataclasses import replace

from audit.models import Prompt
from gateway.requests.keyring import KeyFacts, PromptFacts
from gateway.tenants.scope import in_tenant
from gateway.wire.request import WireRequest

# An application id has at most 50 characters.
_NAMED = re.compile(r"(?:^|(?<= ))app/conversation-([A-Za-z0-9._~-]{1,37})(?= |$)")


def declared_conversation(request: WireRequest) -> str | None:
    """The one conversation the client names, or None: two different names are none."""
    agents = [value for name, value in request.headers if name.lower() == "user-agent"]
    found = {name for agent in agents for name in _NAMED.findall(agent)}
    return found.pop() if len(found) == 1 else None


def with_declared(key: KeyFacts, request: WireRequest) -> KeyFacts:
    """Add the newest prompt of the conversation the client names, where the key itself names none.

    Only a prompt of the key's own person: nobody points at another's words. Call once the signature holds, outside
    every transaction.
    """
    name = declared_conversation(request) if not key.conversation and key.person_id else None
    if name is None:
        return key
    with in_tenant(key.tenant_id):
        rows = Prompt.objects.for_tenant(key.tenant_id).filter(conversation=name, person_id=key.person_id)
        newest = rows.order_by("-recorded_at", "-id").values_list("id", "source", "generation").first()
    if newest is None:
        return key
    found = PromptFacts(id=newest[0], is_machine_turn=newest[1] != "person", generation=newest[2])
    return replace(key, declared=found)
