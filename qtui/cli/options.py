"""The options that verbs share: how a variant is loaded, how tokens are chosen, what is free."""

from __future__ import annotations

import argparse
import math
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from qtui.core.duel.conversation import Sampling
from qtui.core.engines import NAMES, engine_kind
from qtui.core.errors import UsageError
from qtui.core.memory.consumers import CONSUMERS, consumer_of, known_engine
from qtui.core.memory.plan import ALL_LAYERS, AUTO, CACHE_TYPES, FlashAttention, LoadMode, LoadPlan
from qtui.core.presets import BUILT_IN as PRESETS
from qtui.core.presets import Preset, apply_preset, named
from qtui.core.text import clean_name, parse_size

BUILT_IN = "built-in"
_ENGINES = ", ".join(consumer.name for consumer in CONSUMERS)


def whole(low: int, high: int = 1 << 31) -> Callable[[str], int]:
    """Return a converter for whole numbers of a range."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"not a whole number: {clean_name(text)}") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"out of range: {value}; from {low} to {high}")
        return value

    return convert


def decimal(low: float, high: float) -> Callable[[str], float]:
    """Return a converter for decimal numbers of a range."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"not a number: {clean_name(text)}") from None
        if not (math.isfinite(value) and low <= value <= high):
            raise argparse.ArgumentTypeError(f"out of range: {clean_name(text)}; from {low:g} to {high:g}")
        return value

    return convert


def size(text: str) -> int:
    """Convert `12GiB`, `12G` (= GiB), `12GB` (10^9)."""
    try:
        return parse_size(text)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"not a size: {clean_name(text)}; such as 12GiB, 12G or 12GB") from None


def sizes(text: str) -> tuple[int, ...]:
    """Convert one size per graphics card, divided by commas; a single 0 is no card."""
    found = tuple(size(part) for part in text.split(","))
    return () if found == (0,) else found


def gpu_layers(text: str) -> int:
    """Convert a number of layers, `all` or `auto`."""
    return {"all": ALL_LAYERS, "auto": AUTO}[text] if text in ("all", "auto") else whole(0, 4096)(text)


def overrides(text: str) -> list[tuple[str, str]]:
    """Convert `REGEX=BUFFER`; the last `=` divides, since an expression may hold one."""
    pattern, found, buffer = text.rpartition("=")
    if not (found and pattern and buffer):
        raise argparse.ArgumentTypeError(f"not REGEX=BUFFER: {clean_name(text)}")
    return [(pattern, buffer)]


def split(text: str) -> tuple[float, ...]:
    """Convert shares per graphics card, divided by commas."""
    return tuple(decimal(0, 1e6)(part) for part in text.split(","))


def adapter(text: str) -> list[tuple[str, float]]:
    """Convert `FILE[:SCALE]`; a file of the whole name wins."""
    path, found, scale = text.rpartition(":")
    if found and path and not Path(text).exists():
        try:
            return [(path, float(scale))]
        except ValueError:
            pass
    return [(text, 1.0)]


def add_force(parser: ArgumentParser) -> None:
    """Add `--force`."""
    parser.add_argument("--force", action="store_true", help="load although there is not enough memory")


def add_plan(parser: ArgumentParser, skip: tuple[str, ...] = (), *, runs: bool = True) -> None:
    """Add the plan options, named as llama.cpp names them.

    `runs`: the verb loads the model; one that only weighs it takes the engines of other programs too.
    """
    group = parser.add_argument_group("plan", "how the model is loaded; named as llama.cpp names them")

    def add(name: str, **how: object) -> None:
        if name not in skip:
            group.add_argument(f"--{name}", default=None, **how)  # type: ignore[arg-type]

    count = whole(0, 1 << 24)
    modes = [mode.value for mode in LoadMode]
    attention = [value.value for value in FlashAttention]
    add("ctx-size", metavar="N", type=count, help="tokens of context (default: min(8192, what it was trained to))")
    add("n-gpu-layers", metavar="N|all|auto", type=gpu_layers, help="layers in GPU memory (default: auto)")
    add("load-mode", choices=modes, help="how weights are brought into memory (default: auto)")
    add("cache-type-k", choices=CACHE_TYPES, metavar="T", help="type of the K cache (default: f16)")
    add("cache-type-v", choices=CACHE_TYPES, metavar="T", help="type of the V cache (default: f16)")
    add("flash-attn", choices=attention, help="flash attention (default: auto)")
    add("threads", metavar="N", type=whole(1, 1024), help="threads while generating (default: physical cores)")
    add(
        "threads-batch", metavar="N", type=whole(1, 1024), help="threads while reading a prompt (default: as --threads)"
    )
    add("batch-size", metavar="N", type=whole(1, 1 << 20), help="tokens of a logical batch (default: 2048)")
    add("ubatch-size", metavar="N", type=whole(1, 1 << 20), help="tokens of a physical batch (default: 512)")
    add("n-cpu-moe", metavar="N", type=whole(0, 4096), help="layers whose experts stay on the CPU")
    add("cpu-moe", action="store_true", help="all experts stay on the CPU")
    add(
        "override-tensor", metavar="REGEX=BUFFER", type=overrides, action="extend",
        help="put tensors whose name matches into this buffer type (repeatable)",
    )  # fmt: skip
    add("tensor-split", metavar="A,B", type=split, help="shares of the model per GPU")
    add("main-gpu", metavar="N", type=whole(0, 15), help="the GPU for what is not split (default: 0)")
    add("lora", metavar="FILE[:SCALE]", type=adapter, action="extend", help="apply an adapter (repeatable)")
    add("no-kv-offload", action="store_true", help="keep the KV cache in RAM")
    add("swa-full", action="store_true", help="keep a full-size cache for sliding-window layers")
    add("parallel", metavar="N", type=whole(1, 256), help="slots that share the context (default: 1)")
    add("mmproj", metavar="FILE", help="the projector that lets it see or hear; llama-server takes it")
    add("preset", metavar="NAME", help="begin with a preset of qtui preset list; options go over it")
    add("extra", metavar="TEXT", help="further options for llama-server, as they are; other engines ignore them")
    engines = NAMES if runs else f"{_ENGINES}, or the path of one"
    add("engine", metavar="NAME", help=f"what runs the model: {engines}")


