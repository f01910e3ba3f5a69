"""Private values of every type in everyday settings, between lines that only look alike: what `bench.quality` scores.

Values come from Faker and phonenumbers, so from other hands than the detectors; wrapping them is `bench.wrapping`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import phonenumbers
from faker import Faker
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from gateway.masking.quality import Labelled

Draw = Callable[[Faker, Random], str]

LOCALES = ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pt_BR", "sv_SE", "pl_PL", "en_IN", "ja_JP")
CARDS = ("visa13", "visa16", "visa19", "mastercard", "amex", "discover", "diners", "jcb15", "jcb16", "maestro")
_WRITTEN = (
    PhoneNumberFormat.E164,
    PhoneNumberFormat.INTERNATIONAL,
    PhoneNumberFormat.NATIONAL,
    PhoneNumberFormat.RFC3966,
)


def _card(faker: Faker, random: Random) -> str:
    number = faker.credit_card_number(random.choice(CARDS))
    sign = random.choice(("", "", " ", "-"))
    if sign and len(number) == 16:
        return sign.join(number[place : place + 4] for place in range(0, 16, 4))
    return f"{number[:4]}{sign}{number[4:10]}{sign}{number[10:]}" if len(number) == 15 else number


def _iban(faker: Faker, random: Random) -> str:
    number = faker.iban()
    return (
        " ".join(number[place : place + 4] for place in range(0, len(number), 4)) if random.random() < 0.4 else number
    )


def _phone(faker: Faker, random: Random) -> str:
    if random.random() < 0.4:
        return str(Faker("en_US").phone_number()) if random.random() < 0.02 else str(faker.phone_number())
    kind = random.choice((PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE))
    number = None
    while number is None:
        number = phonenumbers.example_number_for_type(random.choice(sorted(phonenumbers.SUPPORTED_REGIONS)), kind)
    return phonenumbers.format_number(number, random.choice(_WRITTEN)).removeprefix("tel:")


def _mac(faker: Faker, random: Random) -> str:
    address = faker.mac_address()
    return random.choice((address, address.upper(), address.replace(":", "-").upper()))


# How each type is drawn, and with which locales.
TYPES: dict[str, tuple[tuple[str, ...], Draw]] = {
    "card": (("en_US",), _card),
    "email": (LOCALES, lambda faker, _: str(faker.email())),
    "iban": (("en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL"), _iban),
    "ipv4": (("en_US",), lambda faker, _: str(faker.ipv4())),
    "ipv6": (("en_US",), lambda faker, random: str(faker.ipv6())),
    "ssn": (("en_US",), lambda faker, _: str(faker.ssn())),
    "itin": (("en_US",), lambda faker, _: str(faker.itin())),
    "mac": (("en_US",), _mac),
    "phone": (LOCALES, _phone),
}

LABELS = {
    "card": "card number",
    "email": "email",
    "iban": "account",
    "ipv4": "client",
    "ipv6": "client",
    "ssn": "ssn",
    "itin": "tax id",
    "mac": "device",
    "phone": "phone",
}
SETTINGS = (
    "Please use {value} for the customer.\n",
    "{label}: {value}\n",
    '{{"id": 7, "{label}": "{value}", "active": true}}\n',
    "17,Ada Byron,{value},2026-03-04,open\n",
    "<row><{tag}>{value}</{tag}></row>\n",
    "2026-03-04T05:06:07.891Z INFO user updated {tag}={value} in 12ms\n",
    "the {label} we have is {value}.\n",
    "({value})\n",
    "| Ada | {value} | yes |\n",
    "{tag}='{value}';\n",
)


def _look_alikes(random: Random) -> tuple[str, ...]:
    return (
        f"2026-0{random.randint(1, 9)}-1{random.randint(0, 9)}T10:{random.randint(10, 59)}:07.{random.randint(100, 999)}Z INFO took {random.random():.6f}s\n",
        f"release v{random.randint(1, 9)}.{random.randint(0, 20)}.{random.randint(0, 20)}.{random.randint(0, 9)} of build {random.randint(10**5, 10**6)}\n",
        f"order {random.randint(10**9, 10**10)} has {random.randint(1, 99)} items at {random.randint(1, 999)}.{random.randint(10, 99)} EUR\n",
        f"epoch {random.randint(1_600_000_000, 1_800_000_000)} epoch_ms={random.randint(1_600_000_000_000, 1_800_000_000_000)}\n",
        f"sha256:{random.getrandbits(256):064x}\n",
        f"id {random.getrandbits(32):08x}-{random.getrandbits(16):04x}-4{random.getrandbits(12):03x}-a{random.getrandbits(12):03x}-{random.getrandbits(48):012x}\n",
        f"arn:aws:iam::{random.randint(10**11, 10**12 - 1)}:role/deploy\n",
        f"lat {random.uniform(-90, 90):.7f}, lon {random.uniform(-180, 180):.7f}\n",
        f"npm install lodash@4.17.{random.randint(0, 30)} left-pad@1.3.0\n",
        "git clone git@github.com:acme/site.git\n",
        f"ISBN 978-3-16-14{random.randint(1000, 9999)}-0, pages 120-134\n",
        f"range 2{random.randint(100, 999)}-2{random.randint(100, 999)}, port 8443, pid {random.randint(100, 99999)}\n",
        f"OID 1.3.6.1.4.1.{random.randint(1, 9999)}.1.2\n",
        f"std::vector<int> v; a::b::c(x); 12:34:56 up {random.randint(1, 99)} days\n",
        f"ami-0{random.getrandbits(64):016x} eni-0{random.getrandbits(64):016x} i-0{random.getrandbits(64):016x}\n",
        f"sku {random.randint(100, 999)}-{random.randint(1000, 9999)} part {random.randint(10, 99)}-{random.randint(100, 999)}\n",
        f"0x{random.getrandbits(32):08x} ratio 1:{random.randint(2, 9)} 50% of {random.randint(10**6, 10**7)} rows\n",
    )


def private_values(*, seed: int, each: int = 1000) -> Iterator[Labelled]:
    """`each` texts of every type, with three look-alike lines around the value; the same for the same seed."""
    random = Random(seed)  # measuring, not key making
    for kind, (locales, draw) in TYPES.items():
        fakers = [Faker(locale) for locale in locales]
        for place, faker in enumerate(fakers):
            faker.seed_instance(seed + place)
        for place in range(each):
            value = draw(random.choice(fakers), random)
            label = LABELS[kind]
            line = SETTINGS[place % len(SETTINGS)].format(value="\0", label=label, tag=label.replace(" ", "_"))
            before, between, after = random.sample(_look_alikes(random), 3)
            text = before + between + line + after
            start = text.index("\0")
            spans = ((start, start + len(value), kind),)
            yield Labelled(text=text.replace("\0", value), spans=spans, source=f"private {kind}")
