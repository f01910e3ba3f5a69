"""What on this machine would let an AWS call pass the gateway by: variables, credentials that lie about, other profiles.

Only looks, and never repeats a secret. What the network lets through is `doctor_reach`'s.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from gateway.client import setup_aws
from gateway.client.doctor_findings import Finding, broken, good, note, weak
from gateway.client.setup_agents import SettingsUnreadable

_LARGEST = 4 * 1024 * 1024
_MOST_FILES = 200
_TRUE = frozenset({"true", "1", "yes"})
# Each wins over a profile's credential_process in every SDK's chain.
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_BEARER_TOKEN_BEDROCK",
)  # fmt: skip
_STATIC = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_OTHER_WAYS = ("role_arn", "sso_session", "sso_start_url", "web_identity_token_file", "login_session")
_CACHES = {
    "sso/cache": "single sign-on",
    "cli/cache": "the AWS CLI",
    "login/cache": "`aws login`",
    "boto/cache": "boto",
}


def environment(environ: Mapping[str, str], endpoint: str) -> Iterator[Finding]:
    """Variables that pass the gateway by, or take its answers out of trust; `endpoint` may be empty."""
    lying = [name for name in _CREDENTIALS if environ.get(name)]
    for name in lying:
        yield broken("env.credentials", f"{name} is set: SDKs use it instead of the gateway's keys", f"unset {name}")
    if not lying:
        yield good("env.credentials", "no AWS credentials in the environment")
    yield from _ignoring(environ)
    yield from _endpoints(environ, endpoint)
    yield from _proxies(environ, endpoint)
    yield from _profile_chosen(environ)


def _ignoring(environ: Mapping[str, str]) -> Iterator[Finding]:
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() in _TRUE:
        yield broken(
            "env.ignore_endpoints",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS makes SDKs go to AWS itself",
            "unset AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        )


def _endpoints(environ: Mapping[str, str], endpoint: str) -> Iterator[Finding]:
    for name in sorted(environ):
        is_one = name == "AWS_ENDPOINT_URL" or name.startswith("AWS_ENDPOINT_URL_")
        if is_one and environ[name] and origin(environ[name]) != origin(endpoint):
            told = f"{name} leads to {address_shown(environ[name])}, not to the gateway"
            yield broken("env.endpoint", told, f"unset {name}")


def _proxies(environ: Mapping[str, str], endpoint: str) -> Iterator[Finding]:
    host = urlsplit(endpoint).hostname or ""
    proxy = next((name for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy") if environ.get(name)), "")
    spared = ",".join(environ.get(name, "") for name in ("NO_PROXY", "no_proxy"))
    if proxy and host and not _is_spared(host, spared):
        yield weak(
            "env.proxy",
            f"{proxy} sends calls for the gateway through {address_shown(environ[proxy])}, which ends holds and may read along",
            f"add {host} to NO_PROXY",
        )
    if proxy and _is_spared("sts.amazonaws.com", spared):
        yield weak(
            "env.proxy",
            "NO_PROXY spares amazonaws.com: calls to AWS itself go past the proxy",
            "take amazonaws.com (or *) out of NO_PROXY",
        )


def _is_spared(host: str, spared: str) -> bool:
    names = [name.strip().lstrip("*").lstrip(".").lower() for name in spared.split(",") if name.strip()]
    return "*" in spared.split(",") or any(host == name or host.endswith(f".{name}") for name in names if name)


def _profile_chosen(environ: Mapping[str, str]) -> Iterator[Finding]:
    name = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or "default"
    found = _profiles(environ)
    if found is None:
        return
    if setup_aws.is_ours(found.get(name, {})):
        yield good("aws.profile", f"SDKs started here use the profile {name}, which leads through the gateway")
        return
    ours = sorted(one for one, settings in found.items() if setup_aws.is_ours(settings))
    mend = f"export AWS_PROFILE={ours[0]}" if ours else "hoopweb setup aws"
    yield broken("aws.profile", f"SDKs started here use the profile {name}, which is not the gateway's", mend)


def profiles(environ: Mapping[str, str], endpoint: str) -> Iterator[Finding]:
    """The person's AWS config: ours as they should be, and others that lead elsewhere."""
    path = setup_aws.config_file(environ)
    try:
        found = setup_aws.profiles(path, _text(path) or "")
    except SettingsUnreadable as error:
        yield broken("aws.config", str(error), "mend the file")
        return
    for name, settings in found.items():
        if setup_aws.is_ours(settings):
            yield from _own(name, settings, endpoint)
        else:
            yield from _foreign(path, name, settings)


def _own(name: str, settings: Mapping[str, str], endpoint: str) -> Iterator[Finding]:
    import shlex
    import shutil

    mend = "hoopweb setup aws"
    program = shlex.split(settings["credential_process"])[0]
    wrong = []
    if endpoint and origin(settings.get("endpoint_url", "")) != origin(endpoint):
        wrong.append(f"its endpoint_url is {address_shown(settings.get('endpoint_url', '')) or 'missing'}")
    if settings.get("ignore_configured_endpoint_urls", "").lower() in _TRUE:
        wrong.append("ignore_configured_endpoint_urls makes SDKs go to AWS itself")
        mend = "take ignore_configured_endpoint_urls out"
    if "services" in settings:
        wrong.append("`services` may give single services another endpoint")
        mend = "take `services` out, or check its section"
    if shutil.which(program) is None:
        wrong.append(f"{program} is not there or may not be run")
    bundle = settings.get("ca_bundle", "")
    if bundle and not os.access(bundle, os.R_OK):
        wrong.append(f"{bundle} cannot be read")
    for told in wrong:
        yield broken("aws.config", f"AWS profile {name}: {told}", mend)
    if not wrong:
        yield good("aws.config", f"AWS profile {name} leads through the gateway")


