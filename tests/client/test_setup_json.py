"""Changes to JSON files leave every other byte alone, and taking one back leaves the text that was there."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.client.setup_json import NotJson, find, parse, with_item, with_item_replaced, with_member, without_part

COMMENTED = """// my settings
{
    "theme": "dark", // not light
    "hooks": {
        /* mine, do not touch */
        "stop": [
            {"command": "say done"}, // loud
        ],
    },
    "last": [1, 2.50, 1e3] // end
}
"""


def test_comments_order_and_spacing_stay_as_they_were() -> None:
    changed = with_item(COMMENTED, ("hooks", "stop"), {"command": "hoopweb hook cursor"})
    assert [line for line in COMMENTED.splitlines() if line not in changed.splitlines()] == []
    assert find(changed, ("hooks", "stop")).value == [  # type: ignore[union-attr]
        {"command": "say done"},
        {"command": "hoopweb hook cursor"},
    ]


def test_a_comment_about_the_last_member_stays_behind_it() -> None:
    changed = with_member(COMMENTED, (), "version", 1)
    assert '"last": [1, 2.50, 1e3], // end\n    "version": 1\n}\n' in changed


@pytest.mark.parametrize("text", ["{}", "{}\n", "{ }", '{"a": 1}', '{"a": {}}\r\n', '{\r\n\t"a": []\r\n}', "{ // x\n}"])
def test_a_member_is_added_in_the_files_own_line_ends(text: str) -> None:
    changed = with_member(text, (), "hooks", {"b": [1]})
    assert parse(changed).value == parse(text).value | {"hooks": {"b": [1]}}
    assert ("\r\n" in changed) == ("\r\n" in text)
    assert changed.count("\n") == changed.count("\r\n") or "\r\n" not in text


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), _VALUES, max_size=4), st.sampled_from([None, 2, "\t"]), _VALUES)
def test_a_member_put_in_and_taken_out_again_changes_nothing(
    held: dict[str, object], indent: int | str | None, value: object
) -> None:
    held.pop("hooks", None)
    text = json.dumps(held, indent=indent)
    changed = with_member(text, (), "hooks", value)
    assert parse(changed).value == held | {"hooks": value}
    back = without_part(changed, (), len(held))
    assert parse(back).value == held
    assert "".join(back.split()) == "".join(text.split())


@given(st.lists(_VALUES, max_size=4), st.integers(0, 4), st.sampled_from([None, 2]))
def test_any_item_can_be_taken_out(items: list[object], index: int, indent: int | None) -> None:
    text = json.dumps({"list": items}, indent=indent)
    if index < len(items):
        assert parse(without_part(text, ("list",), index)).value == {"list": items[:index] + items[index + 1 :]}
        assert parse(with_item_replaced(text, ("list",), index, "new")).value == {
            "list": [*items[:index], "new", *items[index + 1 :]]
        }


def test_an_item_before_a_last_comma_is_taken_out_with_it() -> None:
    assert parse(without_part(COMMENTED, ("hooks", "stop"), 0)).value["hooks"] == {"stop": []}
    assert "// loud" in without_part(COMMENTED, ("hooks", "stop"), 0)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("{", 1),
        ('{\n "a": 1\n "b": 2\n}', 3),
        ('{\n "a": \n}', 3),
        ("{\n a: 1}", 2),
        ('{"a": 1}\nmore', 2),
        ("[1]", 1),
        ('{"a": "x\ny"}', 1),
        ('{"a": 1,\n"a": 2}', 2),
        ('{"a": tru}', 1),
        ('{"a" 1}', 1),
        ('{"a": [1}', 1),
        ("[" * 100_000, 1),
        ('{"a": 01}', 1),
        ("{\n/* open", 2),
    ],
)
def test_what_is_not_json_is_told_with_its_line(text: str, line: int) -> None:
    with pytest.raises(NotJson) as refused:
        parse(text)
    assert refused.value.line == line
