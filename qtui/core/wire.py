"""JSON lines between qtui and its children: one object a line, `{"v": 1, "type": NAME, …fields}`.

Both ends use this module, so that a message is described once, as a frozen dataclass. A reader ignores fields it does
not know, and a line it cannot read is None: a library that prints to the wrong descriptor must not end a session.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from typing import Any

from qtui.core.text import clean

VERSION = 1


def encode(message: object) -> str:
    """Return one line, newline included, for a dataclass instance."""
    assert dataclasses.is_dataclass(message) and not isinstance(message, type)
    body = {"v": VERSION, "type": type(message).__name__, **dataclasses.asdict(message)}
    return json.dumps(body, ensure_ascii=True, separators=(",", ":"), allow_nan=False, default=str) + "\n"


def decode(line: str | bytes, kinds: Iterable[type]) -> Any | None:
    """Return the message that a line holds, or None when it is none of these kinds or cannot be read."""
    try:
        body = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or body.get("v") != VERSION:
        return None
    for kind in kinds:
        if kind.__name__ == body.get("type"):
            try:
                return _build(kind, body)
            except (TypeError, ValueError, KeyError, OverflowError):
                return None
    return None


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _build(kind: Any, value: Any) -> Any:
    """Rebuild a value of type `kind` from JSON: dataclasses, tuples, optional and enum fields."""
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return _build(next(a for a in typing.get_args(kind) if a is not type(None)), value)
    if origin is tuple:
        arguments = typing.get_args(kind)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_build(arguments[0], item) for item in value)
        return tuple(_build(a, item) for a, item in zip(arguments, value, strict=True))
    if dataclasses.is_dataclass(kind):
        hints = _hints(kind)  # type: ignore[arg-type]
        names = {f.name for f in dataclasses.fields(kind)}
        return kind(**{key: _build(hints[key], item) for key, item in value.items() if key in names})  # type: ignore[operator]
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    if kind is float and isinstance(value, int):
        return float(value)
    if kind in (str, int, float, bool, dict) or origin is dict:
        wanted = dict if origin is dict else kind
        if not isinstance(value, wanted):
            raise TypeError(f"{wanted.__name__} expected")
    return value


def cleaned(value: Any) -> Any:
    """Return a message in which every text, however deep, passed `core.text.clean`."""
    if isinstance(value, str):
        return value if isinstance(value, StrEnum) else clean(value)
    if isinstance(value, (tuple, list)):
        return type(value)(cleaned(item) for item in value)
    if isinstance(value, dict):
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{f.name: cleaned(getattr(value, f.name)) for f in dataclasses.fields(value)})
    return value
