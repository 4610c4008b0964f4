"""The fields of a plan as a user meets them: a name, a value in words, what it may be for this file and machine.

A value is a text here (`auto`, `16384`, `q8_0`), the same that is shown, typed, and stepped through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qtui.core.errors import UsageError
from qtui.core.memory.options import flag
from qtui.core.memory.plan import ALL_LAYERS, AUTO, CACHE_TYPES, DEFAULT_CTX_SIZE, FlashAttention, LoadMode, LoadPlan
from qtui.core.memory.plan_texts import (
    BY_SIZE,
    adapters_text,
    auto_text,
    cache_text,
    experts_text,
    layers_text,
    number_text,
    plain_text,
    read_adapters,
    read_cache,
    read_choice,
    read_experts,
    read_extra,
    read_file,
    read_number,
    read_overrides,
    read_shares,
    read_switch,
    switch_text,
)

QUANTISED = tuple(name for name in CACHE_TYPES if name not in ("f32", "f16", "bf16"))
UNKNOWN_CONTEXT = 1 << 17
"""Stepped to where the file does not say what it was trained to."""


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


@dataclass(frozen=True, slots=True)
class PlanField:
    """One field. It may set several options of the plan at once."""

    id: str
    label: str
    options: tuple[str, ...]
    """What it sets, by LoadPlan's names."""
    about: str
    """One sentence."""
    read: Callable[[str], tuple[Any, ...]]
    """From a text to the values of the options; raises ValueError with what is wanted."""
    write: Callable[[LoadPlan], str]
    steps: Callable[[Around], Sequence[str]]
    """What left and right step through; none for a text."""
    allowed: Callable[[LoadPlan, Around], str]
    more: bool = False
    """One of those that are folded away."""

    @property
    def numeric(self) -> bool:
        """Tell whether typing a digit begins a value."""
        return any(step.isdigit() for step in self.steps(Around()))

    @property
    def help(self) -> str:
        """Return llama.cpp's names for it, and what it does."""
        return f"{', '.join(flag(option) for option in self.options)}: {self.about}"

    def put(self, plan: LoadPlan, text: str) -> LoadPlan:
        """Return the plan with this field set; what llama.cpp refuses only together with others is not refused here.

        Raises:
            UsageError: it is no value of this field; the hint says what is.
        """
        try:
            values = dict(zip(self.options, self.read(text.strip()), strict=True))
            replace(LoadPlan(), **values).check()
        except ValueError as error:
            raise UsageError(f"{self.label}: {text.strip()[:60] or 'nothing'} is not {error}") from None
        return replace(plan, preset="", **values)

    def step(self, plan: LoadPlan, direction: int, around: Around) -> LoadPlan:
        """Return the plan with the next or the previous value; at either end it stays."""
        steps = list(self.steps(around))
        now = self.write(plan).partition("/")[0]  # of two cache types, K's
        if not steps:
            return plan
        if now in steps:
            index = min(len(steps) - 1, max(0, steps.index(now) + direction))
        else:
            index = _beside(steps, now, direction)
        return plan if steps[index] == now else self.put(plan, steps[index])

    def changed(self, plan: LoadPlan, base: LoadPlan) -> bool:
        """Tell whether it is set otherwise than in another plan."""
        return any(getattr(plan, option) != getattr(base, option) for option in self.options)

    def reset(self, plan: LoadPlan, base: LoadPlan) -> LoadPlan:
        """Return the plan with this field as another plan has it."""
        return replace(plan, **{option: getattr(base, option) for option in self.options})


def changed_fields(plan: LoadPlan, base: LoadPlan) -> tuple[PlanField, ...]:
    """Return the fields that are set otherwise than in another plan; of two for one option only the first."""
    found: list[PlanField] = []
    taken: set[str] = set()
    for field in FIELDS:
        differs = {option for option in field.options if getattr(plan, option) != getattr(base, option)}
        if differs - taken:
            found.append(field)
            taken |= differs
    return tuple(found)