def _foreign(path: str, name: str, settings: Mapping[str, str]) -> Iterator[Finding]:
    if any(one in settings for one in _STATIC):
        told = f"credentials of the profile {name} lie in {path}: any agent can read and use them"
        yield broken("aws.credentials", told, f"take them out of {path}, and revoke them at AWS")
    elif any(one in settings for one in _OTHER_WAYS) or "credential_process" in settings:
        told = f"the profile {name} in {path} gets AWS credentials that do not come from the gateway"
        yield weak("aws.other_profiles", told, "take it out, or see to it that agents cannot use it")


def endpoint_of_profiles(environ: Mapping[str, str]) -> str:
    """Where our own profiles lead, for when the gateway cannot be asked; empty where there are none."""
    ours = [settings for settings in (_profiles(environ) or {}).values() if setup_aws.is_ours(settings)]
    return ours[0].get("endpoint_url", "") if ours else ""


def lying_credentials(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Long-lived keys in files every SDK looks into."""
    path = _credentials_file(environ)
    try:
        found = _credential_profiles(path)
    except SettingsUnreadable as error:
        yield broken("aws.credentials", str(error), "mend the file, or remove it")
        return
    lying = [name for name, settings in found.items() if any(one in settings for one in _STATIC)]
    for name in lying:
        told = f"credentials of the profile {name} lie in {path}: any agent can read and use them"
        yield broken("aws.credentials", told, f"take them out of {path}, and revoke them at AWS")
    if not lying:
        yield good("aws.credentials", f"no credentials lie in {path}")


def _credential_profiles(path: str) -> dict[str, dict[str, str]]:
    """In this file a section is a profile's bare name."""
    lines = (_text(path) or "").splitlines(keepends=True)
    return {one.name: setup_aws.settings_of(lines, one) for one in setup_aws.sections(path, lines)}


def caches(environ: Mapping[str, str], now: datetime) -> Iterator[Finding]:
    """Tokens and keys that other tools left behind and that still work."""
    base = os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".aws")
    alive = [(folder, whose) for folder, whose in _CACHES.items() if _has_live(os.path.join(base, folder), now)]
    for folder, whose in alive:
        told = f"{whose} left credentials in {base}/{folder} that still work"
        mend = "aws sso logout" if folder.startswith("sso") else f"rm -r {base}/{folder}"
        yield broken("aws.caches", told, mend)
    if not alive:
        yield good("aws.caches", "no live credentials in the caches of other tools")


def _has_live(folder: str, now: datetime) -> bool:
    try:
        names = sorted(os.listdir(folder))[:_MOST_FILES]
    except OSError:
        return False
    return any(_is_live(_text(os.path.join(folder, name)) or "", now) for name in names if name.endswith(".json"))


def _is_live(text: str, now: datetime) -> bool:
    try:
        found = json.loads(text)
    except ValueError:
        return False
    if not isinstance(found, dict):
        return False
    nested = found.get("Credentials")
    inner: dict[str, Any] = nested if isinstance(nested, dict) else found
    if not any(name in inner for name in ("accessToken", "AccessKeyId", "refreshToken")):
        return False
    if found.get("refreshToken"):
        return True
    return _ends(inner.get("expiresAt", inner.get("Expiration"))) > now


def _ends(told: Any) -> datetime:
    """What cannot be read is taken for living."""
    try:
        found = datetime.fromisoformat(str(told).replace("UTC", "+00:00"))
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def trust(environ: Mapping[str, str]) -> Iterator[Finding]:
    """A bundle from the environment wins over the profile's own."""
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        path = environ.get(name)
        if path and not os.access(path, os.R_OK):
            yield broken("env.ca", f"{name} names {path}, which cannot be read", f"unset {name}")
        elif path and name == "AWS_CA_BUNDLE":
            told = f"AWS_CA_BUNDLE ({path}) is used instead of the profile's ca_bundle"
            yield note("env.ca", told, "unset AWS_CA_BUNDLE, unless it holds the gateway's authority")


def _profiles(environ: Mapping[str, str]) -> dict[str, dict[str, str]] | None:
    path = setup_aws.config_file(environ)
    try:
        return setup_aws.profiles(path, _text(path) or "")
    except SettingsUnreadable:
        return None


def _credentials_file(environ: Mapping[str, str]) -> str:
    home = environ.get("HOME") or os.path.expanduser("~")
    own = environ.get("AWS_SHARED_CREDENTIALS_FILE") or os.path.join(home, ".aws", "credentials")
    return os.path.expanduser(own)


def origin(url: str) -> tuple[str, str]:
    """Scheme and host, to tell two addresses apart."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.rpartition("@")[2].lower()


def address_shown(url: str) -> str:
    """An address without what may be a password in it."""
    return "://".join(part for part in origin(url) if part)


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_LARGEST)
    except OSError:
        return None
