"""`hoopweb logout`: ends this machine's enrolment at the gateway, with all its keys, and forgets it here.

Where the gateway cannot be asked nothing is forgotten, unless `--forget` says so.
"""

from __future__ import annotations

from gateway.client import api, broker, link
from gateway.client.errors import ClientError, GatewayUnreachable, Refused
from gateway.client.options import Options, place_named
from gateway.client.state import Place, Profile, forget, read_profile


def logout(arguments: list[str]) -> int:
    """Revoke the device, end its broker, remove key and enrolment."""
    options = Options("logout", "End this machine's enrolment: its keys stop working within seconds.")
    options.add_argument("--forget", action="store_true", help="forget it here even if the gateway cannot be told")
    given = options.parse_args(arguments)
    place = place_named(given.profile)
    told, is_kept_elsewhere = "", False
    try:
        profile = read_profile(place)
        is_kept_elsewhere = profile.broker_uid >= 0
        told = f"{profile.device_name} at {profile.gateway}"
        _revoke(place, profile)
    except Refused as refused:
        # Revoked already: there is nothing left to end there.
        if refused.http_status != 401 and not given.forget:
            raise
    except GatewayUnreachable as error:
        if not given.forget:
            raise GatewayUnreachable(
                f"{error} Nothing was forgotten: try again, or `hoopweb logout --forget` and revoke the device on the "
                "gateway's page."
            ) from None
    except ClientError:
        if not given.forget:
            raise
    broker.stop(place)
    _forget(place, is_kept_elsewhere=is_kept_elsewhere)
    print(f"Logged out: {told or place.profile}.")
    return 0


def _revoke(place: Place, profile: Profile) -> None:
    """Whoever holds the key signs for its end."""
    if profile.broker_uid >= 0:
        api.call(place, "DELETE", "/api/v1/device/")
    else:
        api.open_gateway(place).call("DELETE", "/api/v1/device/")


def _forget(place: Place, *, is_kept_elsewhere: bool) -> None:
    """The key first, wherever it lies; raises BrokerFailed, and then the enrolment stays as it is."""
    if is_kept_elsewhere:
        link.ask(place.home, place.profile, {"op": "forget"})
    forget(place)