def _beside(steps: Sequence[str], now: str, direction: int) -> int:
    """Return the step next to a number that is no step itself."""
    if not now.isdigit():
        return 0
    numbers = [index for index, step in enumerate(steps) if step.isdigit()]
    if direction > 0:
        return next((index for index in numbers if int(steps[index]) > int(now)), len(steps) - 1)
    return next((index for index in reversed(numbers) if int(steps[index]) < int(now)), 0)


def _contexts(around: Around) -> list[str]:
    most = around.trained_ctx or UNKNOWN_CONTEXT
    sizes = [*(1 << power for power in range(9, 25) if 1 << power < most), most]
    return _with_auto(sizes, min(DEFAULT_CTX_SIZE, most))


def _context_range(plan: LoadPlan, around: Around) -> str:
    if around.trained_ctx is None:
        return "tokens; what it was trained to is not known"
    if plan.ctx_size > around.trained_ctx:
        return f"more than the {around.trained_ctx} it was trained to"
    if not plan.ctx_size:
        return f"{min(DEFAULT_CTX_SIZE, around.trained_ctx)} of {around.trained_ctx} trained"
    return f"of {around.trained_ctx} trained"


def _layer_steps(around: Around) -> list[str]:
    return [*map(str, range((around.layers or 98) + 1)), "auto", "all"]


def _layer_range(plan: LoadPlan, around: Around) -> str:
    if around.gpus == 0:
        return "no GPU: always 0"
    return "auto, all, 0 to " + ("?" if around.layers is None else str(around.layers + 1))


def _flash_range(plan: LoadPlan, around: Around) -> str:
    return "on for a quantised V cache" if plan.cache_type_v in QUANTISED else "auto on off"


def _threads(around: Around) -> list[str]:
    return _with_auto(range(1, max(around.logical_cores, 1) + 1), around.physical_cores)


def _with_auto(numbers: Sequence[int], stands_for: int) -> list[str]:
    """Return numbers as texts, and `auto` before the one that it stands for: a step from it changes something."""
    steps = [str(number) for number in numbers]
    index = steps.index(str(stands_for)) if str(stands_for) in steps else 0
    return [*steps[:index], "auto", *steps[index:]]


def _thread_range(plan: LoadPlan, around: Around) -> str:
    return f"of {around.physical_cores} cores ({around.logical_cores} logical)"


def _powers(low: int, high: int) -> Callable[[Around], list[str]]:
    return lambda around: [str(1 << power) for power in range(low, high + 1)]


def _no_steps(around: Around) -> list[str]:
    return []


def _fixed(values: Sequence[str]) -> Callable[[Around], list[str]]:
    return lambda around: list(values)


def _says(text: str) -> Callable[[LoadPlan, Around], str]:
    return lambda plan, around: text


def _needs_cards(text: str) -> Callable[[LoadPlan, Around], str]:
    return lambda plan, around: "no GPU" if around.gpus == 0 else text


