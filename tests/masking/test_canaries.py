"""Fifty kinds of secret are found wherever they stand in a call: as text, in JSON, in DynamoDB's JSON, among other lines."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from gateway.masking.content import ContentScanner
from gateway.masking.recorded import mask_json, mask_text
from tests.masking.canaries import Canary, canaries, fingerprint, traces

FORMS: dict[str, Callable[[str], str]] = {
    "alone": lambda text: text,
    "among lines": lambda text: f"starting up\n{text}\nready\n",
    "in JSON": lambda text: json.dumps({"note": text, "n": 1}),
    "in an item": lambda text: json.dumps({"Item": {"note": {"S": text}}}),
}


def shown(canary: Canary, masked: str) -> bool:
    return any(trace in masked.encode() for trace in traces(canary))


def test_there_are_fifty_kinds_each_with_a_value_of_its_own() -> None:
    drawn = [*canaries(1), *canaries(2)]
    assert len({one.kind for one in drawn}) == 50
    assert len({one.secret for one in drawn}) == 100


@pytest.mark.parametrize("form", FORMS)
def test_each_is_masked(scanner: ContentScanner, form: str) -> None:
    for seed in range(3):
        for canary in canaries(seed):
            text = FORMS[form](canary.text)
            assert shown(canary, text) or form != "alone"
            assert not shown(canary, mask_text(text, scanner=scanner).text), fingerprint(canary)


def test_tokens_inside_names_are_masked(scanner: ContentScanner) -> None:
    """AWS says a name back in its errors, file endings and all."""
    for seed in range(3):
        for canary in canaries(seed):
            if canary.text == canary.secret and canary.kind != "PEM key":
                masked = mask_text(f"The key dumps/{canary.text}.txt does not exist", scanner=scanner).text
                assert not shown(canary, masked), fingerprint(canary)
                named, _counts = mask_json({"Key": f"dumps/{canary.text}.txt", "arn": f"arn:aws:s3:::b/{canary.text}"})
                assert not shown(canary, str(named)), fingerprint(canary)


def test_all_of_them_in_one_text(scanner: ContentScanner) -> None:
    drawn = canaries(7)
    masked = mask_text("\n".join(one.text for one in drawn), scanner=scanner).text
    assert [fingerprint(one) for one in drawn if shown(one, masked)] == []
