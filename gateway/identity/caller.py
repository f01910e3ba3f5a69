"""Who calls the API or a page: the person or workload, the tenant, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from gateway.identity.door_models import SignIn
from gateway.identity.models import ApiKey, Device, Membership, User
from gateway.identity.problems import RightMissing
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One authenticated caller inside one tenant. `api_key` is None for a signed-in browser."""

    tenant: Tenant
    user: User | None
    membership: Membership | None
    rights: frozenset[Right]
    api_key: ApiKey | None = None
    # How and when the person at a browser proved to be there.
    sign_in: SignIn | None = None
    # Set where the request itself was signed by an enrolled device.
    device: Device | None = None
    # DRF and Django ask this of whatever stands in `request.user`.
    is_authenticated: bool = True
    is_active: bool = True

    @property
    def label(self) -> str:
        if self.user is not None:
            return self.user.get_username()
        return self.api_key.name if self.api_key else "system"

    @property
    def actor_id(self) -> UUID:
        """The person's id, or the key's own where no person stands behind it."""
        if self.user is not None:
            return self.user.pk
        if self.api_key is None:
            raise RightMissing
        return self.api_key.pk

    @property
    def pk(self) -> UUID:
        return self.actor_id

    def must(self, right: Right) -> None:
        """Raise RightMissing unless the caller has the right."""
        if right not in self.rights:
            raise RightMissing(f"The right `{right}` is missing")