_MODES = [mode.value for mode in LoadMode]
_FLASH = [flash.value for flash in FlashAttention]
_F = PlanField
FIELDS: tuple[PlanField, ...] = (
    _F("context", "context", ("ctx_size",), "how many tokens of conversation it holds; auto: at most 8192.",
       read_number("a number of tokens, or auto", auto=0), auto_text("ctx_size"), _contexts, _context_range),
    _F("layers", "GPU layers", ("n_gpu_layers",), "how many layers lie on the GPU, the output layer first.",
       read_number("auto, all, or a number of layers", auto=AUTO, all=ALL_LAYERS), layers_text, _layer_steps,
       _layer_range),
    _F("cache", "KV cache", ("cache_type_k", "cache_type_v"), "how exactly the context is kept in memory.",
       read_cache, cache_text, _fixed(BY_SIZE), _says("K and V the same; K/V for two")),
    _F("mode", "load mode", ("load_mode",), "how weights come into memory; auto: mmap.",
       lambda text: (LoadMode(read_choice(_MODES)(text)[0]),), lambda plan: plan.load_mode.value, _fixed(_MODES),
       _says(" ".join(_MODES))),
    _F("flash", "flash attention", ("flash_attn",), "a faster attention that needs less memory; auto: where it can.",
       lambda text: (FlashAttention(read_choice(_FLASH)(text)[0]),), lambda plan: plan.flash_attn.value, _fixed(_FLASH),
       _flash_range),
    _F("threads", "threads", ("threads",), "CPU threads while it writes; auto: one per physical core.",
       read_number("a number of threads, or auto", auto=0), auto_text("threads"), _threads, _thread_range),
    _F("batch", "batch", ("batch_size",), "tokens of a prompt that are handed over at once.",
       read_number("a number of tokens"), plain_text("batch_size"), _powers(5, 13), _says("tokens"), more=True),
    _F("ubatch", "ubatch", ("ubatch_size",), "tokens of a prompt that are computed at once; sets the compute memory.",
       read_number("a number of tokens"), plain_text("ubatch_size"), _powers(5, 13), _says("tokens, at most batch"),
       more=True),
    _F("threads-batch", "threads, prompt", ("threads_batch",), "CPU threads while it reads a prompt; auto: as threads.",
       read_number("a number of threads, or auto", auto=0), auto_text("threads_batch"), _threads, _thread_range,
       more=True),
    _F("experts", "experts on CPU", ("cpu_moe", "n_cpu_moe"),
       "layers of a mixture of experts whose experts stay in RAM, counted from the first.",
       read_experts, experts_text, lambda around: ["none", *map(str, range(1, (around.layers or 98) + 1)), "all"],
       _needs_cards("none, all, or layers"), more=True),
    _F("split", "split", ("tensor_split",), "how the layers are shared among several GPUs.",
       read_shares, lambda plan: ",".join(map(number_text, plan.tensor_split)) or "none", _no_steps,
       _needs_cards("shares such as 3,1"), more=True),
    _F("main-gpu", "main GPU", ("main_gpu",), "the GPU for what is not split.", read_number("the number of a GPU"),
       plain_text("main_gpu"), lambda around: [str(index) for index in range(max(1, around.gpus or 1))],
       _needs_cards("its number"), more=True),
    _F("parallel", "slots", ("parallel",), "conversations at once; they share the context.",
       read_number("a number from 1"), plain_text("parallel"), _fixed([str(number) for number in range(1, 17)]),
       _says("1 to 256"), more=True),
    _F("swa-full", "full SWA cache", ("swa_full",), "sliding-window layers keep the whole context.",
       read_switch, switch_text("swa_full"), _fixed(["off", "on"]), _says("off on"), more=True),
    _F("kv-ram", "KV in RAM", ("no_kv_offload",), "the context stays in RAM though layers are on a GPU.",
       read_switch, switch_text("no_kv_offload"), _fixed(["off", "on"]), _needs_cards("off on"), more=True),
    _F("override", "tensors", ("override_tensor",), "which buffer tensors go to, by regular expression.",
       read_overrides, lambda plan: ",".join("=".join(pair) for pair in plan.override_tensor) or "none", _no_steps,
       _says("REGEX=BUFFER,…"), more=True),
    _F("adapters", "adapters", ("lora",), "LoRA files that change the model, each with its scale.",
       read_adapters, adapters_text, _no_steps, _says("FILE:SCALE,…"), more=True),
    _F("projector", "projector", ("mmproj",), "the file that lets it see or hear.",
       read_file, lambda plan: plan.mmproj or "none", _no_steps, _says("a file"), more=True),
    _F("extra", "extra options", ("extra",), "options that llama-server gets as they are; what they need is unknown.",
       read_extra, lambda plan: plan.extra or "none", _no_steps, _says("for llama-server"), more=True),
)  # fmt: skip
"""All fields, in the order in which they are shown."""
