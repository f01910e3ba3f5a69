"""`/oauth/`: where machines get tokens, in OAuth's own forms: RFC 8414 (metadata),
RFC 8628 (device flow), RFC 6749 4.4 (client credentials) and RFC 8693 (token exchange).

Form-encoded in, JSON out, errors as RFC 6749 section 5.2 spells them: standard clients expect no other dialect.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from functools import wraps
from typing import Any
from urllib.parse import unquote_plus
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from gateway.identity import devices, token_exchange, workloads
from gateway.identity.door_problems import SignOnRefused
from gateway.identity.keys import read_api_key
from gateway.identity.problems import ScopeRefused
from gateway.identity.proving import KeyStorage
from gateway.problems import Problem
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant, tenant_named


class Grant(StrEnum):
    DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
    CLIENT = "client_credentials"
    EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


DEVICE_GRANT = Grant.DEVICE.value
CLIENT_ID = "hoopweb-client"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  # a name of RFC 8693
# What an outside token is called: any JWT, or an OpenID provider's.
SUBJECT_TOKENS = ("urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token")
_LONGEST_FIELD = 16384
View = Callable[[HttpRequest, dict[str, str], datetime], dict[str, Any]]


class OAuthError(Exception):
    """One of OAuth's own error codes, with a sentence for the person who reads the log."""

    def __init__(self, error: str, description: str = "", *, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.description, self.status = error, description, status


def endpoint(view: View) -> Callable[[HttpRequest], HttpResponse]:
    """POST of a form, each field once; nothing of the answer is kept by a cache."""

    @csrf_exempt
    @require_POST
    @wraps(view)
    def checked(request: HttpRequest) -> HttpResponse:
        try:
            answer = JsonResponse(view(request, _fields(request), timezone.now()))
        except OAuthError as error:
            answer = _refusal(error)
        except Problem as problem:
            answer = _refusal(OAuthError("invalid_request", problem.message, status=problem.status))
        answer["Cache-Control"] = "no-store"
        return answer

    return checked


def _refusal(error: OAuthError) -> JsonResponse:
    told = {"error": error.error, **({"error_description": error.description} if error.description else {})}
    return JsonResponse(told, status=error.status)


def _fields(request: HttpRequest) -> dict[str, str]:
    if request.content_type != "application/x-www-form-urlencoded" or request.GET:
        raise OAuthError("invalid_request", "Send the parameters as application/x-www-form-urlencoded in the body")
    for name, values in request.POST.lists():
        if len(values) > 1 or len(str(values[0])) > _LONGEST_FIELD or "\x00" in str(values[0]):
            raise OAuthError("invalid_request", f"`{name[:40]}` is given twice, too long or not text")
    return {name: str(value) for name, value in request.POST.items()}


def _required(fields: dict[str, str], name: str) -> str:
    if not fields.get(name):
        raise OAuthError("invalid_request", f"`{name}` is missing")
    return fields[name]


@endpoint
def device_authorization(request: HttpRequest, fields: dict[str, str], now: datetime) -> dict[str, Any]:
    """Begin a device login for an organisation: `client_id`, `organisation`, `device_name`, `public_key`, `key_storage`."""
    _must_be_our_client(fields)
    tenant = tenant_named(_required(fields, "organisation")[:40])
    if tenant is None or tenant.is_suspended:
        raise OAuthError("invalid_request", "There is no such organisation here")
    with in_tenant(tenant):
        started = devices.start(
            tenant=tenant,
            device_name=_required(fields, "device_name"),
            public_key=_key(_required(fields, "public_key")),
            key_storage=_storage(fields.get("key_storage", KeyStorage.FILE)),
            source=request.META.get("REMOTE_ADDR", ""),
            now=now,
            random=os.urandom,
        )
    return _started(started)


def _must_be_our_client(fields: dict[str, str]) -> None:
    if _required(fields, "client_id") != CLIENT_ID:
        raise OAuthError("invalid_client", f"`client_id` is {CLIENT_ID}", status=401)


def _key(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise OAuthError("invalid_request", "`public_key` is 32 bytes of Ed25519 in base64") from None


def _storage(text: str) -> KeyStorage:
    try:
        return KeyStorage(text)
    except ValueError:
        raise OAuthError("invalid_request", f"`key_storage` is one of {', '.join(KeyStorage)}") from None


def _started(started: devices.Started) -> dict[str, Any]:
    page = f"{settings.PUBLIC_URL}/device/"
    shown = f"{started.user_code[:4]}-{started.user_code[4:]}"
    return {
        "device_code": started.device_code,
        "user_code": shown,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?user_code={shown}",
        "expires_in": int(devices.LIFETIME.total_seconds()),
        "interval": devices.POLL_SECONDS,
    }


@endpoint
def token(request: HttpRequest, fields: dict[str, str], now: datetime) -> dict[str, Any]:
    """The one place tokens come from; what for is told by `grant_type`."""
    match _required(fields, "grant_type"):
        case Grant.DEVICE:
            _must_be_our_client(fields)
            return _device_token(_required(fields, "device_code"), now)
        case Grant.CLIENT:
            return _client_token(*_client(request, fields), request.META.get("REMOTE_ADDR", ""), now)
        case Grant.EXCHANGE:
            return _exchanged(request, fields, now)
        case _:
            raise OAuthError("unsupported_grant_type")


def _client(request: HttpRequest, fields: dict[str, str]) -> tuple[str, str]:
    """Client id and secret, from the Basic header or the form, but not from both (RFC 6749, 2.3)."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if not scheme:
        return _required(fields, "client_id"), _required(fields, "client_secret")
    try:
        name, colon, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:
        name, colon, secret = "", "", ""
    if scheme.lower() != "basic" or not colon or "client_secret" in fields:
        raise OAuthError("invalid_client", "Send client id and secret once: in the form, or as Basic", status=401)
    return unquote_plus(name), unquote_plus(secret)


def _client_token(client_id: str, client_secret: str, source: str, now: datetime) -> dict[str, Any]:
    named = read_api_key(client_secret)
    issued = None
    if named is not None:
        with in_tenant(named.tenant_id):
            tenant = Tenant.objects.filter(pk=named.tenant_id, is_suspended=False).first()
            if tenant is not None:
                issued = workloads.token_for_secret(
                    tenant=tenant,
                    client_id=client_id,
                    client_secret=client_secret,
                    source=source,
                    now=now,
                    random=os.urandom,
                )
    if issued is None:
        raise OAuthError("invalid_client", "This client is unknown, or its secret is not live", status=401)
    return _bearer(issued, now)


def _exchanged(request: HttpRequest, fields: dict[str, str], now: datetime) -> dict[str, Any]:
    _must_be_an_exchange(fields)
    tenant = tenant_named(_required(fields, "organisation")[:40])
    try:
        if tenant is None or tenant.is_suspended:
            raise SignOnRefused
        issued = token_exchange.exchange(
            tenant=tenant,
            subject_token=_required(fields, "subject_token"),
            account_id=_account(fields.get("service_account", "")),
            scopes=fields.get("scope", "").split(),
            source=request.META.get("REMOTE_ADDR", ""),
            now=now,
            random=os.urandom,
        )
    except ScopeRefused:
        raise OAuthError("invalid_scope", "The rule for this token gives no such scope") from None
    # RFC 8693, 2.2.2: whatever is wrong with the token, it is the request that is invalid. A stranger learns no more.
    except SignOnRefused:
        raise OAuthError("invalid_request", "This token is not accepted by this organisation") from None
    return {**_bearer(issued, now), "issued_token_type": ACCESS_TOKEN}


def _must_be_an_exchange(fields: dict[str, str]) -> None:
    if _required(fields, "subject_token_type") not in SUBJECT_TOKENS:
        raise OAuthError("invalid_request", f"`subject_token_type` is one of {', '.join(SUBJECT_TOKENS)}")
    if fields.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise OAuthError("invalid_request", f"`requested_token_type` is {ACCESS_TOKEN}")
    if "actor_token" in fields or "actor_token_type" in fields:
        raise OAuthError("invalid_request", "Nobody acts for another here: `actor_token` is not taken")
    if fields.get("resource", settings.PUBLIC_URL).rstrip("/") != settings.PUBLIC_URL or "audience" in fields:
        raise OAuthError("invalid_target", "Tokens are for this gateway alone")


def _account(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise OAuthError("invalid_request", "`service_account` is an id") from None


def _bearer(issued: workloads.Issued, now: datetime) -> dict[str, Any]:
    return {
        "access_token": issued.plaintext_token,
        "token_type": "Bearer",
        "expires_in": int((issued.api_key.expires_at - now).total_seconds()),
        "scope": " ".join(issued.api_key.scopes),
    }


def _device_token(code: str, now: datetime) -> dict[str, Any]:
    named = read_api_key(code)
    if named is None:
        raise OAuthError(devices.Poll.EXPIRED.value)
    with in_tenant(named.tenant_id):
        tenant = Tenant.objects.filter(pk=named.tenant_id, is_suspended=False).first()
        if tenant is None:
            raise OAuthError(devices.Poll.EXPIRED.value)
        told = devices.collect(tenant=tenant, device_code=code, now=now, random=os.urandom)
    # Outside: how early a machine asked must be remembered, although it is told an error.
    if isinstance(told, devices.Poll):
        raise OAuthError(told.value)
    return {
        "access_token": told.plaintext_key,
        "token_type": "Bearer",
        "expires_in": int((told.api_key.expires_at - now).total_seconds()),
        "scope": " ".join(told.api_key.scopes),
        "device_id": str(told.device.pk),
    }


@require_safe
def metadata(request: HttpRequest) -> HttpResponse:
    """RFC 8414: what stands where."""
    base = settings.PUBLIC_URL
    return JsonResponse(
        {
            "issuer": base,
            "token_endpoint": f"{base}/oauth/token",
            "device_authorization_endpoint": f"{base}/oauth/device_authorization",
            "grant_types_supported": list(Grant),
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
            "response_types_supported": [],
        }
    )
