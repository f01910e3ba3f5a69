"""Keys and web tokens of any length leave no tail, wherever they stand and however they are wrapped."""

from __future__ import annotations

import base64
import json
from random import Random

import pytest

from gateway.masking.content import ContentScanner
from gateway.masking.recorded import mask_text

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
SIZES = (1_000, 4_096, 8_192, 40_000)


def letters(size: int, seed: int = 7) -> str:
    return "".join(Random(seed).choices(ALPHABET, k=size))


def pem(size: int, label: str = "RSA PRIVATE KEY") -> str:
    body = letters(size)
    lines = "\n".join(body[place : place + 64] for place in range(0, size, 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----"


def jwt(size: int) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"RS256","typ":"JWT"}').decode().rstrip("=")
    return f"{header}.eyJ{letters(size)}.{letters(size // 4, 3)}"


def survivors(secret: str, text: str) -> list[str]:
    """Stretches of 24 characters of the secret that still stand in the text."""
    plain = secret.replace("\n", "")
    return [plain[place : place + 24] for place in range(100, len(plain) - 60, 24) if plain[place : place + 24] in text]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("label", ["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"])
def test_a_key_block_is_masked_whole(scanner: ContentScanner, size: int, label: str) -> None:
    masked = mask_text(f"before\n{pem(size, label)}\nafter {'x ' * 200}", scanner=scanner)
    assert masked.text == f"before\n[REDACTED:private-key]\nafter {'x ' * 200}"


@pytest.mark.parametrize("size", SIZES)
def test_a_key_cut_short_is_masked_to_its_last_character(scanner: ContentScanner, size: int) -> None:
    cut = pem(size)[: size // 2]
    assert mask_text(f"log: {cut}", scanner=scanner).text == "log: [REDACTED:private-key]"


@pytest.mark.parametrize("size", SIZES)
def test_a_key_in_json_is_masked_with_its_escapes(scanner: ContentScanner, size: int) -> None:
    document = json.dumps({"file": pem(size), "next": "kept"})
    assert json.loads(mask_text(document, scanner=scanner).text) == {"file": "[REDACTED:private-key]", "next": "kept"}
    as_text = mask_text(f"config = {document}", scanner=scanner).text
    assert survivors(letters(size), as_text) == []
    assert '"next": "kept"' in as_text


def test_two_keys_do_not_swallow_what_stands_between_them(scanner: ContentScanner) -> None:
    masked = mask_text(f"{pem(900)}\n(kept; between)\n{pem(900)}", scanner=scanner)
    assert masked.text == "[REDACTED:private-key]\n(kept; between)\n[REDACTED:private-key]"
    assert masked.by_type == {"private-key": 2}


@pytest.mark.parametrize("size", SIZES)
def test_a_web_token_is_masked_whole(scanner: ContentScanner, size: int) -> None:
    assert mask_text(f"token {jwt(size)} end", scanner=scanner).text == "token [REDACTED:jwt] end"


def test_a_key_in_base64_is_masked_whole(scanner: ContentScanner) -> None:
    blob = base64.b64encode(pem(1_600).encode()).decode()
    masked = mask_text(f"data: {blob} end", scanner=scanner)
    assert masked.text == "data: [REDACTED:private-key] end"


@pytest.mark.parametrize(
    "text",
    [
        "The file starts with -----BEGIN RSA PRIVATE KEY----- and ends with -----END RSA PRIVATE KEY-----.",
        "-----BEGIN CERTIFICATE-----\nMIIBhTCCASugAwIBAgIQIRi6zePL6mKjOipn\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----",
        "see eyeball.eyelashes.eyebrows for the naming",
    ],
)
def test_what_only_resembles_a_key_or_token_is_left_alone(scanner: ContentScanner, text: str) -> None:
    assert mask_text(text, scanner=scanner).text == text


def test_a_marker_in_prose_does_not_hide_the_key_below_it(scanner: ContentScanner) -> None:
    prose = "look for -----BEGIN RSA PRIVATE KEY----- in it; " + "some more words " * 40
    masked = mask_text(f"{prose}\n{pem(900)}", scanner=scanner).text
    assert survivors(letters(900), masked) == []
    assert masked.startswith("look for ")
    assert masked.endswith("[REDACTED:private-key]")
