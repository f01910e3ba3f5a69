"""The packs as people meet them: named, titled, described, and saying whom they ask."""

from __future__ import annotations

import pytest

from gateway.engine.annotations import RuleKind
from gateway.policy.packs import STARTING, Pack, pack, pack_names, packs
from gateway.policy.problems import PackUnknown

# The effects the product promises packs for.
PROMISED = {
    "destroys-or-disables-protection",
    "credential-minting",
    "interactive-shells",
    "delegated",
    "iam-escalation",
    "secrets-reads",
    "public-exposure",
    "copies-to-foreign-accounts",
    "evading-defences",
    "bulk-reads",
    "link-levels",
    "tainted-sessions",
}


def test_every_promised_pack_ships() -> None:
    assert set(pack_names()) - {"starter"} == PROMISED


@pytest.mark.parametrize("each", packs(), ids=lambda each: each.name)
def test_a_pack_says_in_plain_words_what_it_is_about(each: Pack) -> None:
    assert each.title.lower().replace(" ", "-") == each.name
    assert len(each.summary) > 60
    assert "//" not in each.summary + each.title


@pytest.mark.parametrize("each", packs(), ids=lambda each: each.name)
def test_a_pack_names_the_approval_rules_its_asks_need(each: Pack) -> None:
    asks = any(rule.kind is RuleKind.ASK for rule in each.rules)
    assert each.approvers == (("platform",) if asks else ())


def test_a_tenant_starts_with_packs_that_ship() -> None:
    assert set(STARTING) <= set(pack_names())
    assert list(STARTING) == sorted(set(STARTING))


@pytest.mark.parametrize("name", ["nothing", "", "../problems", "starter.cedar"])
def test_a_pack_that_does_not_ship_is_unknown(name: str) -> None:
    with pytest.raises(PackUnknown):
        pack(name)
