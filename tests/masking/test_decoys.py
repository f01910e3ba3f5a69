"""A decoy is in the format of what it stands for, is its response's own, tells nothing of the value, and is known again."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from gateway.masking import checksums, decoys
from gateway.masking.decoy_forms import FORMS, decoy_for
from gateway.masking.decoy_watch import Found, in_value
from gateway.masking.decoys import SHAPES, TAGS, Press, Shape, tag_in
from gateway.masking.replacement import Writing

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
PRESS = Press(key=KEY, tag=123_456_789_012)
BASE62 = "0-9A-Za-z"
GITHUB = "ghp_R4nD0mL00k1ngT0k3nF0rTh3D3m00000abcd"  # made up, as all below
SIGNED = "eyJhbGciOiJFUzUxMiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlLW9mLWFkYQ"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7v1\n-----END RSA PRIVATE KEY-----"
# (type, a value of it, how its decoys look)
FORMATS = [
    ("aws-access-key", "AKIAQ3EGRIRO7ABCDEFG", r"AKIA[Q-Z2-7][A-Z2-7]{15}"),
    ("aws-access-key", "ASIAQ3EGRIRO7ABCDEFG", r"ASIA[Q-Z2-7][A-Z2-7]{15}"),
    ("aws-secret-key", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", rf"[{BASE62}]{{40}}"),
    ("secret", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", rf"[{BASE62}]{{40}}"),
    ("secret", GITHUB, rf"ghp_[{BASE62}]{{36}}"),
    ("secret", "npm_" + "aB3dE6" * 6, rf"npm_[{BASE62}]{{36}}"),
    (
        "secret",
        "xoxb-123456789012-1234567890123-aBcDeFgHiJkLmNoPqRsTuVwX",
        rf"xoxb-\d{{12}}-\d{{13}}-[{BASE62}]{{24}}",
    ),
    ("secret", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", rf"sk_live_[{BASE62}]{{24}}"),
    ("secret", "rk_test_4eC39HqLyjWDarjtT1zdp7dc", rf"rk_test_[{BASE62}]{{24}}"),
    ("secret", "glpat-aB3dE6gH9jK2mN5pQ8sT", rf"glpat-[{BASE62}]{{20}}"),
    ("secret", "dop_v1_" + "0f" * 32, r"dop_v1_[0-9a-f]{64}"),
    ("secret", "0f" * 16, r"[0-9a-f]{32}"),
    ("secret", "0f" * 20, r"[0-9a-f]{40}"),
    ("secret", "0f" * 32, r"[0-9a-f]{64}"),
    (
        "secret",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}",
    ),
    ("secret", "anything else, also with spaces", rf"[{BASE62}]{{32}}"),
    ("bearer", base64.b64encode(b"AWS:s3cret-of-a-registry").decode(), r"YXBwO[A-Za-z0-9+/]{27}"),
    ("bearer", "FwoGZXIvYXdzEBYaDH", rf"[{BASE62}]{{32}}"),
    ("password", "hunter2", rf"[{BASE62}]{{20}}"),
    ("connection-string", "postgres://ada:s3cret@10.0.0.7:5432/payroll", r"postgres://app:\w{20}@db\.example\.com/app"),
    (
        "connection-string",
        "Server=10.0.0.7;User Id=ada;Password=s3cret;",
        r"Server=db\.example\.com;Database=app;User Id=app;Password=\w{20}",
    ),
    (
        "connection-string",
        "jdbc:mysql://ada:s3cret@10.0.0.7/payroll",
        r"jdbc:mysql://app:\w{20}@db\.example\.com/app",
    ),
    ("password", base64.b64encode(b"ada:s3cret").decode(), r"YXBwO[A-Za-z0-9+/]{27}"),
    ("connection-string", "s3cret", rf"[{BASE62}]{{20}}"),
    ("email", "ada@lovelace.org", r"[a-z2-7]{24}@example\.com"),
    ("iban", "DE89 3704 0044 0532 0130 00", r"LC\d\dZZZZ[0-9A-Z]{24}"),
    ("jwt", SIGNED, r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{43}"),
    ("private-key", PEM, r"-----BEGIN PRIVATE KEY-----\n[A-Za-z0-9+/]{64}\n-----END PRIVATE KEY-----"),
]
IDS = [f"{kind}-{place}" for place, (kind, _, _) in enumerate(FORMATS)]


@pytest.mark.parametrize(("kind", "value", "look"), FORMATS, ids=IDS)
def test_a_decoy_is_valid_in_its_format_and_known_by_its_tenants_key(kind: str, value: str, look: str) -> None:
    decoy = decoy_for(PRESS, kind, value)
    assert decoy is not None
    assert re.fullmatch(look, decoy)
    assert {found.tag for found in in_value(KEY, decoy)} == {PRESS.tag}
    assert list(in_value(OTHER_KEY, decoy)) == []


@pytest.mark.parametrize(("kind", "value", "look"), FORMATS, ids=IDS)
def test_the_same_value_has_one_decoy_in_a_response_and_another_elsewhere(kind: str, value: str, look: str) -> None:
    decoy = decoy_for(PRESS, kind, value)
    assert decoy == decoy_for(PRESS, kind, value)
    elsewhere = [Press(key=KEY, tag=PRESS.tag + 1), Press(key=OTHER_KEY, tag=PRESS.tag)]
    others = {decoy_for(press, kind, value) for press in elsewhere} | {decoy_for(PRESS, kind, value + "\n")}
    assert decoy not in others
    assert len(others) == 3


@pytest.mark.parametrize(("kind", "value", "look"), FORMATS, ids=IDS)
def test_no_stretch_of_the_value_stands_in_its_decoy(kind: str, value: str, look: str) -> None:
    decoy = decoy_for(PRESS, kind, value) or ""
    # What vendors and formats begin with is no part of the secret.
    secret = re.sub(
        r"^(?:jdbc:mysql://|A[KS]IA|gh._|npm_|xox.-|[sr]k_\w{4}_|glpat-|dop_v1_|postgres://|eyJhbGciOiJ)|(?:\.eyJ)|-----[A-Z ]+-----|(?:Server|User Id|Password)=",
        " ",
        value,
    )
    pieces = {word[start : start + 6] for word in secret.split() for start in range(max(1, len(word) - 5))}
    assert not [piece for piece in pieces if len(piece) == 6 and piece in decoy]


@pytest.mark.parametrize("kind", ["card", "phone", "ssn", "ip", "password-hash", "signed-url", "employee-id"])
def test_a_type_without_a_unique_format_keeps_its_label(kind: str) -> None:
    assert kind not in FORMS
    assert Writing(masks=("all-decoy", f"{kind}-decoy"), press=PRESS).text(kind, "4111 1111") == f"[REDACTED:{kind}]"


@pytest.mark.parametrize("value", ["https://hooks.example.org/services/T0/B0/x", "", PEM.replace("\n", " ")])
def test_a_value_that_no_form_fits_keeps_its_label(value: str) -> None:
    kind = "private-key" if "KEY" in value else "secret"
    assert Writing(masks=("all-decoy",), press=PRESS).text(kind, value) == f"[REDACTED:{kind}]"


# -- the checks that vendors' own tools make


def test_a_github_token_has_the_checksum_of_one() -> None:
    token = decoy_for(PRESS, "secret", GITHUB) or ""
    number, checksum = zlib.crc32(token[4:34].encode()), 0
    for character in token[34:]:
        checksum = checksum * 62 + "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".index(character)
    assert checksum == number


@given(tag=st.integers(0, TAGS - 1))
def test_an_access_keys_id_tells_an_account_of_twelve_digits(tag: int) -> None:
    """As security tools read it: the 40 bits behind the first of the decoded id."""
    id_ = decoy_for(Press(key=KEY, tag=tag), "aws-access-key", "AKIAQ3EGRIRO7ABCDEFG") or ""
    decoded = base64.b32decode(id_[4:])
    assert (int.from_bytes(decoded[:6], "big") & 0x7FFFFFFFFF80) >> 7 < 10**12


def test_an_iban_has_its_check_digits() -> None:
    assert checksums.mod_97(decoy_for(PRESS, "iban", "DE89370400440532013000") or "")


def test_a_private_key_loads_and_a_web_token_decodes() -> None:
    assert load_pem_private_key((decoy_for(PRESS, "private-key", PEM) or "").encode(), password=None)
    head, body, signature = (decoy_for(PRESS, "jwt", SIGNED) or "").split(".")
    assert json.loads(base64.urlsafe_b64decode(head + "=="))["alg"] == "HS256"
    assert json.loads(base64.urlsafe_b64decode(body + "=="))["sub"] == "app"
    assert len(binascii.a2b_base64(signature.replace("-", "+").replace("_", "/") + "=")) == 32


def test_a_keys_lines_are_broken_as_they_were() -> None:
    assert "\n" not in (decoy_for(PRESS, "private-key", PEM.replace("\n", "\\n")) or "\n")


def test_a_bundle_of_secrets_stays_a_json_object() -> None:
    decoy = decoy_for(PRESS, "secret", '{"username":"ada","password":"s3cret","host":"10.0.0.7"}') or ""
    assert json.loads(decoy).keys() == {"username", "password"}
    assert [found.tag for found in in_value(KEY, json.loads(decoy)["password"])] == [PRESS.tag]
    assert decoy_for(PRESS, "secret", "{not json}") != decoy


# -- what a tag's proof is worth


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@given(tag=st.integers(0, TAGS - 1), value=st.text(max_size=40))
def test_a_tag_comes_back_out_of_every_shape(shape: Shape, tag: int, value: str) -> None:
    core = Press(key=KEY, tag=tag).core(shape, value)
    assert len(core) == shape.length
    assert tag_in(KEY, shape, core.encode("latin-1")) == tag


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@given(place=st.integers(0, 63), step=st.integers(1, 255))
def test_with_one_character_changed_it_is_no_decoy(shape: Shape, place: int, step: int) -> None:
    core = PRESS.core(shape, "value")
    place %= shape.length
    changed = shape.alphabet[(shape.alphabet.index(core[place]) + 1 + step % (shape.base - 1)) % shape.base]
    if changed != core[place]:
        assert tag_in(KEY, shape, (core[:place] + changed + core[place + 1 :]).encode("latin-1")) is None


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_chance_makes_no_decoys(shape: Shape) -> None:
    """2^-30 for an access key's id, which also has to be an issued tag; 2^-56 and less for everything else."""
    assert shape.proof_bits >= (30 if shape is decoys.ACCESS_KEY else 56)


