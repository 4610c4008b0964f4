"""What was run: loads and answers as the history keeps them, and the rates that were measured."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from qtui.core.duel.conversation import Answer
from qtui.core.memory.actual import Actual, Estimate, differences
from qtui.core.memory.plan import FlashAttention, LoadPlan

LEAST_TOKENS = 8
"""Shorter answers give no rate worth keeping."""
_SPEED_OPTIONS = (
    "threads", "n_gpu_layers", "n_cpu_moe", "cpu_moe", "override_tensor", "tensor_split", "main_gpu", "no_kv_offload",
    "cache_type_k", "cache_type_v", "lora", "engine",
)  # fmt: skip
"""What of a plan decides how fast it generates, besides flash attention."""


@dataclass(frozen=True, slots=True)
class Run:
    """One load of a variant, and what is known of it since its last answer."""

    id: str
    time: float
    """When it was loaded, seconds since the epoch."""
    path: str
    model: str
    quant: str
    size: int
    """Bytes on disk."""
    engine: str
    build: str
    """Of llama.cpp."""
    plan: dict[str, Any]
    """As it was used."""
    estimate: Estimate | None = None
    actual: Actual | None = None
    allocated: tuple[tuple[str, int, int, int], ...] = ()
    """llama.cpp's own (buffer type, weights, context, compute) bytes; empty where it cannot tell."""
    load_time: float | None = None
    """Seconds."""
    shards: tuple[str, ...] = ()
    """Its files, where it is more than one; not kept."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The measurements of one answer."""

    time: float
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    time_to_first_token: float | None
    prompt_rate: float | None
    generation_rate: float | None
    alone: bool
    """No other session of this qtui computed at the same time."""

    @staticmethod
    def of(answer: Answer, time: float, *, alone: bool) -> Timing:
        """Take the measurements from an answer."""
        return Timing(
            time, answer.prompt_tokens, answer.cached_tokens, answer.generated_tokens, answer.time_to_first_token,
            answer.prompt_rate, answer.generation_rate, alone,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run with its answers put together."""

    run: Run
    answers: int
    time_to_first_token: float | None
    """Of the first answer, in seconds."""
    prompt_rate: float | None
    """Median of those that were measured alone; tokens per second."""
    generation_rate: float | None
    """As the prompt's."""

    @property
    def title(self) -> str:
        """Return `model quant`."""
        return f"{self.run.model} {self.run.quant}"

    def as_json(self) -> dict[str, Any]:
        """Return one of `runs[]`."""
        run = self.run
        compared = differences(run.estimate, run.actual) if run.estimate and run.actual else ()
        return {
            "time": run.time, "file": run.path, "name": PurePath(run.path).name, "model": run.model,
            "quant": run.quant, "size": run.size, "engine": run.engine, "build": run.build, "plan": run.plan,
            "estimate": run.estimate.as_json() if run.estimate else None,
            "actual": run.actual.as_json() if run.actual else None,
            "allocated": [
                {"name": name, "weights": weights, "context": context, "compute": compute}
                for name, weights, context, compute in run.allocated
            ],
            "full_prompt": run.actual.full_prompt if run.actual else False,
            "differences": [row.as_json() for row in compared],
            "load_time": run.load_time, "answers": self.answers, "time_to_first_token": self.time_to_first_token,
            "prompt_rate": self.prompt_rate, "generation_rate": self.generation_rate,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class MeasuredRate:
    """Rates of one file under plans that are alike in what decides its speed."""

    key: str
    """`speed_key` of those plans."""
    generation: float
    """Median tokens per second."""
    answers: int
    time: float
    """Of the newest."""


def speed_key(plan: Mapping[str, Any]) -> str:
    """Return what of a plan, in the shape of `LoadPlan.as_json`, decides how fast it generates."""
    kept = [plan.get(name) for name in (*_SPEED_OPTIONS, *(["extra"] if plan.get("extra") else []))]
    return json.dumps([*kept, plan.get("flash_attn") == FlashAttention.OFF.value], separators=(",", ":"))


def rate_under(rates: Sequence[MeasuredRate], plan: LoadPlan) -> MeasuredRate | None:
    """Return the rate that was measured under a resolved plan, as far as speed goes; None where there is none."""
    key = speed_key(plan.as_json())
    return next((rate for rate in rates if rate.key == key), None)


def median(values: Sequence[float]) -> float | None:
    """Return the median, None of nothing."""
    return statistics.median(values) if values else None