def given_options(options: Namespace) -> dict[str, Any]:
    """Return the plan options that were given, as LoadPlan holds them; `--preset` is none of them."""
    given: dict[str, Any] = {}
    for field in fields(LoadPlan):
        value = getattr(options, field.name, None)
        if value is not None and field.name != "preset":
            given[field.name] = tuple(value) if isinstance(value, list) else value
    for name, kind in (("load_mode", LoadMode), ("flash_attn", FlashAttention)):
        if name in given:
            given[name] = kind(given[name])
    return given


def plan_of(options: Namespace, *, runs: bool = True, presets: Sequence[Preset] = PRESETS) -> LoadPlan:
    """Return the plan that the options describe; what they leave open is as the engine does it.

    `runs`: a model is loaded by it; only weighed, it may be another program's. `presets`: what `--preset` may name.

    Raises:
        UsageError: an option that no llama.cpp accepts, or an engine or a preset that there is not.
    """
    engine = getattr(options, "engine", None) or BUILT_IN
    if runs:
        engine_kind(engine)
    elif not known_engine(engine):
        raise UsageError(f"there is no engine {clean_name(engine)}", f"--engine takes {_ENGINES}, or a path")
    given = given_options(options)
    # The context is left open too, until what the model was trained to is known.
    defaults = LoadPlan() if runs else consumer_of(engine).defaults()
    plan = replace(defaults, ctx_size=0, flash_attn=FlashAttention.AUTO, engine=engine)
    if name := getattr(options, "preset", None):
        plan = apply_preset(plan, named(name, presets))
        given |= {"preset": ""} if given else {}
    chosen: LoadPlan = replace(plan, **given)
    chosen.check()
    return chosen


def add_sampling(parser: ArgumentParser, default: Sampling) -> None:
    """Add the sampling options; `default` is what the verb uses when none is given."""
    group = parser.add_argument_group("sampling", "how tokens are chosen")
    seed = "drawn anew" if default.seed is None else str(default.seed)

    def add(name: str, metavar: str, kind: Callable[[str], object], text: str) -> None:
        group.add_argument(f"--{name}", metavar=metavar, type=kind, default=None, help=text)

    group.add_argument("--system", metavar="TEXT", default="", help="the system prompt")
    add("temperature", "T", decimal(0, 100), f"0: always the likeliest token (default: {default.temperature:g})")
    add("top-k", "N", whole(0, 1 << 20), f"the N likeliest tokens; 0: all (default: {default.top_k})")
    add("top-p", "P", decimal(0, 1), f"the likeliest tokens that make P together (default: {default.top_p:g})")
    add("min-p", "P", decimal(0, 1), f"tokens at least P times as likely as the first (default: {default.min_p:g})")
    add("repeat-penalty", "X", decimal(0.01, 100), f"1: none (default: {default.repeat_penalty:g})")
    add("seed", "N", whole(0, (1 << 32) - 1), f"(default: {seed})")
    add("max-tokens", "N", whole(1), "end the answer after N tokens (default: when the model ends it)")
    group.add_argument(
        "--stop", metavar="TEXT", action="append", default=[], help="end the answer before this text (repeatable)"
    )


def sampling_of(options: Namespace, default: Sampling) -> Sampling:
    """Return the sampling that the options describe, over the verb's default."""
    names = ("temperature", "top_k", "top_p", "min_p", "repeat_penalty", "seed", "max_tokens")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if any(not text for text in options.stop):
        raise UsageError("--stop with an empty text would end every answer at once", "leave it out")
    return replace(default, **given, stop=tuple(options.stop))


def add_simulated(parser: ArgumentParser) -> None:
    """Add `--ram` and `--vram`."""
    group = parser.add_argument_group("simulated", "what if; the answer says so")
    group.add_argument("--ram", metavar="SIZE", type=size, help="as if this much RAM were free")
    group.add_argument(
        "--vram", metavar="SIZE[,SIZE]", type=sizes,
        help="as if this much were free on each GPU, and so many were there; 0: none",
    )  # fmt: skip
