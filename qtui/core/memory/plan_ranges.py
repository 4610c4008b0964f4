"""What the fields of a plan may be for a file and a machine: steps, ranges in words, and why one has no meaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from qtui.core.memory.plan import CACHE_TYPES, DEFAULT_CTX_SIZE, LoadPlan
from qtui.core.memory.plan_texts import adapter_text
from qtui.core.text import clean_name

QUANTISED = tuple(name for name in CACHE_TYPES if name not in ("f32", "f16", "bf16"))
UNKNOWN_CONTEXT = 1 << 17
"""Stepped to where the file does not say what it was trained to."""
BUILT_IN = "built-in"


@dataclass(frozen=True, slots=True)
class Around:
    """What allowed values depend on: the file and the machine. None: not known."""

    trained_ctx: int | None = None
    layers: int | None = None
    """Of the model's blocks; the output layer counts as one more."""
    physical_cores: int = 1
    logical_cores: int = 1
    gpus: int | None = None
    """Cards that the engine can use."""
    experts: bool | None = None
    """It is a mixture of experts."""
    sliding: bool | None = None
    """It has layers that attend to a sliding window only."""
    buffers: tuple[str, ...] = ()
    """Buffer types of the engine, by llama.cpp's names."""
    adapters: tuple[str, ...] = ()
    """Files that go with the model, those beside it first."""
    projectors: tuple[str, ...] = ()
    """Files that go with the model, the best first."""
    engines: tuple[str, ...] = (BUILT_IN, "llama-server")
    """What may load it."""


Steps = Callable[[Around], Sequence[str]]
Words = Callable[[LoadPlan, Around], str]
Without = Callable[[Around], str]
"""Tells why a field has no meaning here; empty where it has."""


def with_auto(numbers: Sequence[int], stands_for: int) -> list[str]:
    """Return numbers as texts, and `auto` before the one that it stands for: a step from it changes something."""
    steps = [str(number) for number in numbers]
    index = steps.index(str(stands_for)) if str(stands_for) in steps else 0
    return [*steps[:index], "auto", *steps[index:]]


def context_steps(around: Around) -> list[str]:
    """Return the powers of two up to what it was trained to."""
    most = around.trained_ctx or UNKNOWN_CONTEXT
    sizes = [*(1 << power for power in range(9, 25) if 1 << power < most), most]
    return with_auto(sizes, min(DEFAULT_CTX_SIZE, most))


def context_range(plan: LoadPlan, around: Around) -> str:
    """Return how much of what it was trained to."""
    if around.trained_ctx is None:
        return "tokens; what it was trained to is not known"
    if plan.ctx_size > around.trained_ctx:
        return f"more than the {around.trained_ctx} it was trained to"
    if not plan.ctx_size:
        return f"{min(DEFAULT_CTX_SIZE, around.trained_ctx)} of {around.trained_ctx} trained"
    return f"of {around.trained_ctx} trained"


def layer_steps(around: Around) -> list[str]:
    """Return every number of layers, then auto and all."""
    return [*map(str, range((around.layers or 98) + 1)), "auto", "all"]


def layer_range(plan: LoadPlan, around: Around) -> str:
    """Return how many there are."""
    return "auto, all, 0 to " + ("?" if around.layers is None else str(around.layers + 1))


def flash_range(plan: LoadPlan, around: Around) -> str:
    """Return what a quantised V cache leaves."""
    return "on for a quantised V cache" if plan.cache_type_v in QUANTISED else "auto on off"


def thread_steps(around: Around) -> list[str]:
    """Return every number of threads that the CPU runs at once."""
    return with_auto(range(1, max(around.logical_cores, 1) + 1), around.physical_cores)


def thread_range(plan: LoadPlan, around: Around) -> str:
    """Return how many cores there are."""
    return f"of {around.physical_cores} cores ({around.logical_cores} logical)"


def batch_range(plan: LoadPlan, around: Around) -> str:
    """Return the largest batch that is used whole: llama.cpp cuts it down to the context."""
    return _cut(plan.batch_size, _context(plan, around))


def ubatch_range(plan: LoadPlan, around: Around) -> str:
    """Return the largest ubatch that is used whole: llama.cpp cuts it down to batch and context."""
    return _cut(plan.ubatch_size, min(plan.batch_size, _context(plan, around)))


