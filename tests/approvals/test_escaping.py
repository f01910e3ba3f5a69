"""What approvers read holds nothing they cannot see."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.escaping import visible, visible_lines


@pytest.mark.parametrize(
    ("hidden", "escape"),
    [
        ("\u202e", r"\u{202e}"),  # right-to-left override: shows gpj.exe as exe.jpg
        ("\u2066", r"\u{2066}"),
        ("\u200f", r"\u{200f}"),
        ("\u061c", r"\u{61c}"),
        ("\u200b", r"\u{200b}"),
        ("\u200d", r"\u{200d}"),
        ("\u2060", r"\u{2060}"),
        ("\ufeff", r"\u{feff}"),
        ("\u00ad", r"\u{ad}"),
        ("\x00", r"\u{0}"),
        ("\x1b", r"\u{1b}"),
        ("\x7f", r"\u{7f}"),
        ("\x85", r"\u{85}"),
        ("\u2028", r"\u{2028}"),
        ("\u00a0", r"\u{a0}"),
        ("\u3164", r"\u{3164}"),
        ("\u2800", r"\u{2800}"),
        ("\ufe0f", r"\u{fe0f}"),
        ("\U000e0041", r"\u{e0041}"),  # tag characters: ASCII that no screen shows
        ("\ud800", r"\u{d800}"),
        ("\ue000", r"\u{e000}"),
    ],
)
def test_a_hidden_character_is_shown_by_its_number(hidden: str, escape: str) -> None:
    assert visible(f"prod{hidden}-db") == f"prod{escape}-db"


@pytest.mark.parametrize("text", ["", "arn:aws:s3:::bucket/key", "Zürich 東京 مرحبا שלום", "a\\b C:\\temp", "{}[]~ "])
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert visible(text) == text


def test_a_line_end_cannot_fake_another_field() -> None:
    assert visible("web\nRegion: eu-central-1") == r"web\u{a}Region: eu-central-1"


def test_lines_keep_their_ends_and_tabs_where_a_text_has_lines() -> None:
    assert visible_lines("one\r\n\ttwo\u202e") == "one\n\ttwo\\u{202e}"


def test_a_lone_carriage_return_cannot_overwrite_its_line() -> None:
    assert visible_lines("safe\rdanger") == r"safe\u{d}danger"


def test_text_that_spells_an_escape_is_told_from_one() -> None:
    assert visible(r"\u{202e}") == r"\u{5c}u{202e}"
    assert visible(r"\u{202e}") != visible("\u202e")


@given(st.text())
def test_nothing_hidden_is_left(text: str) -> None:
    left = {unicodedata.category(character) for character in visible(text)}
    assert not left & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(st.text(), st.text())
def test_different_texts_look_different(one: str, other: str) -> None:
    assert (visible(one) == visible(other)) == (one == other)
