"""What policy asks to mask besides the rule: secrets named once more, private types, words nobody knows."""

from __future__ import annotations

import pytest

from gateway.masking.content import Wanted
from gateway.masking.recorded import mask_text

TOKEN = "ghp_R4nD0mL00k1ngT0k3nF0rTh3D3m00000abcd"  # made up, in a shape detectors know


@pytest.mark.parametrize("masks", [(), ("secret",), ("unheard-of",), ("email",), ("email", "secret")])
def test_secrets_are_masked_whatever_policy_names_besides(masks: tuple[str, ...]) -> None:
    masked = mask_text(f'{{"token": "{TOKEN}"}}', wanted=Wanted(masks=masks))
    assert TOKEN not in masked.text


@pytest.mark.parametrize(("masks", "is_masked"), [((), False), (("secret",), False), (("email",), True)])
def test_private_types_are_masked_exactly_when_policy_names_them(masks: tuple[str, ...], is_masked: bool) -> None:
    masked = mask_text('{"to": "ada.byron@example.com"}', wanted=Wanted(masks=masks))
    assert ("ada.byron@example.com" not in masked.text) is is_masked