@pytest.mark.parametrize("text", [b"", b"\xe9" * 20, b"A" * 20, b"\0" * 16, b"7" * 64, b"AKIA" + b"A" * 16])
def test_other_text_is_none(text: bytes) -> None:
    assert [tag_in(KEY, shape, text) for shape in SHAPES.values()] == [None] * len(SHAPES)


def test_two_decoys_of_one_response_have_nothing_in_common_to_know_them_by() -> None:
    cores = [PRESS.core(decoys.WORD_40, str(number)) for number in range(500)]
    for place in range(decoys.WORD_40.length):
        assert len({core[place] for core in cores}) > 40


# -- what policy asks for


@pytest.mark.parametrize(
    ("masks", "kind", "is_decoy"),
    [
        (("password-decoy",), "password", True),
        (("password-decoy",), "secret", False),
        (("all-decoy",), "secret", True),
        (("all-decoy", "email"), "email", True),
        (("all-decoy", "email-token"), "email", False),
        (("email-decoy", "email-token"), "email", True),
        (("all-token", "all-decoy"), "secret", True),
        (("password",), "password", False),
        ((), "password", False),
    ],
)
def test_decoys_are_written_for_the_types_policy_names(masks: tuple[str, ...], kind: str, is_decoy: bool) -> None:
    written = Writing(masks=masks, token_key=b"t" * 32, press=PRESS).text(kind, "ada@example.org")
    assert bool(list(in_value(KEY, written))) is is_decoy
    assert written.startswith("[REDACTED:") is not is_decoy


def test_without_a_press_there_is_none() -> None:
    assert Writing(masks=("all-decoy",)).text("password", "hunter2") == "[REDACTED:password]"


def test_a_press_does_not_show_its_key() -> None:
    assert "kkkk" not in repr(PRESS)
    assert str(Found("word-20", 7)) == "word-20:7"
