"""Publishing a policy, and the compiled revision that decides now.

What the text may say is `gateway.engine`'s; who may publish is asked by the caller.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max

from audit.kinds import EventKind
from audit.services import append
from gateway.engine import CompiledRevision, PolicyRejected, combine, compile_revision
from gateway.engine.problems import Fault, FaultCode
from gateway.masking.people import PERSON
from gateway.masking.replacement import kind_of_mask
from gateway.policy.models import Policy, Revision
from gateway.policy.packs import pack_names, pack_text
from gateway.policy.problems import PolicyNameRefused, PolicyNotReady
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant

MAIN = "main"
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
LONGEST_NAME = 40


def draft(*, policy_name: str = MAIN, packs: Sequence[str], text: str) -> CompiledRevision:
    """Compile what would be published, and publish nothing; raises as `publish` does."""
    return _drafted(_joined(policy_name, packs, text), policy_name)


def _drafted(text: str, policy_name: str) -> CompiledRevision:
    made = compile_revision(text, revision=f"{policy_name}@draft")
    if not settings.NAMES_MODEL and (
        rules := [rule.id for rule in made.rules if PERSON in map(kind_of_mask, rule.masks)]
    ):
        # It would be refused at each call: said here, to whom it may concern.
        message = "this installation has no model that finds people's names (HOOPWEB_NAMES_MODEL)"
        raise PolicyRejected([Fault(code=FaultCode.ANNOTATION, message=message, rule_id=rule) for rule in rules])
    return made


def _joined(policy_name: str, packs: Sequence[str], text: str) -> str:
    if not _NAME.fullmatch(policy_name) or len(policy_name) > LONGEST_NAME or policy_name in pack_names():
        raise PolicyNameRefused
    texts = {name: pack_text(name) for name in packs}
    if text.strip():
        texts[policy_name] = text
    return combine(texts)


@transaction.atomic
def publish(
    *, tenant: Tenant, policy_name: str = MAIN, packs: Sequence[str], text: str, by_label: str, now: datetime
) -> Revision:
    """Join packs and text, compile them, and let the new revision decide from now on.

    A text that does not compile publishes nothing. Raises PolicyRejected, PackUnknown or PolicyNameRefused.
    """
    compiled_text = _joined(policy_name, packs, text)
    # Before the lock: compiling takes long enough to keep other publishers waiting.
    _drafted(compiled_text, policy_name)
    policy = _locked(tenant, policy_name)
    made: Revision = Revision.objects.create(
        tenant=tenant,
        policy=policy,
        number=_next_number(tenant, policy),
        packs=list(dict.fromkeys(packs)),
        text=text,
        compiled_text=compiled_text,
        sha256=_digest(compiled_text),
        published_at=now,
        published_by=by_label,
    )
    policy.current = made
    policy.save(update_fields=("current",))
    data = {"by": by_label, "name": label(made), "what": made.sha256}
    append(tenant_id=tenant.pk, kind=EventKind.REVISION_PUBLISHED, at=now, subject=made.pk, data=data)
    return made


def _locked(tenant: Tenant, policy_name: str) -> Policy:
    Policy.objects.for_tenant(tenant).get_or_create(name=policy_name, defaults={"tenant": tenant})
    policy: Policy = Policy.objects.for_tenant(tenant).select_for_update().get(name=policy_name)
    return policy


def _next_number(tenant: Tenant, policy: Policy) -> int:
    highest = Revision.objects.for_tenant(tenant).filter(policy=policy).aggregate(Max("number"))["number__max"]
    return (highest or 0) + 1


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def label(revision: Revision) -> str:
    """How decisions and people cite a revision: `main@3`."""
    return f"{revision.policy.name}@{revision.number}"


class _Compiled:
    """Compiled revisions by id. A revision never changes, so an entry is never stale; only memory bounds it."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._by_id: OrderedDict[UUID, CompiledRevision] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, tenant_id: UUID, revision_id: UUID) -> CompiledRevision:
        # One compiles while the others wait: after a publish every thread wants the same new revision.
        with self._lock:
            found = self._by_id.get(revision_id) or _load(tenant_id, revision_id)
            self._by_id[revision_id] = found
            self._by_id.move_to_end(revision_id)
            while len(self._by_id) > self._largest:
                self._by_id.popitem(last=False)
            return found


def _load(tenant_id: UUID, revision_id: UUID) -> CompiledRevision:
    with in_tenant(tenant_id):
        revision = Revision.objects.for_tenant(tenant_id).select_related("policy").filter(pk=revision_id).first()
    if revision is None:
        raise PolicyNotReady
    if not hmac.compare_digest(_digest(revision.compiled_text), revision.sha256):
        raise PolicyNotReady(f"Revision `{label(revision)}` is not the text that was published")
    try:
        return compile_revision(revision.compiled_text, revision=label(revision))
    except PolicyRejected:
        raise PolicyNotReady(f"Revision `{label(revision)}` does not compile in this version") from None


_COMPILED = _Compiled(largest=256)


def current(tenant_id: UUID) -> CompiledRevision:
    """The revision that decides for this tenant now, compiled; raises PolicyNotReady, which is a deny.

    One small query a call, so that a publish counts for the very next admission on every process.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_id FROM policy_policy WHERE tenant_id = %s AND name = %s", [tenant_id, MAIN])
        row = cursor.fetchone()
    return compiled(tenant_id, row[0] if row else None)


def compiled(tenant_id: UUID, revision_id: UUID | None) -> CompiledRevision:
    """A published revision, compiled; raises PolicyNotReady, which is a deny, also where there is none."""
    if revision_id is None:
        raise PolicyNotReady
    return _COMPILED.get(tenant_id, revision_id)
