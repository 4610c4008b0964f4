"""Plan options as plain values: how a file of the user's writes them, each checked by itself."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from qtui.core.errors import UsageError
from qtui.core.memory.plan import ALL_LAYERS, AUTO, FlashAttention, LoadMode, LoadPlan
from qtui.core.text import clean_name

PlanValue = Any
"""What a field of LoadPlan holds."""
OPTIONS = tuple(field.name for field in fields(LoadPlan) if field.name != "preset")
"""The options that a preset or the settings may name."""
_DEFAULT = LoadPlan()


def flag(option: str) -> str:
    """Return an option as it is written on a command line: `ctx_size` as `--ctx-size`."""
    return f"--{option.replace('_', '-')}"


def option_value(option: str, value: object) -> PlanValue:
    """Return what LoadPlan holds for a plain value of a file.

    Raises:
        ValueError: the option is unknown, or no llama.cpp accepts the value; the message goes behind the name.
    """
    if option not in OPTIONS:
        near = difflib.get_close_matches(option.replace("-", "_"), OPTIONS, 1)
        raise ValueError("is no plan option; it is kept" + (f". Is it meant to be {near[0]}?" if near else ""))
    parsed = _parsed(option, value)
    try:
        replace(_DEFAULT, **{option: parsed}).check()
    except UsageError as error:
        # A quantised V cache is refused only together with another option.
        raise ValueError(f"is {clean_name(str(value), 60)}: {error.hint or error.message}; it is left out") from None
    return parsed


def plain_value(option: str, value: PlanValue) -> object:
    """Return what a file holds for a value of LoadPlan: numbers, texts, lists."""
    return replace(_DEFAULT, **{option: value}).as_json()[option]


def changed_options(plan: LoadPlan) -> tuple[str, ...]:
    """Return the options that differ from the default plan, in its order; `preset` is no option."""
    return tuple(name for name in OPTIONS if getattr(plan, name) != getattr(_DEFAULT, name))


def with_options(plan: LoadPlan, options: Mapping[str, PlanValue]) -> LoadPlan:
    """Return the plan with some options replaced.

    Raises:
        UsageError: the options together are refused; the message names the option.
    """
    changed = replace(plan, **dict(options))
    changed.check()
    return changed


def _parsed(option: str, value: object) -> PlanValue:
    default = getattr(_DEFAULT, option)
    if option == "n_gpu_layers" and value in ("all", "auto"):
        return ALL_LAYERS if value == "all" else AUTO
    if option in ("override_tensor", "lora"):
        return _pairs(option, value)
    if option == "tensor_split":
        return tuple(_number(part) for part in _list(value, "a list of shares"))
    if isinstance(default, LoadMode | FlashAttention):
        kind = type(default)
        if not isinstance(value, str) or value not in list(kind):
            raise _wrong(value, f"one of {', '.join(kind)}")
        return kind(value)
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise _wrong(value, "true or false")
    elif isinstance(default, int):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise _wrong(value, "a whole number" + (", all or auto" if option == "n_gpu_layers" else ""))
    elif not isinstance(value, str) or "\0" in value:
        raise _wrong(value, "a text")
    return value


def _pairs(option: str, value: object) -> tuple[tuple[str, Any], ...]:
    second = float if option == "lora" else str
    wanted = '[["FILE", SCALE], …]' if option == "lora" else '[["REGEX", "BUFFER"], …]'
    pairs: list[tuple[str, Any]] = []
    for part in _list(value, wanted):
        pair = [part, 1.0] if option == "lora" and isinstance(part, str) else part
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str) or "\0" in pair[0]:
            raise _wrong(value, wanted)
        if second is str and not isinstance(pair[1], str):
            raise _wrong(value, wanted)
        pairs.append((pair[0], _number(pair[1]) if second is float else pair[1]))
    return tuple(pairs)


def _list(value: object, wanted: str) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong(value, wanted)
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e6:
        raise _wrong(value, "a number")
    return float(value)


def _wrong(value: object, wanted: str) -> ValueError:
    return ValueError(f"is {clean_name(repr(value), 60)}, not {wanted}; it is left out")
