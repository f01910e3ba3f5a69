"""Notices as pages: what one is told of, and the channels by which the organisation is told elsewhere."""

from __future__ import annotations

import os
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from approvals.notify import channels, selectors
from approvals.notify.kinds import SUBSCRIBABLE
from approvals.notify.models import ChannelWay, NoticeChannel
from gateway.identity.caller import Caller
from gateway.problems import Problem
from gateway.tenants.rights import Right
from hoopweb.api.errors import Malformed
from hoopweb.api.notices import CHANNELS, DELIVERIES, ORDER
from hoopweb.ui.base import cursor_of, page, show

KIND_WORDS = {
    "approval.asked": "Somebody is asked for an approval",
    "approval.ended": "An approval was given, refused, or ran out",
    "kill_switch": "Somebody or something was suspended, or let back in",
    "break_glass": "An owner came in past the organisation's sign-in",
    "sign_in.changed": "Identity providers and one-time codes changed",
    "key.ending": "A long-lived key ends soon",
    "device": "A device was enrolled or revoked",
    "access_review": "An access review began, waits, is overdue or complete",
    "operator_access": "The vendor's operators ask for access, or use it",
    "finding": "Something looks wrong: a forged prompt, a decoy in use, a damaged journal",
}


@require_http_methods(["GET", "HEAD", "POST"])
@page(None)
def notices(request: HttpRequest, caller: Caller) -> HttpResponse:
    """What the person is told of; a POST says that he has seen what the page showed."""
    if request.method == "POST":
        try:
            until = parse_datetime(request.POST.get("until", ""))
        except ValueError:
            until = None
        if until is None or until.tzinfo is None:
            raise Malformed("`until` is a time with its zone")
        selectors.mark_seen(caller, until=until, now=timezone.now())
        return HttpResponseRedirect(reverse("ui:notices"))
    found = ORDER.page(selectors.notices_of(caller), **cursor_of(request))
    context = {
        "page": found,
        "seen_until": selectors.seen_until(caller),
        "until": found.items[0].noticed_at.isoformat() if found.items else "",
    }
    return show(request, caller, "notices.html", context, here="notices")


@require_http_methods(["GET", "HEAD", "POST"])
@page(Right.EVENTS_READ, POST=Right.NOTICES_WRITE)
@sensitive_variables("secret")
def channel_list(request: HttpRequest, caller: Caller) -> HttpResponse:
    """The channels there are; a POST adds one."""
    if request.method != "POST":
        return _channels(request, caller)
    given = {name: request.POST.get(name, "").strip()[:2000] for name in ("name", "way", "target")}
    try:
        target = channels.checked_target(given["way"], given["target"])
        made, secret = channels.add_channel(
            by=caller,
            name=given["name"],
            way=given["way"],
            target=target,
            kinds=request.POST.getlist("kinds"),
            now=timezone.now(),
            random=os.urandom,
        )
    except Problem as problem:
        return _channels(request, caller, problem=problem, given=given)
    # Shown by the answer itself: a redirect would have to keep it somewhere.
    return _channels(request, caller, made=made, secret=secret)


def _channels(request: HttpRequest, caller: Caller, *, problem: Problem | None = None, **shown: object) -> HttpResponse:
    rows = NoticeChannel.objects.for_tenant(caller.tenant)
    context = {
        "page": CHANNELS.page(rows, **cursor_of(request)),
        "kinds": [(kind.value, KIND_WORDS[kind.value]) for kind in SUBSCRIBABLE],
        "chosen": request.POST.getlist("kinds") if problem else ["approval.asked", "kill_switch", "break_glass"],
        "ways": ChannelWay.choices,
        "problem": problem,
        **shown,
    }
    status = problem.status if problem else 200
    return show(request, caller, "notice_channels.html", context, here="notices", status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@page(Right.EVENTS_READ, POST=Right.NOTICES_WRITE)
@sensitive_variables("secret")
def channel(request: HttpRequest, caller: Caller, channel_id: UUID) -> HttpResponse:
    """One channel with what went by it; a POST changes, tries or removes it."""
    if request.method != "POST":
        return _channel(request, caller, channel_id)
    now, here = timezone.now(), HttpResponseRedirect(reverse("ui:notice-channel", args=(channel_id,)))
    match request.POST.get("do"):
        case "test":
            channels.try_channel(by=caller, channel_id=channel_id, now=now)
        case "secret":
            _, secret = channels.change_secret(by=caller, channel_id=channel_id, now=now, random=os.urandom)
            return _channel(request, caller, channel_id, secret=secret)
        case "remove":
            channels.remove_channel(by=caller, channel_id=channel_id, now=now)
            return HttpResponseRedirect(reverse("ui:notice-channels"))
        case "on" | "off" as wanted:
            channels.change_channel(by=caller, channel_id=channel_id, is_enabled=wanted == "on", now=now)
        case "kinds":
            channels.change_channel(by=caller, channel_id=channel_id, kinds=request.POST.getlist("kinds"), now=now)
        case _:
            # Looked up first: a channel of nobody is nowhere, whatever was to be done with it.
            channels.channel_of(caller.tenant, channel_id)
            raise Malformed("Choose what to do with the channel")
    return here


def _channel(request: HttpRequest, caller: Caller, channel_id: UUID, *, secret: str = "") -> HttpResponse:
    found = channels.channel_of(caller.tenant, channel_id)
    context = {
        "channel": found,
        "secret": secret,
        "page": DELIVERIES.page(selectors.deliveries_of(caller.tenant, found.pk), **cursor_of(request)),
        "kinds": [(kind.value, KIND_WORDS[kind.value]) for kind in SUBSCRIBABLE],
        "may_change": Right.NOTICES_WRITE in caller.rights,
    }
    return show(request, caller, "notice_channel.html", context, here="notices")
