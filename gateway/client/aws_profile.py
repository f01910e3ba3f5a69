"""What an AWS profile has to say so that every SDK goes through the gateway: endpoint, trust, and who makes the keys.

`exec` writes it beside the enrolment for one command; `setup aws` merges the same lines into the person's own file.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass

# Whatever would win over the profile's credential_process, or pass the gateway by.
BYPASSING = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_ENDPOINT_URL",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsProfile:
    """One connection as an AWS profile. `profile` is hoopweb's own profile, `ca_file` may be empty."""

    connection: str
    profile: str
    endpoint_url: str
    region: str
    ca_file: str

    def settings(self, program: str) -> dict[str, str]:
        """The lines of the profile, in order. `program` is the absolute path of `hoopweb`."""
        process = [*shlex.split(program), "credentials", "--profile", self.profile, "--connection", self.connection]
        return {
            "region": self.region,
            "endpoint_url": self.endpoint_url,
            "credential_process": shlex.join(process),
            **({"ca_bundle": self.ca_file} if self.ca_file else {}),
        }


def program() -> str:
    """How this very program is started again, from whatever folder: quoted for a shell."""
    own = os.path.abspath(sys.argv[0])
    if os.path.basename(own) == "hoopweb" and os.access(own, os.X_OK):
        return shlex.quote(own)
    found = shutil.which("hoopweb")
    return shlex.quote(found) if found else f"{shlex.quote(sys.executable)} -m gateway.client"


def cleaned(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without anything that would pass the gateway by."""
    per_service = "AWS_ENDPOINT_URL_"
    kept = {name: value for name, value in environ.items() if name not in BYPASSING}
    return {name: value for name, value in kept.items() if not name.startswith(per_service)}
