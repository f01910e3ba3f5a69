"""A real SAML identity provider on pysaml2, in a process of its own: `python saml_idp.py FOLDER PORT`.

POST /sp takes the service's metadata; GET /sso answers a request as the person in `login`, spoilt as `spoil` says.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from saml2 import BINDING_HTTP_REDIRECT
from saml2.authn_context import PASSWORD
from saml2.config import IdPConfig
from saml2.metadata import create_metadata_string
from saml2.saml import NAMEID_FORMAT_PERSISTENT, NAMEID_FORMAT_TRANSIENT, NameID
from saml2.server import Server
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA1, SIG_RSA_SHA256

FOLDER, PORT = Path(sys.argv[1]), int(sys.argv[2])
BASE = f"http://127.0.0.1:{PORT}"
PEOPLE = {"alice": ["Engineering"], "bob": ["AWS Approvers"], "nobody": []}


def config(*, minutes: int = 15, entity: str = "metadata") -> Any:
    described = {
        "entityid": f"{BASE}/{entity}",
        "xmlsec_binary": "/usr/bin/xmlsec1",
        "key_file": str(FOLDER / "idp.key"),
        "cert_file": str(FOLDER / "idp.pem"),
        "metadata": {"local": [str(FOLDER / "sp.xml")] if (FOLDER / "sp.xml").exists() else []},
        "service": {
            "idp": {
                "name": "the tests' provider",
                "endpoints": {"single_sign_on_service": [(f"{BASE}/sso", BINDING_HTTP_REDIRECT)]},
                "policy": {"default": {"lifetime": {"minutes": minutes}}},
                "want_authn_requests_signed": True,
                "want_authn_requests_only_with_valid_cert": False,
            }
        },
    }
    return IdPConfig().load(described)


def answered(query: dict[str, str]) -> dict[str, str]:
    spoil = json.loads(query.get("spoil", "{}"))
    server = Server(config=config(minutes=spoil.get("minutes", 15), entity=spoil.get("entity", "metadata")))
    asked = server.parse_authn_request(
        query["SAMLRequest"],
        BINDING_HTTP_REDIRECT,
        relay_state=query["RelayState"],
        sigalg=query["SigAlg"],
        signature=query["Signature"],
    )
    arguments = {**server.response_args(asked.message), **spoil.get("response", {})}
    login = query["login"]
    kind = NAMEID_FORMAT_TRANSIENT if spoil.get("transient") else NAMEID_FORMAT_PERSISTENT
    response = server.create_authn_response(
        identity={"uid": login, "eduPersonAffiliation": PEOPLE[login]},
        userid=login,
        name_id=NameID(format=kind, text=f"subject-{login}"),
        authn={"class_ref": PASSWORD, "authn_auth": BASE, "authn_instant": time.time() - spoil.get("asked_ago", 0)},
        sign_response=spoil.get("sign_response", False),
        sign_assertion=spoil.get("sign_assertion", True),
        sign_alg=SIG_RSA_SHA1 if spoil.get("sha1") else SIG_RSA_SHA256,
        digest_alg=DIGEST_SHA256,
        **arguments,
    )
    encoded = base64.b64encode(str(response).encode()).decode()
    return {"SAMLResponse": encoded, "RelayState": query["RelayState"], "force_authn": str(asked.message.force_authn)}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/metadata":
            self._say(create_metadata_string(None, config=config()))
        else:
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self._say(json.dumps(answered(query)).encode())

    def do_POST(self) -> None:
        (FOLDER / "sp.xml").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
        self._say(b"")

    def _say(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Quiet: what a test needs to know is in the answers."""


if __name__ == "__main__":
    listening = HTTPServer(("127.0.0.1", PORT), Handler)
    print("ready", flush=True)
    listening.serve_forever()
