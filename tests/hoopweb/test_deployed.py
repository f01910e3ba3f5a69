"""As it is deployed: Django's own deployment checks find nothing, cookies are secure, people are sent to https."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.test_structure import CHECKOUT

ASKED = """
import json, django
from django.conf import settings as s
from django.test import Client
django.setup()
plain = Client().get("/sign-in/", headers={"host": "hoopweb.example.com"})
healthy = Client().get("/healthz", headers={"host": "hoopweb.example.com"})
told = {
    "cookies": [s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY, s.SESSION_COOKIE_SAMESITE],
    "redirect": [plain.status_code, plain["Location"]],
    "health": healthy.status_code,
    "hsts": s.SECURE_HSTS_SECONDS,
}
print(json.dumps(told))
"""


@pytest.fixture
def deployed(tmp_path: Path) -> dict[str, str]:
    key = tmp_path / "secret-key"
    key.write_text(base64.b64encode(os.urandom(48)).decode())
    return {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "hoopweb.settings",
        "HOOPWEB_URL": "https://hoopweb.example.com",
        "HOOPWEB_ALLOWED_HOSTS": "hoopweb.example.com",
        "HOOPWEB_DB_HOST": "127.0.0.1",
        "HOOPWEB_DB_PORT": "1",
        "HOOPWEB_SECRET_KEY_FILE": str(key),
        "HOOPWEB_STATE": str(tmp_path),
    }


def python(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
    )


def test_the_deployment_check_is_clean(deployed: dict[str, str]) -> None:
    checked = python(deployed, "manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "no issues" in checked.stdout


def test_cookies_travel_over_https_only_and_people_are_sent_there(deployed: dict[str, str]) -> None:
    answered = python(deployed, "-c", ASKED)
    assert answered.returncode == 0, answered.stderr
    told = json.loads(answered.stdout.splitlines()[-1])
    assert told["cookies"] == [True, True, True, "Lax"]
    assert told["redirect"] == [301, "https://hoopweb.example.com/sign-in/"]
    # A load balancer asks in clear, from inside; without a database the answer is 503, and no redirect.
    assert told["health"] in {200, 503}
    assert told["hsts"] >= 31_536_000
