"""The fields of a plan as a user meets them: a name, a value in words, what it may be for this file and machine.

A value is a text here (`auto`, `16384`, `q8_0`), the same that is shown, typed, and stepped through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qtui.core.engines import engine_kind
from qtui.core.errors import UsageError
from qtui.core.memory import plan_ranges as ranges
from qtui.core.memory.options import flag
from qtui.core.memory.plan import ALL_LAYERS, AUTO, FlashAttention, LoadMode, LoadPlan
from qtui.core.memory.plan_ranges import BUILT_IN, Around, Steps, Without, Words
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
    short_adapters,
    switch_text,
)


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
    steps: Steps
    """What left and right step through; none for a text."""
    range: Words
    more: bool = False
    """One of those that are folded away."""
    without: Without = ranges.never
    """Why it has no meaning for a file and a machine; empty where it has."""
    short: Callable[[LoadPlan], str] | None = None
    """The value where there is little room; None: as it is written."""

    @property
    def numeric(self) -> bool:
        """Tell whether typing a digit begins a value."""
        return any(step.isdigit() for step in self.steps(Around()))

    @property
    def help(self) -> str:
        """Return llama.cpp's names for it, and what it does."""
        return f"{', '.join(flag(option) for option in self.options)}: {self.about}"

    def allowed(self, plan: LoadPlan, around: Around) -> str:
        """Return what it may be for a file and a machine, or why it has no meaning there."""
        return self.without(around) or self.range(plan, around)

    def shown(self, plan: LoadPlan) -> str:
        """Return the value where there is little room."""
        return (self.short or self.write)(plan)

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
        now = self.write(plan)
        if not steps:
            return plan
        if now not in steps:
            now = now.partition("/")[0]  # of two cache types, K's
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


def _read_engine(text: str) -> tuple[str]:
    engine_kind(text)
    return (text or BUILT_IN,)


def _beside(steps: Sequence[str], now: str, direction: int) -> int:
    """Return the step next to a number that is no step itself."""
    if not now.isdigit():
        return 0
    numbers = [index for index, step in enumerate(steps) if step.isdigit()]
    if direction > 0:
        return next((index for index in numbers if int(steps[index]) > int(now)), len(steps) - 1)
    return next((index for index in reversed(numbers) if int(steps[index]) < int(now)), 0)


