"""DRF's door: the caller the middleware found, or the problem that says why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from gateway.identity.caller import Caller
from gateway.identity.problems import NotSignedIn
from gateway.tenants.rights import Right

if TYPE_CHECKING:
    # DRF's views import this module by its settings: importing them back would be a circle.
    from rest_framework.views import APIView


class CallerAuthentication(BaseAuthentication):
    """Takes the caller from `CallerMiddleware`; a browser's session must also carry the CSRF token."""

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        caller = self.caller_of(request)
        if caller is None:
            raise getattr(request._request, "caller_problem", NotSignedIn())
        if caller.api_key is None:
            self._check_csrf(request)
        return caller, None

    def caller_of(self, request: Request) -> Caller | None:
        return getattr(request._request, "caller", None)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="hoopweb"'

    def _check_csrf(self, request: Request) -> None:
        check = CSRFCheck(lambda _: None)  # type: ignore[arg-type]  # only its verdict is wanted
        check.process_request(request._request)
        reason = check.process_view(request._request, None, (), {})  # type: ignore[arg-type]  # no view is needed
        if reason:
            raise PermissionDenied(f"CSRF: {reason}")


class SwitchAuthentication(CallerAuthentication):
    """Also lets in who may lift the suspension of his own tenant: for that one view alone."""

    def caller_of(self, request: Request) -> Caller | None:
        return super().caller_of(request) or getattr(request._request, "suspended_caller", None)


class DeviceAuthentication(CallerAuthentication):
    """Also lets in an enrolled device by the signature on the request; the view that names it says so by that."""

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        signed: Caller | None = getattr(request._request, "device_caller", None)
        return (signed, None) if signed is not None else super().authenticate(request)


class IsCaller(BasePermission):
    """Each view names the right it needs per method in `rights`; a method without one is refused."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        caller: Any = request.user
        if not isinstance(caller, Caller):
            return False
        rights: dict[str, Right | None] = getattr(view, "rights", {})
        if request.method == "OPTIONS":
            return True
        if request.method not in rights:
            return False
        right = rights[request.method]
        if right is not None:
            caller.must(right)
        return True
