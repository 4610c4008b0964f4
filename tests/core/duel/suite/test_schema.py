"""The subset of JSON Schema: what fits, what does not and why, and schemas that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from qtui.core.duel.suite.schema import mismatch, schema_problem

PERSON: dict[str, Any] = {
    "type": "object", "required": ["name", "age"], "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3, "uniqueItems": True},
        "kind": {"enum": ["a", 1, None]}, "ok": {"const": True},
    },
}  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        {"name": "Ada", "age": 36},
        {"name": "Ada", "age": 36.0, "tags": ["x", "y"], "kind": None, "ok": True},
    ],
)
def test_what_fits(value: object) -> None:
    assert schema_problem(PERSON) == ""
    assert mismatch(value, PERSON) == ""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "it is not an object"),
        ({"name": "Ada"}, "it has no age"),
        ({"name": "", "age": 1}, "name has 0 characters, at least 1 were wanted"),
        ({"name": "Ada", "age": "36"}, "age is not an integer"),
        ({"name": "Ada", "age": True}, "age is not an integer"),
        ({"name": "Ada", "age": 36.5}, "age is not an integer"),
        ({"name": "Ada", "age": 200}, "age is 200, at most 150 were wanted"),
        ({"name": "Ada", "age": 1, "x": 1}, "it has x, which was not asked for"),
        ({"name": "Ada", "age": 1, "tags": ["a", 1]}, "item 2 is not a string"),
        ({"name": "Ada", "age": 1, "tags": list("abcd")}, "tags has 4 items, at most 3 were wanted"),
        ({"name": "Ada", "age": 1, "tags": ["a", "a"]}, "tags has an item twice"),
        ({"name": "Ada", "age": 1, "kind": True}, "kind is none of 'a', 1, None"),
        ({"name": "Ada", "age": 1, "ok": 1}, "ok is not True"),
    ],
)
def test_what_does_not_fit_is_said(value: object, said: str) -> None:
    assert mismatch(value, PERSON) == said


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"pattern": "a+"}, "pattern is not one of the keywords that are checked"),
        ({"type": "text"}, "type: one of object"),
        ({"properties": {"a": {"minItems": -1}}}, "properties: minItems: a whole number from 0"),
        ({"items": 3}, "items: a schema is a table"),
        ({"minimum": True}, "minimum: a number"),
        ([], "a schema is a table"),
    ],
)
def test_a_schema_that_would_not_be_checked_is_refused(schema: object, said: str) -> None:
    assert schema_problem(schema).startswith(said)


def test_schema_without_end_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(100):
        schema = {"items": schema}
    assert "deeper than" in schema_problem(schema)
