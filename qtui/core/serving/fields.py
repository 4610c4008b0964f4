"""Fields of a request's body, read one by one: the right type, within limits, or an error that names the field."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from qtui.core.serving.refusal import bad
from qtui.core.text import clean_name

LONGEST_BODY = 4 << 20
"""Bytes."""


def body_of(data: bytes) -> dict[str, Any]:
    """Return the JSON object that a body holds.

    Raises:
        RefusedError: it is not one.
    """
    try:
        body = json.loads(data.decode("utf-8"), parse_constant=_no_number)
    except UnicodeDecodeError:
        raise bad("the body is not UTF-8") from None
    except RecursionError:
        raise bad("the body is nested too deeply") from None
    except ValueError as error:
        raise bad(f"the body is not JSON: {clean_name(str(error))}") from None
    if not isinstance(body, dict):
        raise bad("the body is not a JSON object")
    return body


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def flag(body: Mapping[str, Any], name: str, default: bool = False) -> bool:
    """Return a field that is true or false; null is as if it were not there.

    Raises:
        RefusedError: it is something else.
    """
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise bad(f"{name} must be true or false", name)
    return value


def decimal(body: Mapping[str, Any], name: str, low: float, high: float) -> float | None:
    """Return a number of a range, None where it is not there or null.

    Raises:
        RefusedError: it is something else, or out of range.
    """
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad(f"{name} must be a number", name)
    if not low <= value <= high or not math.isfinite(value):
        raise bad(f"{name} must be from {low:.12g} to {high:.12g}", name)
    return float(value)


def whole(body: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    """Return a whole number of a range, None where it is not there or null.

    Raises:
        RefusedError: it is something else, or out of range.
    """
    value = decimal(body, name, low, high)
    if value is not None and value != int(value):
        raise bad(f"{name} must be a whole number", name)
    return None if value is None else int(value)


def text(value: object, name: str) -> str:
    """Return a text as Unicode has it: half a surrogate pair becomes U+FFFD, as browsers write it.

    Raises:
        RefusedError: it is something else.
    """
    if not isinstance(value, str):
        raise bad(f"{name} must be a text", name)
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def neutral(value: object) -> bool:
    """Tell whether a value asks for nothing: null, false, 0, an empty text, list or object."""
    return value is None or value is False or value in (0, "", [], {})
