"""A tenant's choices about its prompts: what agents do while the gateway is away, and how long words are kept.

Erasing takes the words and the salt of their commitment; the events stay, and the ledger verifies as before.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from audit.kinds import EventKind
from audit.models import Prompt, PromptKeeping, ToolUse
from audit.problems import RetentionRefused
from audit.services import NewEvent, append, append_all
from gateway.tenants.models import Tenant

LONGEST_DAYS = 3650
# Erased in one transaction: its events hold the ledger's head that long.
BATCH = 200


def choices(tenant: Tenant | UUID) -> PromptKeeping:
    """The tenant's choices; where it never chose: block, and keep."""
    tenant_id = tenant.pk if isinstance(tenant, Tenant) else tenant
    found: PromptKeeping | None = PromptKeeping.objects.for_tenant(tenant_id).first()
    return found or PromptKeeping(tenant_id=tenant_id)


@transaction.atomic
def choose(
    *,
    tenant: Tenant,
    on_unreachable: str,
    retention_days: int | None,
    by_label: str,
    now: datetime,
) -> PromptKeeping:
    """Keep new choices and leave an event; raises RetentionRefused."""
    if retention_days is not None and not 1 <= retention_days <= LONGEST_DAYS:
        raise RetentionRefused
    made: PromptKeeping
    made, _ = PromptKeeping.objects.update_or_create(
        tenant=tenant,
        defaults={
            "on_unreachable": PromptKeeping.OnUnreachable(on_unreachable),
            "retention_days": retention_days,
        },
    )
    kept = f"{retention_days} days" if retention_days else "for good"
    data = {"by": by_label, "what": "prompts", "result": f"unreachable: {on_unreachable}; kept: {kept}"}
    append(tenant_id=tenant.pk, kind=EventKind.TENANT_CHANGED, at=now, subject=tenant.pk, data=data)
    return made


def erase_overdue(*, tenant_id: UUID, now: datetime) -> int:
    """Erase the words of prompts and commands past the tenant's time, a batch at most; returns how many prompts.

    Call inside the tenant's transaction.
    """
    days = choices(tenant_id).retention_days
    if days is None:
        return 0
    before = now - timedelta(days=days)
    # Older tool uses first: those of a prompt still kept are younger than it.
    _erase_commands(tenant_id, before, now)
    rows = Prompt.objects.for_tenant(tenant_id).filter(recorded_at__lt=before, erased_at=None)
    found = list(rows.select_for_update(no_key=True).order_by("recorded_at").values_list("pk", "commitment")[:BATCH])
    Prompt.objects.for_tenant(tenant_id).filter(pk__in=[pk for pk, _ in found]).update(
        sealed_text=b"", sealed_salt=b"", masked_text="", attachments=[], erased_at=now
    )
    events = [
        NewEvent(
            kind=EventKind.PROMPT_ERASED,
            at=now,
            subject=pk,
            data={"by": "retention", "commitment": commitment, "recorded_before": before.isoformat()},
        )
        for pk, commitment in found
    ]
    append_all(tenant_id=tenant_id, events=events)
    return len(found)


def _erase_commands(tenant_id: UUID, before: datetime, now: datetime) -> None:
    rows = ToolUse.objects.for_tenant(tenant_id).filter(began_at__lt=before, erased_at=None)
    rows.update(sealed_command=b"", sealed_salt=b"", masked_command="", erased_at=now)
