"""Which form a decoy takes: the vendor's prefix, length and checksum for what is recognised, a plain token for the rest.

A form takes its own prefix, never one cut from the value: no byte of what is hidden stands in a decoy. What carries the
tag is `decoys`'.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable

from gateway.masking import decoys
from gateway.masking.checksums import iban_digits
from gateway.masking.decoys import Press, Shape

# A domain that nobody can own, and a country whose account numbers have room for a tag, at a bank that does not exist.
DOMAIN = "example.com"
COUNTRY, BANK = "LC", "ZZZZ"
# PKCS #8 around an Ed25519 key: any 32 bytes are one (RFC 8410).
KEY_HEAD = bytes.fromhex("302e020100300506032b657004220420")
JWT_HEAD = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
_JWT_BODY = base64.urlsafe_b64encode(b'{"iss":"https://example.com","sub":"app"}').decode().rstrip("=")
# The last character of 32 bytes in base64 has two bits that are nothing.
JWT_END = "A"
_LONGEST_BASIC = 1024
_SCHEMES = frozenset(
    [
        "postgresql",
        "postgres",
        "mysql",
        "mariadb",
        "mongodb+srv",
        "mongodb",
        "rediss",
        "redis",
        "amqps",
        "amqp",
        "mssql",
        "sqlserver",
        "https",
        "http",
    ]
)

Form = Callable[[Press, str], str]


def _word(shape: Shape, prefix: str = "") -> Form:
    return lambda press, value: prefix + press.core(shape, value)


def checked(core: str) -> str:
    """A token with the checksum that GitHub's and npm's end with: CRC-32 of what stands before, in base 62."""
    return core + decoys.WORD_30.written(zlib.crc32(core.encode()), 6)


def _github(prefix: str) -> Form:
    return lambda press, value: prefix + checked(press.core(decoys.WORD_30, value))


def _slack(prefix: str) -> Form:
    def made(press: Press, value: str) -> str:
        return f"{prefix}-100000000000-2000000000000-{press.core(decoys.WORD_24, value)}"

    return made


def _uuid(press: Press, value: str) -> str:
    core = press.core(decoys.HEX_30, value)
    return f"{core[:8]}-{core[8:12]}-4{core[12:15]}-a{core[15:18]}-{core[18:]}"


def _jwt(press: Press, value: str) -> str:
    return f"{JWT_HEAD}.{_JWT_BODY}.{press.core(decoys.WORD_42, value)}{JWT_END}"


def _private_key(press: Press, value: str) -> str | None:
    """An Ed25519 key; its lines are broken as the value's are. None for a value whose lines cannot be told."""
    line = "\n" if "\n" in value else "\\n" if "\\n" in value else ""
    seed = press.core(decoys.SEED, value).encode("latin-1")
    text = base64.b64encode(KEY_HEAD + seed).decode()
    return line.join(("-----BEGIN PRIVATE KEY-----", text, "-----END PRIVATE KEY-----")) if line else None


def _email(press: Press, value: str) -> str:
    return f"{press.core(decoys.MAILBOX, value)}@{DOMAIN}"


def _iban(press: Press, value: str) -> str:
    account = BANK + press.core(decoys.ACCOUNT, value)
    return f"{COUNTRY}{iban_digits(COUNTRY, account)}{account}"


def _password(press: Press, value: str) -> str:
    """Twenty letters and digits; where the value is user and password in base64, as Basic has it, so is the decoy."""
    secret = press.core(decoys.WORD_20, value)
    return base64.b64encode(f"app:{secret}".encode()).decode() if _is_basic(value) else secret


def _is_basic(value: str) -> bool:
    if len(value) > _LONGEST_BASIC or len(value) % 4:
        return False
    try:
        user, colon, _ = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return False
    return bool(colon) and user.isprintable()


def _connection(press: Press, value: str) -> str:
    """A whole connection string's host and user are hidden too: only its scheme is kept."""
    secret = _password(press, value)
    before, is_url, _ = value.partition("://")
    if is_url:
        driver, scheme = ("jdbc:", before[5:]) if before.startswith("jdbc:") else ("", before)
        return f"{driver}{scheme if scheme in _SCHEMES else 'postgresql'}://app:{secret}@db.{DOMAIN}/app"
    if re.search(r"=[^;]*;", value):
        return f"Server=db.{DOMAIN};Database=app;User Id=app;Password={secret}"
    return secret


def _secret(press: Press, value: str) -> str | None:
    """A secret by its look; a bundle of them in JSON is one of one user and one password."""
    for pattern, form in _LOOKS:
        if pattern.fullmatch(value):
            return form(press, value)
    if value.lstrip()[:1] == "{":
        return _bundle(press, value)
    if _is_basic(value):
        return _password(press, value)
    if "PRIVATE KEY" in value[:200]:
        return _private_key(press, value)
    return None if "://" in value else press.core(decoys.WORD_32, value)


def _bundle(press: Press, value: str) -> str:
    try:
        is_object = isinstance(json.loads(value), dict)
    except (ValueError, RecursionError):
        is_object = False
    password = _password(press, value)
    return json.dumps({"username": "app", "password": password}) if is_object else press.core(decoys.WORD_32, value)


_LOOKS: tuple[tuple[re.Pattern[str], Form], ...] = tuple(
    (re.compile(pattern), form)
    for pattern, form in (
        (r"AKIA[A-Z2-7]{16}", _word(decoys.ACCESS_KEY, "AKIA")),
        (r"ASIA[A-Z2-7]{16}", _word(decoys.ACCESS_KEY, "ASIA")),
        *((rf"{prefix}[A-Za-z0-9]{{36,}}", _github(prefix)) for prefix in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
        (r"npm_[A-Za-z0-9]{36}", _github("npm_")),
        *((rf"{prefix}-[A-Za-z0-9-]{{20,}}", _slack(prefix)) for prefix in ("xoxb", "xoxp")),
        *(
            (rf"{prefix}[A-Za-z0-9]{{16,}}", _word(decoys.WORD_24, prefix))
            for prefix in ("sk_live_", "sk_test_", "rk_live_", "rk_test_", "pk_live_", "pk_test_")
        ),
        (r"glpat-[A-Za-z0-9_-]{20,}", _word(decoys.WORD_20, "glpat-")),
        (r"dop_v1_[0-9a-f]{64}", _word(decoys.HEX_64, "dop_v1_")),
        (r"ey[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", _jwt),
        (r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", _uuid),
        (r"[0-9a-f]{64}", _word(decoys.HEX_64)),
        (r"[0-9a-f]{40}", _word(decoys.HEX_40)),
        (r"[0-9a-f]{32}", _word(decoys.HEX_32)),
        (r"[A-Za-z0-9+/]{40}", _word(decoys.WORD_40)),
    )
)
# A type that is not here has no format that is both valid and unique, or none that is harmless: its label stands.
FORMS: dict[str, Callable[[Press, str], str | None]] = {
    "secret": _secret,
    "bearer": _secret,
    "password": _password,
    "connection-string": _connection,
    "aws-access-key": _secret,
    "aws-secret-key": _word(decoys.WORD_40),
    "jwt": _jwt,
    "private-key": _private_key,
    "email": _email,
    "iban": _iban,
}


def decoy_for(press: Press, kind: str, value: str) -> str | None:
    """A decoy for a value of this type, or None where there can be none."""
    form = FORMS.get(kind)
    return form(press, value) if form is not None and value else None