def _cut(value: int, most: int) -> str:
    return f"1 to {most} tokens{'; more is cut to it' if value > most else ''}"


def _context(plan: LoadPlan, around: Around) -> int:
    return plan.ctx_size or min(DEFAULT_CTX_SIZE, around.trained_ctx or DEFAULT_CTX_SIZE)


def expert_steps(around: Around) -> list[str]:
    """Return every number of layers."""
    return ["none", *map(str, range(1, (around.layers or 98) + 1)), "all"]


def expert_range(plan: LoadPlan, around: Around) -> str:
    """Return how many layers there are."""
    return f"none, all, 1 to {'?' if around.layers is None else around.layers}"


def split_steps(around: Around) -> list[str]:
    """Return plain shares of two cards."""
    return ["none", "1,1", "2,1", "3,1", "1,2", "1,3"] if around.gpus == 2 else []


def split_range(plan: LoadPlan, around: Around) -> str:
    """Return for how many cards there must be shares."""
    return f"shares for {around.gpus} GPUs: 3,1" if around.gpus else "shares such as 3,1"


def card_steps(around: Around) -> list[str]:
    """Return the number of every card."""
    return [str(index) for index in range(max(1, around.gpus or 1))]


def card_range(plan: LoadPlan, around: Around) -> str:
    """Return the numbers of the cards."""
    return f"0 to {around.gpus - 1}" if around.gpus else "its number"


def override_range(plan: LoadPlan, around: Around) -> str:
    """Return how it is written, and to where tensors may go."""
    return f"REGEX=BUFFER: {', '.join(around.buffers)}" if around.buffers else "REGEX=BUFFER,…"


def adapter_steps(around: Around) -> list[str]:
    """Return none, each that was found, and all of them together."""
    each = [adapter_text(path) for path in around.adapters]
    return ["none", *each, *([",".join(each)] if len(each) > 1 else [])] if each else []


def adapter_range(plan: LoadPlan, around: Around) -> str:
    """Return what was found."""
    return _found(around.adapters, "FILE:SCALE,…")


def projector_steps(around: Around) -> list[str]:
    """Return none and each that was found."""
    return ["none", *around.projectors] if around.projectors else []


def projector_range(plan: LoadPlan, around: Around) -> str:
    """Return what was found."""
    return _found(around.projectors, "a file")


def engine_range(plan: LoadPlan, around: Around) -> str:
    """Return what may load it; others are typed."""
    return f"{', '.join(short_name(engine) for engine in around.engines)}, PATH or URL"


def short_name(path: str) -> str:
    """Return a path's last part, clean."""
    return clean_name(PurePath(path).name or path, 60)


def _found(paths: Sequence[str], otherwise: str) -> str:
    if not paths:
        return f"none found here: {otherwise}"
    return f"{len(paths)} found: {', '.join(short_name(path) for path in paths)}"


def no_card(around: Around) -> str:
    """Say that there is no card."""
    return "no GPU" if around.gpus == 0 else ""


def no_layers(around: Around) -> str:
    """Say that no layer can lie on a card."""
    return "no GPU: always 0" if around.gpus == 0 else ""


def no_cards(around: Around) -> str:
    """Say that there are not several cards."""
    return no_card(around) or ("one GPU only" if around.gpus == 1 else "")


def no_experts(around: Around) -> str:
    """Say that there are no experts, or no card to keep them off."""
    return "it has no experts" if around.experts is False else no_card(around)


def no_window(around: Around) -> str:
    """Say that no layer has a sliding window."""
    return "no sliding window" if around.sliding is False else ""


def never(around: Around) -> str:
    """Say nothing."""
    return ""


def powers(low: int, high: int) -> Steps:
    """Return powers of two."""
    return lambda around: [str(1 << power) for power in range(low, high + 1)]


def no_steps(around: Around) -> list[str]:
    """Return none."""
    return []


def fixed(values: Sequence[str]) -> Steps:
    """Return the same values everywhere."""
    return lambda around: list(values)


def says(text: str) -> Words:
    """Return the same words everywhere."""
    return lambda plan, around: text
