"""A round of the duel as the object that `--json` prints."""

from __future__ import annotations

from typing import Any

from qtui.core.duel.conversation import Answer
from qtui.core.duel.degeneration import Degeneration, degeneration
from qtui.core.duel.difference import Difference, difference, first_different
from qtui.core.duel.run import RoundEnded
from qtui.core.duel.side import SideResult
from qtui.core.errors import Failure
from qtui.core.hardware import ProcessMemory
from qtui.core.memory.actual import Difference as PoolDifference
from qtui.core.memory.actual import Estimate, differences


def duel_report(ended: RoundEnded) -> dict[str, Any]:
    """Return `{"prompt", "mode", "sides", "difference"}`; sizes in bytes, rates per second, times in seconds."""
    apart = round_difference(ended)
    return {
        "prompt": ended.prompt,
        "mode": ended.mode.value,
        "sides": [side_report(side, ended.prompt) for side in ended.sides],
        "difference": apart.as_json() if apart else None,
    }


def side_report(side: SideResult, prompt: str) -> dict[str, Any]:
    """Return one of `sides[]`; a side without an answer has None for what was not measured, and `error`."""
    answer = side.answer
    seen = side_degeneration(side, prompt)
    footprint = side.weighing.footprint if side.weighing else None
    planned = [warning.text for warning in side.weighing.warnings] if side.weighing else []
    report: dict[str, Any] = {
        "side": side.side,
        "file": str(side.variant.path),
        "quant": side.variant.quant,
        "text": answer.text if answer else None,
        "thinking": answer.thinking if answer else None,
        "finish_reason": answer.finish_reason if answer else None,
        "prompt_tokens": answer.prompt_tokens if answer else None,
        "generated_tokens": answer.generated_tokens if answer else None,
        "load_time": side.loaded.load_time if side.loaded else None,
        "time_to_first_token": answer.time_to_first_token if answer else None,
        "prompt_rate": answer.prompt_rate if answer else None,
        "generation_rate": answer.generation_rate if answer else None,
        "peak_rss": answer.memory.peak if answer else None,
        "estimated_total": footprint.total if footprint else None,
        "actual_total": held_total(side),
        "differences": [row.as_json() for row in side_differences(side)],
        "full_prompt": bool(answer and answer.actual and answer.actual.full_prompt),
        "degeneration": seen.as_json() if seen else None,
        "seed": answer.seed if answer else None,
        "plan": side.loaded.plan if side.loaded else (side.weighing.plan.as_json() if side.weighing else None),
        "warnings": [*planned, *(side.loaded.warnings if side.loaded else ()), *(answer.warnings if answer else ())],
    }
    if side.failure:
        report["error"] = failure_report(side.failure)
    return report


def side_degeneration(side: SideResult, prompt: str) -> Degeneration | None:
    """Return the signs of degeneration in a side's answer, None without one."""
    return degeneration(side.answer.text, side.answer.finish_reason, prompt) if side.answer else None


def failure_report(failure: Failure) -> dict[str, Any]:
    """Return a failure as the error object of `--json`, with the engine's last log lines where there are any."""
    report: dict[str, Any] = {"message": failure.message, "hint": failure.hint, "kind": failure.kind}
    if failure.log:
        report["log"] = list(failure.log)
    return report


def round_difference(ended: RoundEnded) -> Difference | None:
    """Return how far two answers are apart, None unless exactly two sides answered."""
    answers = [side.answer for side in ended.sides if side.answer]
    if len(answers) != 2 or len(ended.sides) != 2:
        return None
    return answer_difference(*answers)


def answer_difference(first: Answer, second: Answer) -> Difference:
    """Return how far two answers are apart, by words and by tokens."""
    return difference(first.text, second.text, first_different(first.pieces, second.pieces))


def side_differences(side: SideResult) -> tuple[PoolDifference, ...]:
    """Return what a side was expected to hold beside what it holds, pool by pool; empty where either is missing."""
    footprint = side.weighing.footprint if side.weighing else None
    held = side.answer.actual if side.answer else None
    return differences(Estimate.of(footprint), held) if footprint and held else ()


def held_total(side: SideResult) -> int | None:
    """Return what a side holds, in RAM and VRAM, by whoever can tell."""
    compared = side_differences(side)
    if compared and compared[-1].actual is not None:
        return compared[-1].actual
    return actual_total(side.answer.memory) if side.answer else None


def actual_total(memory: ProcessMemory) -> int | None:
    """Return the bytes that a session holds, in RAM and VRAM: what the estimate's total is compared with."""
    if memory.resident is None:
        return None
    return memory.resident + (memory.vram or 0)
