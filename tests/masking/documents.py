"""Documents with planted secrets of every kind and size, drawn from a seed: what the stream tests read."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from random import Random

from gateway.masking.cutting import CONTEXT

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# Around one, two and ten times what a decision reads on either side.
LONG = tuple(factor * CONTEXT + offset for factor in (1, 2, 10) for offset in (-700, -1, 0, 1, 700))
Planted = tuple[str, str]


def letters(random: Random, size: int) -> str:
    return "a1B" + "".join(random.choices(ALPHABET, k=size - 3))


def pem(random: Random, size: int) -> Planted:
    secret = letters(random, size)
    label = random.choice(("RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"))
    lines = "\n".join(secret[place : place + 64] for place in range(0, size, 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----", secret


def pem_in_json(random: Random, size: int) -> Planted:
    text, secret = pem(random, size)
    return json.dumps({"file": text}), secret


def unfinished_pem(random: Random, size: int) -> Planted:
    text, secret = pem(random, size)
    return text.rsplit("\n", 1)[0] + "\n{", secret


def jwt(random: Random, size: int) -> Planted:
    header = base64.urlsafe_b64encode(b'{"alg":"RS256","typ":"JWT"}').decode().rstrip("=")
    secret = letters(random, size)
    return f"{header}.eyJ{secret}.{letters(random, 300)}", secret


def hidden_in_base64(random: Random, size: int) -> Planted:
    inner = f"first line\npassword={letters(random, 24)}\n" + "words and words\n" * (size // 16)
    blob = base64.b64encode(inner.encode()).decode()
    return blob, blob


def named(random: Random, size: int) -> Planted:
    secret = letters(random, min(size, CONTEXT - 200))
    return random.choice(('{{"client_secret": "{}"}}', "password={}", "api_key: '{}'")).format(secret), secret


def in_url(random: Random, _: int) -> Planted:
    secret = letters(random, 20)
    return f"postgres://app:{secret}@db.internal/app", secret


def on_a_command_line(random: Random, _: int) -> Planted:
    secret = letters(random, 16)
    return f"mysql -h db -u root -p{secret} app", secret


def bearer(random: Random, _: int) -> Planted:
    secret = letters(random, 40)
    return f"Authorization: Bearer {secret}", secret


def github(random: Random, _: int) -> Planted:
    secret = letters(random, 36)
    return f"ghp_{secret}", secret


KINDS: tuple[Callable[[Random, int], Planted], ...] = (
    pem,
    pem_in_json,
    unfinished_pem,
    jwt,
    hidden_in_base64,
    named,
    in_url,
    on_a_command_line,
    bearer,
    github,
)
FILLERS: tuple[Callable[[Random], str], ...] = (
    lambda random: f'{{"ts":"2026-01-0{random.randrange(1, 9)}","level":"info","ms":{random.randrange(900)}}}\n',
    lambda random: "order,customer,total,état\n",
    lambda random: "the quick brown fox jumps over the lazy dog ",
    lambda random: '{"a":[1,2,3],"b":"words","c":null},',
    lambda random: "\n",
)


def document(seed: int, *, around: int) -> tuple[bytes, list[str]]:
    """A text of about `around` bytes and the secrets planted in it."""
    random = Random(seed)
    filler = random.choice(FILLERS)
    pieces: list[str] = []
    secrets: list[str] = []
    size = 0
    while size < around:
        pieces += [filler(random) for _ in range(random.choice((1, 3, 40, 200)))]
        text, secret = random.choice(KINDS)(random, random.choice((64, 300, *LONG)))
        # A space or line on both sides: what is glued to other text is another secret.
        pieces += [random.choice(("\n", " ")), text, "\n"]
        secrets.append(secret)
        size = sum(map(len, pieces))
    return "".join(pieces).encode(), secrets


def survivors(secrets: list[str], masked: bytes) -> list[str]:
    """Stretches of 16 characters of a secret that still stand in the text; a key's are looked for line by line."""
    text = masked.decode("utf-8", "replace")
    return [
        secret[place : place + 16]
        for secret in secrets
        for place in range(0, len(secret) - 15, 16)
        if secret[place : place + 16] in text
    ]
