"""Tokens that services issue with a beginning of their own, as their makers' pages describe them.

Beside `catalogue`, which asks more of a token's surroundings: where a beginning says enough it is believed anywhere.
"""

from __future__ import annotations

import re2

from gateway.masking.catalogue import ByteSpan
from gateway.masking.plausible import entropy, has_filler
from gateway.masking.rules import Check, Rule
from gateway.masking.triggers import Detector

_WORD = "A-Za-z0-9_-"
_ANY_14 = "[A-Za-z0-9]{14}"
# (how a token begins, what follows): a beginning that no ordinary word has.
_BEGINNINGS: tuple[tuple[str, str], ...] = (
    (r"gh[pousr]_", r"[A-Za-z0-9]{36,}"),
    (r"github_pat_", r"[A-Za-z0-9_]{40,}"),
    (r"gl(?:pat|dt|rt|ptt|cbt|ft|soat|agent|oas|imt|ffct)-", rf"[{_WORD}]{{20,}}"),
    (r"xapp-\d-", rf"[{_WORD}]{{40,}}"),
    (r"whsec_", r"[A-Za-z0-9+/=]{24,}"),
    (r"[rs]k_(?:live|test)_", r"[A-Za-z0-9]{16,}"),
    (r"sk-ant-(?:api|admin|sid|oat)\d\d-", rf"[{_WORD}]{{90,}}"),
    (r"SG\.", rf"[{_WORD}]{{16,32}}\.[{_WORD}]{{32,}}"),
    (r"do[opr]_v1_", r"[0-9a-f]{64}"),
    (r"GOCSPX-", rf"[{_WORD}]{{20,}}"),
    (r"1//0", rf"[{_WORD}]{{40,}}"),
    (r"v1\.0-[0-9a-f]{24}-", r"[0-9a-f]{146}"),
    (r"NRAK-", r"[A-Z0-9]{27}"),
    (r"NR(?:II|JS|SP|AA)-", rf"[{_WORD}]{{16,}}"),
    (r"(?:eu|us|ap)\d\dx{1,}", r"[0-9a-f]{30,}(?:NRAL)?"),
    (r"key-", r"[0-9a-f]{32}"),
    (r"shp(?:at|ss|ca|pa|ua)_", r"[0-9a-fA-F]{32}"),
    (r"glsa_", r"[A-Za-z0-9]{32}_[0-9a-fA-F]{8}"),
    (r"glc_", r"[A-Za-z0-9+/=]{32,}"),
    (r"secret_", r"[A-Za-z0-9]{43}"),
    (r"ntn_", r"[A-Za-z0-9]{46}"),
    (r"fig[dou]r?_", rf"[{_WORD}]{{38,}}"),
    (r"pul-", r"[0-9a-f]{40}"),
    (r"pscale_(?:tkn|pw|oauth)_", r"[A-Za-z0-9_.=-]{32,}"),
    (r"fm[12][ar]?_", r"[A-Za-z0-9+/=]{60,}"),
    (r"nf[pcoub]_", r"[A-Za-z0-9]{32,}"),
    (r"rnd_", r"[A-Za-z0-9]{24,}"),
    (r"sb(?:p|p_oauth|_secret)_", rf"[{_WORD}]{{31,}}"),
    (r"sntry[su]_", r"(?:[0-9a-f]{64}|[A-Za-z0-9+/=_]{80,})"),
    (r"dckr_(?:pat|oat)_", rf"[{_WORD}]{{24,}}"),
    (r"AT(?:ATT|BBT|CTT|BB)", rf"[={_WORD}]{{28,}}"),
    (r"HRKU-", rf"[{_WORD}]{{36,}}"),
    (r"[sp]k\.eyJ", rf"[{_WORD}]{{40,200}}\.[{_WORD}]{{20,}}"),
    (r"(?:api|sdk|mob)-[0-9a-f]{8}-", r"[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"),
    (r"dt0[a-z]\d\d\.", r"[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    (r"dp\.(?:pt|st|ct|sa|scim|audit)\.", r"(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,}"),
    (r"hv[sbr]\.", rf"[{_WORD}]{{24,}}"),
    (_ANY_14 + r"\.atlasv1\.", rf"[{_WORD}]{{60,}}"),
    (r"lin_(?:api|oauth)_", r"[A-Za-z0-9]{32,}"),
    (r"gsk_", r"[A-Za-z0-9]{48,}"),
    (r"pplx-", r"[A-Za-z0-9]{40,}"),
    (r"xai-", r"[A-Za-z0-9]{60,}"),
    (r"nvapi-", rf"[{_WORD}]{{50,}}"),
    (r"hf_", r"[A-Za-z0-9]{34,37}"),
    (r"npm_", r"[A-Za-z0-9]{36}"),
    (r"pypi-AgE", rf"[{_WORD}]{{50,}}"),
    (r"rubygems_", r"[0-9a-f]{48}"),
    (r"PMAK-", r"[0-9a-f]{24}-[0-9a-f]{34}"),
    (r"x(?:key|smtp)sib-", r"[0-9a-f]{64}-[A-Za-z0-9]{16}"),
    (r"AGE-SECRET-KEY-(?:PQ-)?1", r"[A-Z0-9]{58,}"),
    (r"tskey-[a-z]{2,10}-", r"[A-Za-z0-9-]{12,}"),
    (r"pat[A-Za-z0-9]{14}\.", r"[0-9a-f]{64}"),
    (r"phc?[cx]_", r"[A-Za-z0-9]{40,}"),
    (r"pcsk_", r"[A-Za-z0-9]{5,8}_?[A-Za-z0-9]{50,}"),
    (r"aio_", r"[A-Za-z0-9]{28}"),
    (r"sq[aup]_", r"[0-9a-f]{40}"),
    (r"rdme_", r"[A-Za-z0-9]{60,}"),
    (r"access_token\$(?:production|sandbox)\$", r"[A-Za-z0-9]{16}\$[0-9a-f]{32}"),
    (r"[01]/\d{16}:", r"[0-9a-f]{32}"),
    (r"SSWS 00", rf"[{_WORD}]{{40}}"),
    (r"cmVmdGtuO", r"[A-Za-z0-9+/=]{50,}"),
    (r"dG9rO", r"[A-Za-z0-9+/]{50,}={0,2}"),
    (r"0\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\.", r"[A-Za-z0-9]{30}:[A-Za-z0-9+/]{22}=="),
    (r"(?:cf|CF)ut_", rf"[{_WORD}]{{40,}}"),
)
# The same inside base64 would be chance, so what stands before them is looked at more strictly.
_IN_BASE64: tuple[tuple[str, str], ...] = (
    (r"EAA[A-Za-z0-9]", r"[A-Za-z0-9]{90,}"),
    (r"A{20,22}", r"[A-Za-z0-9%]{70,}"),
    (r"AKCp", r"[A-Za-z0-9]{60,}"),
    (r"ABSK", r"[A-Za-z0-9+/]{100,}={0,2}"),
    (r"cio", r"[A-Za-z0-9]{32}"),
)
# (what is looked for, the whole token): ones that are told by their ends.
_ENDINGS: tuple[tuple[str, str], ...] = (
    (r"-us\d{1,2}\b", r"[0-9a-f]{32}-us\d{1,2}"),
    (r"AZDO[A-Za-z0-9]{4}", r"[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}"),
    # Azure DevOps issued it without a mark of its own until 2024.
    (r"(?:[Pp]at|PAT)[\"']?[\s:=\"']{1,4}[a-z2-7]{8}", r"[a-z2-7]{52}"),
)
_BOT = rf"\d{{8,10}}:A[{_WORD}]{{34}}"
_DISCORD = rf"[MNO][A-Za-z0-9]{{23,27}}\.[{_WORD}]{{6}}\.[{_WORD}]{{27,}}"


def _is_issued(match: re2._Match[bytes], data: bytes) -> bool:
    """Issued at random: no row of one sign, nothing taken out."""
    value = match.group(1).decode("ascii", "replace")
    return len(set(value[4:])) > 5 and not has_filler(value)


def _is_mixed(match: re2._Match[bytes], data: bytes) -> bool:
    value = match.group(1).decode("ascii", "replace")
    return _is_issued(match, data) and entropy(value) > 3.8 and any(map(str.isdigit, value))


def _known(name: str, token: tuple[str, str], *, before: str, check: Check) -> Rule:
    """One beginning, one rule: a pattern of them all would be too large for RE2 to be quick."""
    begin, rest = token
    return Rule(
        name=name,
        kind="secret",
        # Short, as every one of them is looked for in all text.
        trigger=f"{begin.removeprefix(_ANY_14)}[A-Za-z0-9+/_.-]{{4}}",
        pattern=re2.compile(rf"(?:^|{before})({begin}{rest})(?:$|[^A-Za-z0-9])"),
        check=check,
        behind=96,
        ahead=600,
        is_exact=True,
    )


RULES: tuple[Rule, ...] = (
    *(_known("issued-token", token, before=r"[^A-Za-z0-9]", check=_is_issued) for token in _BEGINNINGS),
    *(_known("token-in-base64", token, before=r"[^A-Za-z0-9+/_=-]", check=_is_mixed) for token in _IN_BASE64),
    *(
        Rule(
            name="issued-token",
            kind="secret",
            trigger=trigger,
            pattern=re2.compile(rf"(?:^|[^A-Za-z0-9])({token})(?:$|[^A-Za-z0-9])"),
            check=_is_issued,
            behind=96,
            ahead=64,
            is_exact=True,
        )
        for trigger, token in _ENDINGS
    ),
    Rule(
        name="bot-token",
        kind="secret",
        trigger=r"\d{8}:A[A-Za-z0-9_-]{8}|[MNO][A-Za-z0-9]{23,27}\.[A-Za-z0-9_-]{6}\.",
        pattern=re2.compile(rf"(?:^|[^A-Za-z0-9_/-]|/bot)({_BOT}|{_DISCORD})(?:$|[^A-Za-z0-9_-])"),
        check=_is_mixed,
        behind=64,
        ahead=96,
        is_exact=True,
    ),
)
DETECTORS: tuple[Detector[ByteSpan], ...] = tuple(rule.detector for rule in RULES)
