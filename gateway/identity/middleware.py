"""Finds the caller and opens the tenant's transaction around the whole request.

Around the whole request, because ATOMIC_REQUESTS covers only the view: middleware and templates read rows too. A view
that says `works_outside_transactions` gets the caller alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar, cast
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils import timezone

from gateway.identity import device_door, finding, key_guesses, keys, sign_ins
from gateway.identity.caller import Caller
from gateway.identity.device_problems import DeviceRefused
from gateway.identity.door_problems import SessionEnded
from gateway.identity.finding import KeyHolder
from gateway.identity.models import ApiKey, User
from gateway.identity.problems import KeyRefused, NotSignedIn, SignInThrottled, TenantSuspended
from gateway.problems import Problem
from gateway.tenants.rights import Right, rights_of
from gateway.tenants.scope import in_tenant, in_tenant_asking

TENANT_IN_SESSION = "tenant_id"
# {tenant id: sign-in id}: what this browser proved, tenant by tenant. One tenant's provider opens no other tenant.
SIGN_INS_IN_SESSION = "sign_ins"
# The doors of providers enter the tenant they stand before, whatever tenant the browser is in.
_DOORS = ("/sso/",)
# A key's last use is shown to people: a minute is exact enough and spares a write on every call.
_LAST_USE_SECONDS = 60
_RIGHTS = {right.value: right for right in Right}


A = TypeVar("A", bound=HttpResponseBase)


class CallerMiddleware:
    """Sets `request.caller` (Caller or None), `request.caller_problem` (why there is none) and `request.suspended_caller`.

    The last is who may lift the suspension of the tenant, and is let in nowhere else. `request.caller_row` is the row the
    caller was read from, for whoever had something read beside him (`finding.read_beside`).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.caller, request.caller_problem = None, NotSignedIn()  # type: ignore[attr-defined]  # our own attributes
        request.suspended_caller = request.device_caller = None  # type: ignore[attr-defined]
        if device_door.is_signed(request.headers):
            return self._signed(request)
        name, plaintext = _api_key_of(request)
        try:
            _must_be_few(request, name)
        except SignInThrottled as problem:
            request.caller_problem = problem  # type: ignore[attr-defined]
            return self.get_response(request)
        # A key that cannot be read is no reason to look at the browser's cookie instead.
        tenant_id = name.tenant_id if name else None if plaintext else _tenant_of_session(request)
        if plaintext and not name:
            request.caller_problem = KeyRefused()  # type: ignore[attr-defined]
        elif not name and request.user.is_authenticated:
            request.caller_problem = SessionEnded()  # type: ignore[attr-defined]
        if tenant_id is None:
            return self.get_response(request)
        user_id = getattr(request.user, "pk", None) if not name else None
        with in_tenant_asking(tenant_id, *_question(request, tenant_id, name), user_id=user_id) as row:
            request.caller_row = row  # type: ignore[attr-defined]
            try:
                _admit(request, _caller(request, row, name, plaintext))
            except Problem as problem:
                request.caller_problem = problem  # type: ignore[attr-defined]
            if not _works_outside_transactions(request.path_info):
                answer = self.get_response(request)
                return streamed_within(answer, lambda: in_tenant(tenant_id, user_id=user_id))
        return self.get_response(request)

    def _signed(self, request: HttpRequest) -> HttpResponse:
        """A request with a device's signature: let in by that alone, and only where a view takes devices."""
        now = timezone.now()
        try:
            tenant_id, caller = _device_caller(request, now)
        except Problem as problem:
            request.caller_problem = problem  # type: ignore[attr-defined]
            device_door.count_refusal(problem, source=request.META.get("REMOTE_ADDR", ""), now=now)
            return self.get_response(request)
        request.device_caller = caller  # type: ignore[attr-defined]
        with in_tenant(tenant_id):
            return self.get_response(request)


def streamed_within(answer: A, context: Callable[[], AbstractContextManager[None]]) -> A:
    """Have an answer that is made while it is sent made within `context`: by then the request's own is long over."""
    if isinstance(answer, StreamingHttpResponse) and not answer.is_async:
        chunks = cast("Iterator[bytes]", answer.streaming_content)
        answer.streaming_content = _made_within(chunks, context)
    return answer


def _made_within(chunks: Iterable[bytes], context: Callable[[], AbstractContextManager[None]]) -> Iterator[bytes]:
    with context():
        yield from chunks


