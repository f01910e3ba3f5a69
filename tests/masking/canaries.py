"""Fifty kinds of secret as agents meet them, each with a value drawn from a seed: nothing else in the world holds it."""

from __future__ import annotations

import base64
import hashlib
import json
import string
from dataclasses import dataclass
from random import Random

UPPER, LOWER, DIGITS, HEX = string.ascii_uppercase, string.ascii_lowercase, string.digits, "0123456789abcdef"
LETTERS = UPPER + LOWER + DIGITS
BASE32 = UPPER + "234567"


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One planted secret: the `text` it stands in, on one line, and the `secret` itself."""

    kind: str
    text: str
    secret: str


# `{L36}` stands for 36 letters and digits, `{H32}` hexadecimal, `{D9}` digits, `{U16}` base32, `{P14}` a password.
# The part in « » is the secret.
_SHAPES = {
    "password": "password=«{P14}»",
    "password in YAML": 'db_password: "«{P16}»"',
    "passphrase": "passphrase = '«{P20}»'",
    "client secret": '"client_secret": "«{L40}»"',
    "api key": "api_key=«{L32}»",
    "access token": '"access_token": "«{L40}»"',
    "refresh token": '"refresh_token": "«{L48}»"',
    "session token": "SESSION_TOKEN=«{L64}»",
    "encryption key": "ENCRYPTION_KEY=«{H64}»",
    "signing key": 'signing_key: "«{L44}»"',
    "webhook secret": "WEBHOOK_SECRET=«{L32}»",
    "postgres address": "postgres://app:«{L20}»@db.internal:5432/app",
    "mysql address": "mysql://root:«{L16}»@mysql.internal/shop",
    "mongodb address": "mongodb+srv://svc:«{L18}»@cluster0.ab1cd.mongodb.net/app",
    "redis address": "redis://default:«{L22}»@cache.internal:6379/0",
    "amqp address": "amqp://worker:«{L18}»@mq.internal:5672/",
    "ODBC string": "Server=tcp:sql.internal;Database=x;User ID=app;Password=«{L18}»;Encrypt=yes",
    "JDBC address": "jdbc:postgresql://db.internal/app?user=app&password=«{L18}»",
    "storage account": "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=«{L86}==»;EndpointSuffix=core.windows.net",
    "command line": "mysql -h db.internal -u root -p«{L16}» shop",
    "curl user": "curl -u admin:«{L18}» https://internal.example.com/",
    "sshpass": "sshpass -p «{L16}» ssh root@10.0.0.8",
    "psql": "PGPASSWORD=«{L18}» psql -h db.internal",
    "basic header": "Authorization: Basic «{B}»",
    "bearer header": "Authorization: Bearer «{L48}»",
    "JWT": "«{J}»",
    "bcrypt hash": "«$2b$12${L53}»",
    "shadow hash": "root:«$6${L16}${L86}»:19000:0:99999:7:::",
    "AWS secret key": "aws_secret_access_key = «{L40}»",
    "AWS key id": "«AKIA{U16}»",
    "GitHub token": "«ghp_{L36}»",
    "GitHub fine-grained": "«github_pat_{L22}_{L59}»",
    "GitLab token": "«glpat-{L20}»",
    "Slack bot": "«xoxb-{D12}-{D12}-{L24}»",
    "Slack webhook": "«https://hooks.slack.com/services/T{V8}/B{V10}/{L24}»",
    "Stripe key": "«sk_live_{L24}»",
    "SendGrid key": "«SG.{L22}.{L43}»",
    "Google API key": "«AIza{L35}»",
    "npm token": "«npm_{L36}»",
    "PyPI token": "«pypi-AgEIcHlwaS5vcmc{L70}»",
    "Anthropic key": "«sk-ant-api03-{L93}AA»",
    "OpenAI key": "«sk-proj-{L48}T3BlbkFJ{L48}»",
    "Shopify token": "«shpat_{H32}»",
    "DigitalOcean token": "«dop_v1_{H64}»",
    "Hugging Face token": "«hf_{A34}»",
    "Databricks token": "«dapi{H32}»",
    "Square token": "«EAAA{L60}»",
    "Mailgun key": "mailgun_key=«key-{H32}»",
    "Vault token": "«hvs.{L90}»",
    "PEM key": "«{K}»",
}
_ALPHABETS = {"L": LETTERS, "A": UPPER + LOWER, "H": HEX, "D": DIGITS, "U": BASE32, "V": UPPER + DIGITS}


def canaries(seed: int) -> list[Canary]:
    """Fifty canaries, one of each kind; another seed gives other values."""
    random = Random(seed)
    return [_canary(kind, shape, random) for kind, shape in _SHAPES.items()]


def _canary(kind: str, shape: str, random: Random) -> Canary:
    out, place = "", 0
    while place < len(shape):
        if shape[place] == "{" and shape[place + 1] in "LAHDUVPBJK":
            end = shape.index("}", place)
            out += _value(shape[place + 1], shape[place + 2 : end], random)
            place = end + 1
        else:
            out += shape[place]
            place += 1
    return Canary(kind=kind, text=out.replace("«", "").replace("»", ""), secret=out.split("«")[1].split("»")[0])


def _value(letter: str, size: str, random: Random) -> str:
    match letter:
        case "P":
            return "".join(random.choices(LETTERS, k=int(size) - 3)) + random.choice("!#+") + "7q"
        case "B":
            return base64.b64encode(f"admin:{_value('L', '20', random)}".encode()).decode()
        case "J":
            head, body = ({"alg": "HS256", "typ": "JWT"}, {"sub": _value("D", "12", random), "role": "admin"})
            parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (head, body)]
            return f"{parts[0]}.{parts[1]}.{_value('L', '43', random)}"
        case "K":
            # One line, as environment files and JSON write keys.
            lines = [_value("L", "64", random) for _ in range(12)]
            return "\\n".join(("-----BEGIN RSA PRIVATE KEY-----", *lines, "-----END RSA PRIVATE KEY-----"))
        case _:
            while True:
                drawn = "".join(random.choices(_ALPHABETS[letter], k=int(size)))
                # Token formats have letters of both kinds and digits; a draw without them would be no such token.
                if int(size) < 8 or letter not in "L" or (any(map(str.isdigit, drawn)) and not drawn.islower()):
                    return drawn


def traces(canary: Canary) -> list[bytes]:
    """How the secret would show if it were kept: as it is, in hexadecimal and base64; a long one by a stretch of it."""
    secret = canary.secret.encode()
    # A rule may leave a well-known beginning or the end of a line: what may not stand anywhere is the heart.
    heart = secret if len(secret) <= 24 else secret[len(secret) // 2 - 10 : len(secret) // 2 + 10]
    forms = [heart, heart.hex().encode(), heart.decode().encode("utf-16-le")]
    return forms + [base64.b64encode(b"x" * pad + heart)[4:-4] for pad in range(3)]


def fingerprint(canary: Canary) -> str:
    """What a failing test may say of a secret."""
    return f"{canary.kind} {hashlib.sha256(canary.secret.encode()).hexdigest()[:8]}"
