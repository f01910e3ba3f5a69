"""Trying out a connection: what is asked of AWS, and what each answer proves. Storing it is `services`.

No database here, and no tenant's transaction around it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from gateway.connections import sts
from gateway.connections.session_policies import for_class
from gateway.connections.sts import RoleSession, RoleTarget, StsRefused
from gateway.terms import AccessClass

# The person behind our own test, as CloudTrail shows it.
TESTER = "hoopweb-test"
STANDIN_NOTE = "A stand-in takes AWS's place here. It does not enforce trust policies, so this proves nothing."


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One question to AWS. `finding` says in words what the answer means for the tenant."""

    name: str
    is_passed: bool
    finding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    steps: tuple[Step, ...]
    is_standin: bool

    @property
    def is_passed(self) -> bool:
        return all(step.is_passed for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """The report as stored and shown: `{"is_passed", "is_standin", "steps": [{"name", "is_passed", "finding"}]}`."""
        steps = [asdict(step) for step in self.steps]
        return {"is_passed": self.is_passed, "is_standin": self.is_standin, "steps": steps}


def try_out(target: RoleTarget, *, is_standin: bool) -> Report:
    """Assume the role as we always do, look where we are, and prove that the ExternalId is required."""
    try:
        session = _assume(target)
    except StsRefused as refusal:
        finding = f"STS answered `{refusal.code}`. Paste the trust policy into the role and check its name."
        return Report(steps=(Step(name="assume_role", is_passed=False, finding=finding),), is_standin=is_standin)
    assumed = Step(name="assume_role", is_passed=True, finding="The role can be assumed with our ExternalId.")
    steps = (assumed, _account(target, session), _needs_external_id(target, is_standin=is_standin))
    return Report(steps=steps, is_standin=is_standin)


def _assume(target: RoleTarget, *, with_external_id: bool = True) -> RoleSession:
    policy = for_class(AccessClass.READ, account=target.account, regions=target.regions)
    return sts.assume_role(target, source=TESTER, session_name=TESTER, policy=policy, with_external_id=with_external_id)


def _account(target: RoleTarget, session: RoleSession) -> Step:
    try:
        account = sts.caller_account(session, region=target.regions[0])
    except StsRefused as refusal:
        return Step(name="account", is_passed=False, finding=f"STS answered `{refusal.code}` to GetCallerIdentity.")
    if account != target.account:
        finding = f"The role acts in account {account}, not in {target.account}."
        return Step(name="account", is_passed=False, finding=finding)
    return Step(name="account", is_passed=True, finding=f"The role acts in account {account}.")


def _needs_external_id(target: RoleTarget, *, is_standin: bool) -> Step:
    """Only a refusal for lack of permission proves anything: an unreachable STS refuses everybody."""
    name = "external_id_required"
    try:
        _assume(target, with_external_id=False)
    except StsRefused as refusal:
        if refusal.code == "AccessDenied":
            return Step(name=name, is_passed=True, finding="Without the ExternalId the role refuses us, as it must.")
        finding = f"STS answered `{refusal.code}`, which proves nothing. Test again."
        return Step(name=name, is_passed=False, finding=finding)
    if is_standin:
        return Step(name=name, is_passed=True, finding=STANDIN_NOTE)
    finding = (
        "The role can be assumed WITHOUT the ExternalId: anybody who learns its name could have us use it for him. "
        "Paste the trust policy shown here; it must be the only statement that lets us in."
    )
    return Step(name=name, is_passed=False, finding=finding)
