"""The values of a plan as texts: how they are typed and shown. Readers raise ValueError with what is wanted."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any

from qtui.core.memory.plan import ALL_LAYERS, AUTO, LoadPlan

BY_SIZE = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
"""Cache types, the largest first."""


def _whole(text: str, wanted: str, **words: int) -> int:
    lowered = text.lower()
    if lowered in words:
        return words[lowered]
    match = re.fullmatch(r"(\d{1,9})(k?)", lowered)
    if match is None:
        raise ValueError(wanted)
    return int(match[1]) * (1024 if match[2] else 1)


def read_number(wanted: str, **words: int) -> Callable[[str], tuple[int]]:
    """Return a reader of a whole number, `32k` among them, or of a word that stands for one."""
    return lambda text: (_whole(text, wanted, **words),)


def read_choice(values: Sequence[Any]) -> Callable[[str], tuple[Any]]:
    """Return a reader of one of some words."""

    def read(text: str) -> tuple[Any]:
        found = next((value for value in values if value == text.lower()), None)
        if found is None:
            raise ValueError(f"one of {', '.join(values)}")
        return (found,)

    return read


def read_cache(text: str) -> tuple[str, str]:
    """Read one cache type for both, or two as `K/V`."""
    k, slash, v = text.lower().partition("/")
    wanted = f"one of {', '.join(BY_SIZE)}, or two of them as K/V"
    if k not in BY_SIZE or (slash and v not in BY_SIZE):
        raise ValueError(wanted)
    return (k, v if slash else k)


def read_switch(text: str) -> tuple[bool]:
    """Read `on` or `off`."""
    if text.lower() not in ("on", "off"):
        raise ValueError("on or off")
    return (text.lower() == "on",)


def read_experts(text: str) -> tuple[bool, int]:
    """Read how many layers keep their experts in RAM: (all, count)."""
    count = _whole(text, "none, all, or a number of layers", none=0, all=-1)
    return (count < 0, max(0, count))


def read_shares(text: str) -> tuple[tuple[float, ...]]:
    """Read the shares of several cards."""
    wanted = "shares such as 3,1, or none"
    if text.lower() in ("", "none"):
        return ((),)
    try:
        shares = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(wanted) from None
    if not all(math.isfinite(share) and 0 <= share < 1e6 for share in shares):
        raise ValueError(wanted)
    return (shares,)


def read_overrides(text: str) -> tuple[tuple[tuple[str, str], ...]]:
    """Read pairs of a regular expression and a buffer type."""
    pairs = []
    for part in () if text.lower() in ("", "none") else text.split(","):
        pattern, sign, buffer = part.rpartition("=")
        if not sign or not pattern or not buffer:
            raise ValueError("REGEX=BUFFER, several separated by commas, or none")
        pairs.append((pattern, buffer))
    return (tuple(pairs),)


def read_adapters(text: str) -> tuple[tuple[tuple[str, float], ...]]:
    """Read adapters as llama.cpp's `--lora-scaled` takes them: CSV, where a name is quoted as a field is."""
    if text.lower() in ("", "none"):
        return ((),)
    adapters = []
    wanted = "FILE or FILE:SCALE, several separated by commas, or none"
    try:
        parts = next(csv.reader([text]), [])
    except csv.Error:  # a line break
        raise ValueError(wanted) from None
    for part in parts:
        name, colon, scale = part.rpartition(":")
        try:
            adapters.append((name, float(scale)) if colon and name else (part, 1.0))
        except ValueError:
            adapters.append((part, 1.0))
    if not all(name.strip() and "\0" not in name and math.isfinite(scale) for name, scale in adapters):
        raise ValueError(wanted)
    return (tuple(adapters),)


def read_file(text: str) -> tuple[str]:
    """Read the path of a file."""
    if "\0" in text:
        raise ValueError("the path of a file, or none")
    return ("" if text.lower() == "none" else text,)


def read_extra(text: str) -> tuple[str]:
    """Read options of llama-server as they stand on a command line."""
    return ("" if text.lower() == "none" else text,)


def number_text(value: float) -> str:
    """Return a number as short as it can be read again."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def adapter_text(name: str, scale: float = 1.0) -> str:
    """Return one adapter as `read_adapters` takes it; a name that ends like a scale has one."""
    quoted = '"' + name.replace('"', '""') + '"' if any(sign in name for sign in ',"') else name
    return quoted if scale == 1 and not _ends_in_number(name) else f"{quoted}:{number_text(scale)}"


def adapters_text(plan: LoadPlan) -> str:
    """Return adapters as `read_adapters` takes them."""
    return ",".join(adapter_text(name, scale) for name, scale in plan.lora) or "none"


def short_adapters(plan: LoadPlan) -> str:
    """Return adapters by their files' names, with their scales."""
    return ",".join(adapter_text(PurePath(name).name, scale) for name, scale in plan.lora) or "none"


def _ends_in_number(name: str) -> bool:
    start, colon, end = name.rpartition(":")
    try:
        return bool(colon and start) and math.isfinite(float(end))
    except ValueError:
        return False


def cache_text(plan: LoadPlan) -> str:
    """Return the cache type, or both as `K/V`."""
    k, v = plan.cache_type_k, plan.cache_type_v
    return k if k == v else f"{k}/{v}"


def experts_text(plan: LoadPlan) -> str:
    """Return how many layers keep their experts in RAM."""
    return "all" if plan.cpu_moe else str(plan.n_cpu_moe) if plan.n_cpu_moe else "none"


def auto_text(option: str) -> Callable[[LoadPlan], str]:
    """Return a writer of a number whose 0 is `auto`."""
    return lambda plan: str(getattr(plan, option)) if getattr(plan, option) else "auto"


def plain_text(option: str) -> Callable[[LoadPlan], str]:
    """Return a writer of a number."""
    return lambda plan: str(getattr(plan, option))


def switch_text(option: str) -> Callable[[LoadPlan], str]:
    """Return a writer of a switch."""
    return lambda plan: "on" if getattr(plan, option) else "off"


def layers_text(plan: LoadPlan) -> str:
    """Return the layers on the GPU."""
    return {ALL_LAYERS: "all", AUTO: "auto"}.get(plan.n_gpu_layers, str(plan.n_gpu_layers))
