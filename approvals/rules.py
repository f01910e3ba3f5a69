"""Approval rules: who answers for a name that policy asks. And publishing, which needs every name asked to have one.

What a rule's text may say is `gateway.engine`'s; who may change rules is asked by the caller.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from approvals.models import ApprovalRule
from approvals.problems import (
    ApprovalRuleMissing,
    ApprovalRuleNameTaken,
    ApprovalRuleRefused,
    ApprovalRuleUnknown,
)
from audit.kinds import EventKind
from audit.services import append
from gateway.engine import rules_of
from gateway.identity.models import Membership
from gateway.identity.services import GROUP_NAME
from gateway.policy import services as policy
from gateway.policy.models import Revision
from gateway.policy.packs import STARTING, pack
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right

# Words people read on approval pages: one line, no space at either end.
_NAME = re.compile(r"\S(?:.{0,78}\S)?")


def check_named(tenant: Tenant | UUID, name: str) -> None:
    """Raise ApprovalRuleUnknown unless the tenant has an approval rule of this name."""
    if not approval_rules(tenant).filter(name=name).exists():
        raise ApprovalRuleUnknown


def approval_rules(tenant: Tenant | UUID) -> QuerySet[ApprovalRule]:
    """All approval rules of a tenant."""
    found: QuerySet[ApprovalRule] = ApprovalRule.objects.for_tenant(tenant)
    return found


def approval_rule(tenant: Tenant | UUID, rule_id: UUID) -> ApprovalRule:
    """One rule; raises ApprovalRuleUnknown."""
    found = approval_rules(tenant).filter(pk=rule_id).first()
    if found is None:
        raise ApprovalRuleUnknown
    return found


def answering_now(tenant: Tenant | UUID, groups: Iterable[str]) -> dict[str, int]:
    """How many people of each group could vote today: active members with the right to."""
    counted = dict.fromkeys(groups, 0)
    for member in Membership.objects.for_tenant(tenant).filter(is_active=True).iterator():
        if Right.APPROVALS_VOTE in member.rights:
            for group in counted.keys() & set(member.groups):
                counted[group] += 1
    return counted


@transaction.atomic
def create_approval_rule(*, tenant: Tenant, name: str, group: str, by_label: str, now: datetime) -> ApprovalRule:
    """Let a group answer where policy asks `name`; raises ApprovalRuleRefused or ApprovalRuleNameTaken."""
    if not _NAME.fullmatch(name) or not name.isprintable():
        raise ApprovalRuleRefused
    _must_be_a_group(group)
    try:
        with transaction.atomic():
            made: ApprovalRule = ApprovalRule.objects.create(tenant=tenant, name=name, group=group)
    except IntegrityError:
        raise ApprovalRuleNameTaken(f"Approval rule `{name}`") from None
    _record(EventKind.APPROVAL_RULE_CREATED, made, by_label, now)
    return made


@transaction.atomic
def change_approval_rule(*, tenant: Tenant, rule_id: UUID, group: str, by_label: str, now: datetime) -> ApprovalRule:
    """Let another group answer from now on, open requests included; raises ApprovalRuleUnknown, ApprovalRuleRefused.

    The name stays, and no rule is deleted: a published policy would ask nobody.
    """
    _must_be_a_group(group)
    rule = approval_rules(tenant).select_for_update().filter(pk=rule_id).first()
    if rule is None:
        raise ApprovalRuleUnknown
    if rule.group != group:
        rule.group = group
        rule.save(update_fields=("group",))
        _record(EventKind.APPROVAL_RULE_CHANGED, rule, by_label, now)
    return rule


def _must_be_a_group(group: str) -> None:
    # A name no member's group can have would let an ask wait for nobody.
    if not GROUP_NAME.fullmatch(group):
        raise ApprovalRuleRefused(f"No group can be called `{group[:80]}`")


def _record(kind: EventKind, rule: ApprovalRule, by_label: str, now: datetime) -> None:
    data = {"by": by_label, "name": rule.name, "what": rule.group}
    append(tenant_id=rule.tenant_id, kind=kind, at=now, subject=rule.pk, data=data)


def ensure_starting_rules(*, tenant: Tenant, by_label: str, now: datetime) -> None:
    """Make the approval rules that the packs to start with name, each led to the group of its name."""
    for name in sorted({one for each in STARTING for one in pack(each).approvers}):
        if not approval_rules(tenant).filter(name=name).exists():
            create_approval_rule(tenant=tenant, name=name, group=name, by_label=by_label, now=now)


@transaction.atomic
def publish(
    *, tenant: Tenant, policy_name: str = policy.MAIN, packs: Sequence[str], text: str, by_label: str, now: datetime
) -> Revision:
    """Publish what people wrote, unless it asks somebody the tenant does not have: such a call would wait for nobody.

    Raises ApprovalRuleMissing, and what `gateway.policy.services.publish` raises; nothing is published then.
    """
    made = policy.publish(tenant=tenant, policy_name=policy_name, packs=packs, text=text, by_label=by_label, now=now)
    asked = {rule.ask.approvers for rule in rules_of(made.compiled_text) if rule.ask is not None}
    missing = asked - set(approval_rules(tenant).filter(name__in=asked).values_list("name", flat=True))
    if missing:
        raise ApprovalRuleMissing("It asks " + ", ".join(f"`{name}`" for name in sorted(missing)))
    return made
