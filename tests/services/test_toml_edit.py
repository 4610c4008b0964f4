from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtui.services.toml_edit import KeyPath, changed_table, edited, written

TEXT = """\
# mine
theme = "dark"  # at night

[models]
# the big disk
folders = [
  "/a#b",  # first
  "/c",
]

[keys]
"models.chat" = "enter"
arena.zoom = "z"

[[later]]
theme = "theirs"
[later.margins]
ram = 1
"""


def edit(text: str, path: KeyPath, value: object | None) -> str:
    """Return the edit, which must read as expected."""
    result = edited(text, {path: value})
    assert result is not None
    assert tomllib.loads(result) == changed_table(tomllib.loads(text), path, value)
    return result


def lines_changed(before: str, after: str) -> set[str]:
    return set(after.split("\n")) ^ set(before.split("\n"))


@pytest.mark.parametrize(
    ("path", "value", "changed"),
    [
        (("theme",), "light", {'theme = "dark"  # at night', 'theme = "light"  # at night'}),
        (("theme",), None, {'theme = "dark"  # at night'}),
        (("engine",), "built-in", {'engine = "built-in"'}),
        (("margins", "ram"), "1GiB", {"[margins]", 'ram = "1GiB"'}),
        (("keys", "models.chat"), "c", {'"models.chat" = "enter"', '"models.chat" = "c"'}),
        (("keys", "arena", "zoom"), "y", {'arena.zoom = "z"', 'arena.zoom = "y"'}),
        (("keys", "go.models"), 'a"b', {'"go.models" = "a\\"b"'}),
        (("models", "folders"), ["/x"], {'folders = ["/x"]', "folders = [", '  "/a#b",  # first', '  "/c",', "]"}),
        (("models", "deep", "er"), 1, {"[models.deep]", "er = 1"}),
        (("keys",), None, {"[keys]", '"models.chat" = "enter"', 'arena.zoom = "z"'}),
    ],
)
def test_only_the_lines_of_the_key_change(path: KeyPath, value: object, changed: set[str]) -> None:
    done = lines_changed(TEXT, edit(TEXT, path, value)) - {""}
    assert done == changed or (path[:2] == ("models", "deep") and done == {"deep.er = 1"})


@pytest.mark.parametrize(
    ("text", "path", "value", "result"),
    [
        ("", ("a",), 1, "a = 1\n"),
        ("", ("a", "b"), "x", '[a]\nb = "x"\n'),
        ("a = {b = 1, c = 2} # both\n", ("a", "c"), 3, "a = {b = 1, c = 3} # both\n"),
        ("a.b = 1\n", ("a", "c"), 2, "a.b = 1\na.c = 2\n"),
        ("x = '#'\r\n[t]\r\ny = 1\r\n", ("x",), "#2", 'x = "#2"\r\n[t]\r\ny = 1\r\n'),
        ("a = 1", ("p",), {}, "a = 1\n[p]\n"),
        ("[a.b]\nc = 1\n", ("a", "d"), 2, "[a]\nd = 2\n\n[a.b]\nc = 1\n"),
    ],
)
def test_however_the_file_is_written(text: str, path: KeyPath, value: object, result: str) -> None:
    assert edit(text, path, value) == result


def test_nothing_changes_when_the_value_is_there() -> None:
    assert edited(TEXT, {("theme",): "dark"}) == TEXT
    assert edited(TEXT, {("nothing", "here"): None}) == TEXT


def test_what_lies_in_an_array_of_tables_is_no_edit_of_lines() -> None:
    assert edited("[[a]]\nb = 1\n", {("a", "b"): 2}) is None


keys = st.text(min_size=1, max_size=8)
plain = st.one_of(st.booleans(), st.integers(-(2**40), 2**40), st.text(st.characters(codec="utf-8"), max_size=20))
values = st.one_of(plain, st.lists(plain, max_size=3))


@given(
    st.dictionaries(keys, st.one_of(values, st.dictionaries(keys, values, max_size=3)), max_size=4),
    st.one_of(st.tuples(keys), st.tuples(keys, keys)),
    values,
)
def test_any_key_of_any_file(table: dict[str, Any], path: KeyPath, value: object) -> None:
    text = written(table)
    result = edited(text, {path: value})
    assert result is not None
    assert tomllib.loads(result) == changed_table(tomllib.loads(text), path, value)
    gone = edited(result, {path: None})
    assert gone is not None
    assert tomllib.loads(gone) == changed_table(tomllib.loads(result), path, None)
