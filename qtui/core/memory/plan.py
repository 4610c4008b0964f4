"""LoadPlan: how a variant is loaded, every option under llama.cpp's own long name."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from qtui.core.errors import UsageError
from qtui.core.text import clean_name

DEFAULT_CTX_SIZE = 8192
MOST_SCALE = 100
"""Of an adapter, either way: what is beyond is a slip, and gives no text."""
ALL_LAYERS = -1
AUTO = -2
CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
"""llama.cpp's `kv_cache_types` (common/arg.cpp)."""


class LoadMode(StrEnum):
    """How llama.cpp brings weights into memory (`--load-mode`)."""

    AUTO = "auto"
    NONE = "none"
    MMAP = "mmap"
    MLOCK = "mlock"
    MMAP_MLOCK = "mmap+mlock"
    DIO = "dio"

    @property
    def mapped(self) -> bool:
        """Tell whether weights stay file-backed pages."""
        return self in (LoadMode.AUTO, LoadMode.MMAP, LoadMode.MMAP_MLOCK)

    @property
    def locked(self) -> bool:
        """Tell whether weights are asked to be locked in memory."""
        return self in (LoadMode.MLOCK, LoadMode.MMAP_MLOCK)


class FlashAttention(StrEnum):
    """`--flash-attn`: auto is resolved by llama.cpp when the context is made."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """How a variant is loaded. Defaults are those of the built-in engine (docs: the default plan)."""

    ctx_size: int = 0
    """Tokens of context; 0: min(8192, what the model was trained to)."""
    n_gpu_layers: int = AUTO
    """Layers in VRAM, the output layer counted (and placed) first; ALL_LAYERS or AUTO."""
    load_mode: LoadMode = LoadMode.AUTO
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    flash_attn: FlashAttention = FlashAttention.AUTO
    threads: int = 0
    """Threads while generating; 0: physical cores."""
    threads_batch: int = 0
    """Threads while reading a prompt; 0: as `threads`."""
    batch_size: int = 2048
    ubatch_size: int = 512
    n_cpu_moe: int = 0
    """Layers whose experts stay on the CPU, counted from the first."""
    cpu_moe: bool = False
    override_tensor: tuple[tuple[str, str], ...] = ()
    """(regular expression, buffer type name), first match wins."""
    tensor_split: tuple[float, ...] = ()
    main_gpu: int = 0
    lora: tuple[tuple[str, float], ...] = ()
    """(path of a GGUF adapter, scale)."""
    no_kv_offload: bool = False
    swa_full: bool = False
    parallel: int = 1
    """Slots (sequences) that share the context."""
    mmproj: str = ""
    extra: str = ""
    """Further options of `llama-server`, as on its command line; handed over as they are, other engines ignore them."""
    preset: str = ""
    engine: str = "built-in"

    def as_json(self) -> dict[str, Any]:
        """Return every option under its long name with underscores, always all of them."""
        result: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, StrEnum):
                value = value.value
            elif isinstance(value, tuple):
                value = [list(v) if isinstance(v, tuple) else v for v in value]
            result[field.name] = value
        result["n_gpu_layers"] = {ALL_LAYERS: "all", AUTO: "auto"}.get(self.n_gpu_layers, self.n_gpu_layers)
        return result

    @staticmethod
    def from_json(data: dict[str, Any]) -> LoadPlan:
        """Read what `as_json` wrote; unknown keys are ignored, missing ones take their default."""
        known = {f.name for f in fields(LoadPlan)}
        values = {key: value for key, value in data.items() if key in known}
        layers = values.get("n_gpu_layers", AUTO)
        values["n_gpu_layers"] = (
            {"all": ALL_LAYERS, "auto": AUTO}.get(layers, layers) if isinstance(layers, str) else layers
        )
        for key in ("override_tensor", "lora"):
            values[key] = tuple(tuple(pair) for pair in values.get(key, ()))
        values["tensor_split"] = tuple(values.get("tensor_split", ()))
        if "load_mode" in values:
            values["load_mode"] = LoadMode(values["load_mode"])
        if "flash_attn" in values:
            values["flash_attn"] = FlashAttention(values["flash_attn"])
        return LoadPlan(**values)

    def check(self) -> None:
        """Refuse what no llama.cpp accepts, before any process is started.

        Raises:
            UsageError: names the option, its value and what it may be.
        """
        for name in ("cache_type_k", "cache_type_v"):
            if getattr(self, name) not in CACHE_TYPES:
                raise UsageError(
                    f"--{name.replace('_', '-')} {getattr(self, name)} is not a cache type",
                    f"one of: {' '.join(CACHE_TYPES)}",
                )
        for name, low, high in (
            ("ctx_size", 0, 1 << 24), ("threads", 0, 1024), ("threads_batch", 0, 1024), ("batch_size", 1, 1 << 20),
            ("ubatch_size", 1, 1 << 20), ("parallel", 1, 256), ("n_cpu_moe", 0, 4096), ("n_gpu_layers", AUTO, 4096),
            ("main_gpu", 0, 15),
        ):  # fmt: skip
            if not low <= getattr(self, name) <= high:
                raise UsageError(
                    f"--{name.replace('_', '-')} {getattr(self, name)} is out of range",
                    f"from {max(low, 0)} to {high}",
                )
        if self.flash_attn is FlashAttention.OFF and self.cache_type_v not in ("f32", "f16", "bf16"):
            raise UsageError(
                f"a {self.cache_type_v} V cache needs flash attention, which this plan turns off",
                "take --flash-attn on or auto, or --cache-type-v f16",
            )
        for path, scale in self.lora:
            if not abs(scale) <= MOST_SCALE:
                raise UsageError(
                    f"--lora {clean_name(PurePath(path).name)} has the scale {scale:g}",
                    f"from -{MOST_SCALE} to {MOST_SCALE}; 1 is the adapter as it was trained, 0 is off",
                )
        self.extra_arguments()

    def extra_arguments(self) -> tuple[str, ...]:
        """Return `extra` as arguments, divided as a POSIX shell does.

        Raises:
            UsageError: a quote is not closed, or the text is no line of options.
        """
        try:
            words = tuple(shlex.split(self.extra))
        except ValueError as error:
            raise UsageError(f"--extra: {str(error).lower()}", "quote it as on a command line") from None
        if "\0" in self.extra or "\n" in self.extra or (words and not words[0].startswith("-")):
            raise UsageError("--extra takes options of llama-server", "such as --extra='--cache-reuse 256'")
        return words


def resolve(
    plan: LoadPlan, *, trained_ctx: int | None, layers: int | None, physical_cores: int, gpu_count: int
) -> LoadPlan:
    """Return the plan with `auto` and 0 replaced by what will be used, so far as it is known before loading.

    `layers` is the model's block count; the output layer counts as one more (llama-model.cpp: n_layer + 1).
    `flash_attn` stays auto: only llama.cpp can resolve it, when it makes the context.
    """
    ctx = plan.ctx_size or min(DEFAULT_CTX_SIZE, trained_ctx or DEFAULT_CTX_SIZE)
    everything = (layers + 1) if layers is not None else ALL_LAYERS
    wanted = (
        everything
        if plan.n_gpu_layers in (AUTO, ALL_LAYERS)
        else min(plan.n_gpu_layers, layers + 1 if layers is not None else plan.n_gpu_layers)
    )
    threads = plan.threads or max(1, physical_cores)
    return replace(
        plan,
        ctx_size=ctx,
        n_gpu_layers=wanted if gpu_count else 0,
        load_mode=LoadMode.MMAP if plan.load_mode is LoadMode.AUTO else plan.load_mode,
        threads=threads,
        threads_batch=plan.threads_batch or threads,
    )
