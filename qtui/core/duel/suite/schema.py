"""JSON Schema, as much of it as a task needs: the shape of one small answer.

A subset of draft 2020-12, written here because a library for the whole would be the largest part of checking a form:
type, enum, const, properties, required, additionalProperties (true or false), items, minItems, maxItems, uniqueItems,
minimum, maximum, minLength, maxLength. `pattern` is left out on purpose: it would run without a time limit. A schema
with any other keyword is refused when the suite is read, so that nothing is silently not checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtui.core.text import clean_name

DEEPEST = 32
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "integer": (int,),
    "number": (int, float), "null": (type(None),),
}  # fmt: skip
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength")
_BOUNDS = ("minimum", "maximum")
_FLAGS = ("uniqueItems", "additionalProperties")
_KEYWORDS = frozenset(
    ("type", "enum", "const", "properties", "required", "items", "description", "title", *_COUNTS, *_BOUNDS, *_FLAGS)
)


def schema_problem(schema: object, depth: int = 0) -> str:
    """Return why a schema cannot be used, with the keyword; empty when it can."""
    if not isinstance(schema, Mapping):
        return "a schema is a table"
    if depth > DEEPEST:
        return f"the schema is deeper than {DEEPEST}"
    for key, value in schema.items():
        if key not in _KEYWORDS:
            return f"{clean_name(str(key), 40)} is not one of the keywords that are checked"
        problem = _keyword_problem(key, value, depth)
        if problem:
            return f"{key}: {problem}"
    return ""


def _keyword_problem(key: str, value: object, depth: int) -> str:
    if key == "type" and not (isinstance(value, str) and value in _TYPES):
        return f"one of {', '.join(_TYPES)}"
    if key in _COUNTS and not (isinstance(value, int) and value >= 0):
        return "a whole number from 0"
    if key in _BOUNDS and not (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return "a number"
    if key in _FLAGS and not isinstance(value, bool):
        return "true or false"
    if key == "enum" and not (isinstance(value, Sequence) and not isinstance(value, str) and value):
        return "a list"
    if key == "required" and not (isinstance(value, Sequence) and all(isinstance(name, str) for name in value)):
        return "a list of names"
    if key == "items":
        return schema_problem(value, depth + 1)
    if key == "properties":
        if not isinstance(value, Mapping):
            return "a table of schemas"
        return next(filter(None, (schema_problem(part, depth + 1) for part in value.values())), "")
    return ""


def mismatch(value: Any, schema: Mapping[str, Any], place: str = "it") -> str:
    """Return where and how a value does not fit a schema that has no problem; empty when it fits."""
    wanted = schema.get("type")
    if wanted and not _is(value, wanted):
        return f"{place} is not {_article(wanted)}"
    if "const" in schema and not _same(value, schema["const"]):
        return f"{place} is not {clean_name(repr(schema['const']), 60)}"
    if "enum" in schema and not any(_same(value, choice) for choice in schema["enum"]):
        return f"{place} is none of {clean_name(', '.join(map(repr, schema['enum'])), 80)}"
    if isinstance(value, dict):
        return _in_object(value, schema, place)
    if isinstance(value, list):
        return _in_list(value, schema, place)
    if isinstance(value, str):
        return _size(len(value), schema, ("minLength", "maxLength"), f"{place} has {{}} characters")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _size(value, schema, _BOUNDS, f"{place} is {{}}")
    return ""


def _in_object(value: dict[str, Any], schema: Mapping[str, Any], place: str) -> str:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            return f"{place} has no {name}"
    for name, item in value.items():
        shown = clean_name(name, 40)
        if name in properties:
            found = mismatch(item, properties[name], shown)
            if found:
                return found
        elif schema.get("additionalProperties") is False:
            return f"{place} has {shown}, which was not asked for"
    return ""


def _in_list(value: list[Any], schema: Mapping[str, Any], place: str) -> str:
    found = _size(len(value), schema, ("minItems", "maxItems"), f"{place} has {{}} items")
    if found:
        return found
    if schema.get("uniqueItems") and any(_same(a, b) for i, a in enumerate(value[:1000]) for b in value[:i]):
        return f"{place} has an item twice"
    if "items" in schema:
        parts = (mismatch(item, schema["items"], f"item {i}") for i, item in enumerate(value, 1))
        return next(filter(None, parts), "")
    return ""


def _size(value: float, schema: Mapping[str, Any], names: tuple[str, str], told: str) -> str:
    low, high = (schema.get(name) for name in names)
    if low is not None and value < low:
        return f"{told.format(value)}, at least {low} were wanted"
    if high is not None and value > high:
        return f"{told.format(value)}, at most {high} were wanted"
    return ""


def _is(value: Any, wanted: str) -> bool:
    """Tell whether a value is of a JSON type; true and false are no numbers, 2.0 is a whole one."""
    if isinstance(value, bool):
        return wanted == "boolean"
    if wanted == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[wanted])


def _same(one: Any, two: Any) -> bool:
    return isinstance(one, bool) == isinstance(two, bool) and bool(one == two)


def _article(wanted: str) -> str:
    return wanted if wanted == "null" else f"an {wanted}" if wanted[0] in "aio" else f"a {wanted}"