_MODES = [mode.value for mode in LoadMode]
_FLASH = [flash.value for flash in FlashAttention]
_SWITCH = ["off", "on"]
_F = PlanField
FIELDS: tuple[PlanField, ...] = (
    _F("context", "context", ("ctx_size",), "how many tokens of conversation it holds; auto: at most 8192.",
       read_number("a number of tokens, or auto", auto=0), auto_text("ctx_size"), ranges.context_steps,
       ranges.context_range),
    _F("layers", "GPU layers", ("n_gpu_layers",), "how many layers lie on the GPU, the output layer first.",
       read_number("auto, all, or a number of layers", auto=AUTO, all=ALL_LAYERS), layers_text, ranges.layer_steps,
       ranges.layer_range, without=ranges.no_layers),
    _F("cache", "KV cache", ("cache_type_k", "cache_type_v"), "how exactly the context is kept in memory.",
       read_cache, cache_text, ranges.fixed(BY_SIZE), ranges.says("K and V the same; K/V for two")),
    _F("mode", "load mode", ("load_mode",), "how weights come into memory; auto: mmap.",
       lambda text: (LoadMode(read_choice(_MODES)(text)[0]),), lambda plan: plan.load_mode.value, ranges.fixed(_MODES),
       ranges.says(" ".join(_MODES))),
    _F("flash", "flash attention", ("flash_attn",), "a faster attention that needs less memory; auto: where it can.",
       lambda text: (FlashAttention(read_choice(_FLASH)(text)[0]),), lambda plan: plan.flash_attn.value,
       ranges.fixed(_FLASH), ranges.flash_range),
    _F("threads", "threads", ("threads",), "CPU threads while it writes; auto: one per physical core.",
       read_number("a number of threads, or auto", auto=0), auto_text("threads"), ranges.thread_steps,
       ranges.thread_range),
    _F("batch", "batch", ("batch_size",), "tokens of a prompt that are handed over at once.",
       read_number("a number of tokens"), plain_text("batch_size"), ranges.powers(5, 13), ranges.batch_range,
       more=True),
    _F("ubatch", "ubatch", ("ubatch_size",), "tokens of a prompt that are computed at once; sets the compute memory.",
       read_number("a number of tokens"), plain_text("ubatch_size"), ranges.powers(5, 13), ranges.ubatch_range,
       more=True),
    _F("threads-batch", "threads, prompt", ("threads_batch",), "CPU threads while it reads a prompt; auto: as threads.",
       read_number("a number of threads, or auto", auto=0), auto_text("threads_batch"), ranges.thread_steps,
       ranges.thread_range, more=True),
    _F("experts", "experts on CPU", ("cpu_moe", "n_cpu_moe"),
       "layers of a mixture of experts whose experts stay in RAM, counted from the first.",
       read_experts, experts_text, ranges.expert_steps, ranges.expert_range, more=True, without=ranges.no_experts),
    _F("split", "split", ("tensor_split",), "how the layers are shared among several GPUs.",
       read_shares, lambda plan: ",".join(map(number_text, plan.tensor_split)) or "none", ranges.split_steps,
       ranges.split_range, more=True, without=ranges.no_cards),
    _F("main-gpu", "main GPU", ("main_gpu",), "the GPU for what is not split.", read_number("the number of a GPU"),
       plain_text("main_gpu"), ranges.card_steps, ranges.card_range, more=True, without=ranges.no_cards),
    _F("parallel", "slots", ("parallel",), "conversations at once; they share the context.",
       read_number("a number from 1"), plain_text("parallel"), ranges.fixed([str(number) for number in range(1, 17)]),
       ranges.says("1 to 256"), more=True),
    _F("swa-full", "full SWA cache", ("swa_full",), "sliding-window layers keep the whole context.",
       read_switch, switch_text("swa_full"), ranges.fixed(_SWITCH), ranges.says("off on"), more=True,
       without=ranges.no_window),
    _F("kv-ram", "KV in RAM", ("no_kv_offload",), "the context stays in RAM though layers are on a GPU.",
       read_switch, switch_text("no_kv_offload"), ranges.fixed(_SWITCH), ranges.says("off on"), more=True,
       without=ranges.no_card),
    _F("override", "tensors", ("override_tensor",), "which buffer tensors go to, by regular expression.",
       read_overrides, lambda plan: ",".join("=".join(pair) for pair in plan.override_tensor) or "none",
       ranges.no_steps, ranges.override_range, more=True),
    _F("adapters", "adapters", ("lora",), "LoRA files that change the model, FILE:SCALE, several divided by commas.",
       read_adapters, adapters_text, ranges.adapter_steps, ranges.adapter_range, more=True, short=short_adapters),
    _F("projector", "projector", ("mmproj",), "the file that lets it see or hear.",
       read_file, lambda plan: plan.mmproj or "none", ranges.projector_steps, ranges.projector_range, more=True,
       short=lambda plan: ranges.short_name(plan.mmproj) if plan.mmproj else "none"),
    _F("engine", "engine", ("engine",), "what loads it: the built-in llama.cpp, or a program of yours.",
       _read_engine, lambda plan: plan.engine, lambda around: list(around.engines), ranges.engine_range, more=True,
       short=lambda plan: ranges.short_name(plan.engine)),
    _F("extra", "extra options", ("extra",), "options that llama-server gets as they are; what they need is unknown.",
       read_extra, lambda plan: plan.extra or "none", ranges.no_steps, ranges.says("for llama-server"), more=True),
)  # fmt: skip
"""All fields, in the order in which they are shown."""
