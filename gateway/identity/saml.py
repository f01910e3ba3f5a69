"""SAML 2.0, per tenant: signed requests out; signed, unaltered, asked-for and unused assertions in.

Which provider a tenant has is `providers`; who the person becomes here is `arrivals`; pages are `hoopweb.ui.saml`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.db import IntegrityError, transaction
from lxml.etree import LxmlError
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.errors import OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from gateway.identity.arrivals import MOST_GROUPS, Arrival
from gateway.identity.door_models import IdentityProvider, ProviderKind, SeenAssertion
from gateway.identity.door_problems import ProviderRefused, SignOnRefused
from gateway.identity.proof import UNTOLD
from gateway.identity.providers import checked_map, checked_roles, keep, open_secret, seal_secret
from gateway.sealing import services as sealing
from gateway.tenants.models import Tenant

ARRIVAL_COLUMN = "identity_seenassertion.sealed_arrival"
LARGEST_RESPONSE = 256 * 1024
LARGEST_METADATA = 256 * 1024
# How long a browser may take from the provider's POST to its own next step.
COLLECT_WITHIN = timedelta(minutes=2)
# Far past any assertion's own life: until then its second use is known as one.
REMEMBERED_FOR = timedelta(days=1)
_REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
_POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
_NAMES = ("urn:oid:0.9.2342.19200300.100.1.1", "uid", "email", "urn:oid:0.9.2342.19200300.100.1.3", "mail")
_FAULTS = (OneLogin_Saml2_ValidationError, OneLogin_Saml2_Error, LxmlError, ValueError, KeyError, TypeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one provider's door stands: the addresses its administrator registers."""

    base: str

    @property
    def metadata(self) -> str:
        return f"{self.base}/metadata/"

    @property
    def consumer(self) -> str:
        return f"{self.base}/acs/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """An answer as its browser collects it: who arrives, the request it answers, when the provider asked the person."""

    arrival: Arrival
    request_id: str
    proved_at: datetime


def place(tenant: Tenant, name: str) -> Place:
    return Place(base=f"{settings.PUBLIC_URL}/sso/{tenant.slug}/{name}/saml")


def create_saml_provider(
    *,
    tenant: Tenant,
    name: str,
    title: str,
    metadata: str,
    group_claim: str,
    group_map: Mapping[str, Any],
    default_roles: Sequence[str],
    by_label: str,
    now: datetime,
) -> IdentityProvider:
    """Keep a provider described by its own metadata, with a signing key of ours; raises ProviderRefused or NameTaken."""
    told = _described(metadata)
    key, certificate = own_key(f"hoopweb {tenant.slug}", now)
    made = IdentityProvider(
        id=uuid.uuid4(),
        tenant=tenant,
        kind=ProviderKind.SAML,
        name=name,
        title=title,
        issuer=told["entityId"],
        sealed_secret=seal_secret(tenant, key),
        own_certificate=certificate,
        endpoints={"sign_on": told["singleSignOnService"]["url"]},
        certificates=_certificates(told),
        group_claim=group_claim,
        group_map=checked_map(group_map),
        default_roles=checked_roles(default_roles),
        created_at=now,
    )
    return keep(made, by_label=by_label, now=now)


def _described(metadata: str) -> dict[str, Any]:
    if len(metadata) > LARGEST_METADATA:
        raise ProviderRefused(f"The metadata is larger than {LARGEST_METADATA} characters")
    try:
        told = OneLogin_Saml2_IdPMetadataParser.parse(metadata, required_sso_binding=_REDIRECT).get("idp", {})
    except _FAULTS:
        raise ProviderRefused("The metadata cannot be read") from None
    address = urlsplit(told.get("singleSignOnService", {}).get("url", ""))
    # The browser goes there, not we; in clear only to this very machine.
    if address.scheme != "https" and address.hostname not in {"127.0.0.1", "localhost"}:
        raise ProviderRefused("The metadata names no https address for signing on with HTTP-Redirect")
    if not 0 < len(told.get("entityId", "")) <= 1000:
        raise ProviderRefused("The metadata names no entity")
    return dict(told)


def _certificates(told: Mapping[str, Any]) -> list[str]:
    many = told.get("x509certMulti", {}).get("signing") or ([told["x509cert"]] if told.get("x509cert") else [])
    if not 0 < len(many) <= 10:
        raise ProviderRefused("The metadata holds no signing certificate, or more than ten")
    return [str(one) for one in many]


def own_key(title: str, now: datetime) -> tuple[bytes, str]:
    """Make a signing key and its certificate, both PEM, for ten years: what SAML pins is the key, not a chain."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    unsigned = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    certificate = (
        unsigned.serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - timedelta(hours=1))
        .not_valid_after(now.astimezone(UTC) + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return encoded, certificate.public_bytes(serialization.Encoding.PEM).decode()


def _toolkit(tenant: Tenant, provider: IdentityProvider) -> dict[str, Any]:
    """The library's settings, each switch at its strict side."""
    where = place(tenant, provider.name)
    return {
        "strict": True,
        "debug": False,
        "sp": {
            "entityId": where.metadata,
            "assertionConsumerService": {"url": where.consumer, "binding": _POST},
            "NameIDFormat": "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
            "x509cert": provider.own_certificate,
            "privateKey": open_secret(provider).decode(),
        },
        "idp": {
            "entityId": provider.issuer,
            "singleSignOnService": {"url": provider.endpoints["sign_on"], "binding": _REDIRECT},
            "x509certMulti": {"signing": provider.certificates},
        },
        "security": {
            "authnRequestsSigned": True,
            "wantAssertionsSigned": True,
            "wantNameId": True,
            "wantAttributeStatement": False,
            "requestedAuthnContext": False,
            "signMetadata": True,
            "allowRepeatAttributeName": True,
            "rejectUnsolicitedResponsesWithInResponseTo": True,
            "rejectDeprecatedAlgorithm": True,
            "signatureAlgorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            "digestAlgorithm": "http://www.w3.org/2001/04/xmlenc#sha256",
        },
    }


def _asked(tenant: Tenant, provider: IdentityProvider) -> dict[str, Any]:
    """The request as the library compares Destination with it: our public address, whatever a proxy made of it."""
    parts = urlsplit(place(tenant, provider.name).consumer)
    https = "on" if parts.scheme == "https" else "off"
    return {"https": https, "http_host": parts.netloc, "script_name": parts.path, "get_data": {}, "post_data": {}}


def metadata_of(tenant: Tenant, provider: IdentityProvider) -> bytes:
    """What the provider's administrator loads, signed. Call inside the tenant's transaction."""
    toolkit = OneLogin_Saml2_Settings(_toolkit(tenant, provider), sp_validation_only=True)
    made = toolkit.get_sp_metadata()
    return made if isinstance(made, bytes) else str(made).encode()


def request_to_sign_on(tenant: Tenant, provider: IdentityProvider, *, is_fresh: bool = False) -> tuple[str, str]:
    """Return where to send the browser with a signed request, and that request's id.

    With `is_fresh` the provider must ask the person again (ForceAuthn), whatever session it has.
    """
    asked = OneLogin_Saml2_Auth(_asked(tenant, provider), _toolkit(tenant, provider))
    address = asked.login(return_to=place(tenant, provider.name).base, force_authn=is_fresh)
    return str(address), str(asked.get_last_request_id())


@transaction.atomic
def accept(*, tenant: Tenant, provider: IdentityProvider, encoded: str, now: datetime) -> SeenAssertion:
    """Verify a response and keep what it says for the browser that asked; raises SignOnRefused.

    An assertion is accepted once in its life, in whatever wrapping it comes back.
    """
    response = _verified(tenant, provider, encoded)
    arrival = _arrival(provider, response)
    SeenAssertion.objects.for_tenant(tenant).filter(expires_at__lt=now).delete()
    text = json.dumps(
        {
            "subject": arrival.subject,
            "name": arrival.name,
            "groups": arrival.groups,
            "proved_at": _proved_at(response, now).timestamp(),
        }
    ).encode()
    try:
        with transaction.atomic():
            kept: SeenAssertion = SeenAssertion.objects.create(
                tenant=tenant,
                provider=provider,
                digest=hashlib.sha256(str(response.get_assertion_id()).encode()).digest(),
                sealed_arrival=sealing.seal(tenant_id=tenant.pk, column=ARRIVAL_COLUMN, plaintext=text),
                request_id=str(response.get_in_response_to())[:100],
                seen_at=now,
                expires_at=now + REMEMBERED_FOR,
            )
    except IntegrityError:
        raise SignOnRefused("This assertion was used already") from None
    return kept


def _verified(tenant: Tenant, provider: IdentityProvider, encoded: str) -> OneLogin_Saml2_Response:
    if not 0 < len(encoded) <= LARGEST_RESPONSE:
        raise SignOnRefused("The provider sent no response, or too large a one")
    try:
        base64.b64decode(encoded, validate=True)
        response = OneLogin_Saml2_Response(OneLogin_Saml2_Settings(_toolkit(tenant, provider)), encoded)
        asked = response.get_in_response_to()
        if not asked:
            raise SignOnRefused("Nobody here asked for that answer")
        # That this browser asked is checked when it collects: the provider's POST carries no cookie of ours.
        response.is_valid(_asked(tenant, provider), request_id=asked, raise_exceptions=True)
    except _FAULTS as error:
        raise SignOnRefused(f"The response is refused: {_reason(error)}") from None
    return response


def _proved_at(response: OneLogin_Saml2_Response, now: datetime) -> datetime:
    """When the provider asked the person, by the signed assertion; UNTOLD where it does not say. Never after `now`."""
    # The library's own search: it looks inside the assertion whose signature it verified, and nowhere else.
    statements = response._query_assertion("/saml:AuthnStatement")
    told = statements[0].get("AuthnInstant") if statements else None
    try:
        return min(now, datetime.fromtimestamp(OneLogin_Saml2_Utils.parse_SAML_to_time(told), tz=UTC))
    except (*_FAULTS, OverflowError):
        return UNTOLD


def _reason(error: Exception) -> str:
    # The library's validation messages name the check; others may repeat what was sent.
    return str(error)[:200] if isinstance(error, OneLogin_Saml2_ValidationError) else type(error).__name__


def _arrival(provider: IdentityProvider, response: OneLogin_Saml2_Response) -> Arrival:
    try:
        named, attributes = response.get_nameid_data(), response.get_attributes()
    except _FAULTS as error:
        raise SignOnRefused(f"The response is refused: {_reason(error)}") from None
    subject = str(named.get("Value") or "")
    if named.get("Format") == _TRANSIENT or not 0 < len(subject) <= 255:
        raise SignOnRefused("The provider names the person by a name of one time only; ask for a persistent NameID")
    groups = attributes.get(provider.group_claim, [])
    if len(groups) > MOST_GROUPS:
        raise SignOnRefused("The provider names too many groups")
    name = next((str(attributes[key][0]) for key in _NAMES if attributes.get(key)), subject)
    return Arrival(subject=subject, name=name, groups=tuple(str(group) for group in groups))


@transaction.atomic
def collect(*, tenant: Tenant, provider: IdentityProvider, seen_id: UUID, now: datetime) -> Collected:
    """Return what an accepted assertion said and the request it answers, once; raises SignOnRefused."""
    rows = SeenAssertion.objects.for_tenant(tenant).filter(provider=provider, seen_at__gt=now - COLLECT_WITHIN)
    seen: SeenAssertion | None = rows.select_for_update(of=("self",)).filter(pk=seen_id).first()
    if seen is None or seen.sealed_arrival is None:
        raise SignOnRefused("This answer was collected already, or too long ago")
    told = json.loads(sealing.unseal(tenant_id=tenant.pk, column=ARRIVAL_COLUMN, sealed=seen.sealed_arrival))
    seen.sealed_arrival = None
    seen.save(update_fields=("sealed_arrival",))
    arrival = Arrival(subject=told["subject"], name=told["name"], groups=tuple(told["groups"]))
    proved_at = datetime.fromtimestamp(told["proved_at"], tz=UTC)
    return Collected(arrival=arrival, request_id=seen.request_id, proved_at=proved_at)
