"""`hoopweb login`: makes this machine's key, lets a person say yes in the browser (RFC 8628), and keeps the enrolment.

The bearer token the flow ends in is dropped unread: this device proves itself by its key alone, so that no second
secret lies about.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from gateway.client import broker, key_holders
from gateway.client.errors import ClientError, GatewayUnreachable, NotLoggedIn, Usage
from gateway.client.options import Options, place_named
from gateway.client.own_files import make_folder
from gateway.client.state import Place, Profile, read_profile, write_profile
from gateway.client.transport import Transport, checked_url

CLIENT_ID = "hoopweb-client"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SECONDS = 15.0
# RFC 8628, 3.5: so much longer is waited after each `slow_down`.
_SLOWER_SECONDS = 5.0
_USUAL_INTERVAL = 5.0
_LONGEST_NAME = 120


class LoginFailed(ClientError):
    """The person said no, or nobody said anything in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What the gateway answered to a login's beginning."""

    device_code: str
    user_code: str
    page: str
    seconds: float
    interval: float


def login(arguments: list[str]) -> int:
    """Enrol this machine under a profile; raises ClientError, and then nothing is left behind."""
    options = Options("login", "Enrol this machine: a key of its own, and your yes in the browser.")
    options.add_argument("--gateway", required=True, help="https://gateway.example.com")
    options.add_argument("--organisation", required=True, help="the short name your organisation signs in under")
    options.add_argument("--name", default="", help="what the device is called (default: this machine's name)")
    options.add_argument("--ca-file", default="", help="PEM of the authority behind the gateway's certificate")
    options.add_argument("--key-broker", default="", metavar="SOCKET", help="keep the key under another account, there")
    options.add_argument("--no-browser", action="store_true", help="only print the address to open")
    given = options.parse_args(arguments)
    place = place_named(given.profile)
    _must_be_free(place)
    ca_file = os.path.abspath(given.ca_file) if given.ca_file else ""
    transport = Transport(checked_url(given.gateway), ca_file=ca_file)
    asked = key_holders.Asked(
        gateway=transport.url, organisation=given.organisation, device_name=_device_name(given.name), ca_file=ca_file
    )
    holder = key_holders.chosen(place, asked, given.key_broker)
    _enrol(place, transport, asked, holder, opens_browser=not given.no_browser)
    return 0


def _must_be_free(place: Place) -> None:
    try:
        found = read_profile(place)
    except NotLoggedIn:
        make_folder(place.folder)
        return
    raise Usage(
        f"This machine is enrolled already, as {found.device_name} at {found.gateway}: `hoopweb logout` first, or give "
        "another one a name with --profile."
    )


def _device_name(given: str) -> str:
    name = given or socket.gethostname()
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise Usage("A device's name is 1 to 120 plain characters; give one with --name.")
    return name


def _enrol(
    place: Place, transport: Transport, asked: key_holders.Asked, holder: key_holders.Holder, *, opens_browser: bool
) -> None:
    started = _start(transport, asked, holder)
    _show(started, opens_browser=opens_browser)
    told = wait_for_answer(
        lambda: _ask(transport, started.device_code), started, sleep=time.sleep, monotonic=time.monotonic
    )
    holder.keep(str(told["device_id"]))
    profile = Profile(
        name=place.profile,
        gateway=asked.gateway,
        organisation=asked.organisation,
        device_id=str(told["device_id"]),
        device_name=asked.device_name,
        key_storage=holder.storage,
        ca_file=asked.ca_file,
        broker_uid=holder.uid,
        broker_socket=holder.socket,
    )
    write_profile(place, profile)
    # One that still runs holds the enrolment before this one.
    broker.stop(place)
    print(f"This machine is enrolled as {asked.device_name}. {holder.told}")


def _start(transport: Transport, asked: key_holders.Asked, holder: key_holders.Holder) -> Started:
    fields = {
        "client_id": CLIENT_ID,
        "organisation": asked.organisation,
        "device_name": asked.device_name,
        "public_key": holder.public_key,
        "key_storage": holder.storage.value,
    }
    status, told = _post(transport, "/oauth/device_authorization", fields)
    if status != 200:
        raise LoginFailed(f"The gateway refused to begin: {_words(told)}")
    try:
        return Started(
            device_code=str(told["device_code"]),
            user_code=str(told["user_code"]),
            page=str(told.get("verification_uri_complete") or told["verification_uri"]),
            seconds=float(told["expires_in"]),
            interval=float(told.get("interval", _USUAL_INTERVAL)),
        )
    except (KeyError, TypeError, ValueError):
        raise GatewayUnreachable("What answered is not a hoopweb gateway: check the gateway's address.") from None


def _post(transport: Transport, path: str, fields: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    body = urlencode(fields).encode()
    answer = transport.send("POST", path, headers=headers, body=body, seconds=_SECONDS, is_repeatable=False)
    return answer.status, answer.fields()


def _words(told: Mapping[str, Any]) -> str:
    text = str(told.get("error_description") or told.get("error") or "it did not say why")
    return "".join(character if character.isprintable() else " " for character in text)[:300]


def _show(started: Started, *, opens_browser: bool) -> None:
    print(f"Open  {started.page}\nand check that it shows the code  {started.user_code}", flush=True)
    if opens_browser and _has_browser():
        import webbrowser

        webbrowser.open(started.page)


def _has_browser() -> bool:
    """A text browser would take over the terminal: only where there is a screen, or one was chosen."""
    return sys.platform == "darwin" or any(os.environ.get(it) for it in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _ask(transport: Transport, device_code: str) -> dict[str, Any]:
    fields = {"client_id": CLIENT_ID, "grant_type": GRANT, "device_code": device_code}
    return _post(transport, "/oauth/token", fields)[1]


def wait_for_answer(
    ask: Callable[[], Mapping[str, Any]],
    started: Started,
    *,
    sleep: Callable[[float], None],
    monotonic: Callable[[], float],
) -> Mapping[str, Any]:
    """Ask until the person has answered (RFC 8628, 3.5); raises LoginFailed for a no, or none in time."""
    interval, ends_at = started.interval, monotonic() + started.seconds
    while monotonic() < ends_at:
        sleep(interval)
        try:
            told = ask()
        except GatewayUnreachable:
            # Section 3.5: a network that fails for a moment is asked again, more slowly.
            interval += _SLOWER_SECONDS
            continue
        if "device_id" in told:
            return told
        match told.get("error"):
            case "authorization_pending":
                continue
            case "slow_down":
                interval += _SLOWER_SECONDS
            case "access_denied":
                raise LoginFailed("You (or your organisation) said no to this machine; nothing was kept.")
            case "expired_token":
                break
            case _:
                raise LoginFailed(f"The gateway ended the login: {_words(told)}")
    raise LoginFailed("Nobody answered in time: run `hoopweb login` again.")