def _device_caller(request: HttpRequest, now: datetime) -> tuple[UUID, Caller]:
    if "Authorization" in request.headers:
        raise DeviceRefused("A signed request carries no `Authorization`")
    tenant_id = device_door.tenant_of(request.headers)
    try:
        body = request.body
    except RequestDataTooBig:
        raise DeviceRefused("The body is too large") from None
    caller = device_door.admitted(
        tenant_id=tenant_id,
        headers=request.headers,
        method=str(request.method),
        target=request.get_full_path(),
        body=body,
        now=now,
    )
    return tenant_id, caller


@lru_cache(maxsize=1024)
def _works_outside_transactions(path: str) -> bool:
    """Whether the path's view asks somebody over a network, and so enters the tenant itself, before and after.

    A transaction that waits for AWS keeps its connection and its locks from everybody else. Remembered: Django resolves the
    path once more, and twice is a twentieth of what knowing the caller takes.
    """
    try:
        func = resolve(path).func
    except Resolver404:
        return False
    view = getattr(func, "view_class", func)
    return getattr(view, "works_outside_transactions", False) is True


def _must_be_few(request: HttpRequest, name: keys.KeyName | None) -> None:
    """Raise SignInThrottled for a key guessed at too often from there: before the tenant is entered, or anything read."""
    if name is not None:
        source = request.META.get("REMOTE_ADDR", "")
        key_guesses.must_be_few(key_id=name.key_id, source=source, now=timezone.now())


def _admit(request: HttpRequest, caller: Caller) -> None:
    """Let the caller in; of a suspended tenant only to the switch that lifts it, and only who has the right to it."""
    if not caller.tenant.is_suspended:
        request.caller = caller  # type: ignore[attr-defined]
        return
    if Right.TENANT_SUSPEND in caller.rights:
        request.suspended_caller = replace(caller, rights=frozenset({Right.TENANT_SUSPEND}))  # type: ignore[attr-defined]
    raise TenantSuspended


def _api_key_of(request: HttpRequest) -> tuple[keys.KeyName | None, str]:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None, ""
    return keys.read_api_key(value.strip()), value.strip()


def _tenant_of_session(request: HttpRequest) -> UUID | None:
    if request.path.startswith(_DOORS) or not request.user.is_authenticated:
        return None
    held = request.session.get(SIGN_INS_IN_SESSION, {})
    chosen = request.session.get(TENANT_IN_SESSION)
    if chosen not in held:
        chosen = next(iter(held), None)
    return UUID(chosen) if chosen else None


def _question(request: HttpRequest, tenant_id: UUID, name: keys.KeyName | None) -> finding.Question:
    if name is not None:
        return finding.question_of_key(tenant_id, name.key_id)
    held = request.session.get(SIGN_INS_IN_SESSION, {})
    return finding.question_of_sign_in(tenant_id, cast("User", request.user), UUID(held[str(tenant_id)]))


def _caller(request: HttpRequest, row: Sequence[Any] | None, name: keys.KeyName | None, plaintext: str) -> Caller:
    now = timezone.now()
    if name:
        source = request.META.get("REMOTE_ADDR", "")
        return _caller_of_key(finding.holder(row), name, plaintext, now, source=source)
    user = cast("User", request.user)
    found = finding.sitter(row, user)
    if found is None:
        raise NotSignedIn
    sign_in = sign_ins.standing(found.sign_in, now)
    if found.membership is None:
        raise NotSignedIn
    rights = found.membership.rights
    return Caller(tenant=found.tenant, user=user, membership=found.membership, rights=rights, sign_in=sign_in)


def _caller_of_key(
    found: KeyHolder | None, name: keys.KeyName, plaintext: str, now: datetime, *, source: str
) -> Caller:
    key = found.key if found is not None else None
    if key is not None and not keys.matches(plaintext, key.digest):
        key_guesses.count_wrong(key_id=name.key_id, source=source, now=now)
        raise KeyRefused
    if found is None or key is None or not key.is_live(now):
        raise KeyRefused
    if found.account is not None and found.account.is_suspended:
        raise KeyRefused
    scopes = frozenset(_RIGHTS[scope] for scope in key.scopes if scope in _RIGHTS)
    if found.user is not None:
        if found.membership is None or not found.user.is_active:
            raise KeyRefused
        # A person-bound key never does more than the person may today.
        scopes &= rights_of(found.membership.roles)
    if key.last_used_at is None or (now - key.last_used_at).total_seconds() > _LAST_USE_SECONDS:
        ApiKey.objects.for_tenant(found.tenant).filter(pk=key.pk).update(last_used_at=now)
    return Caller(tenant=found.tenant, user=found.user, membership=found.membership, rights=scopes, api_key=key)
