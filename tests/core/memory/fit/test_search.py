"""What a search proposes fits, and one step more in any direction that it chose does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qtui.core.memory.fit.placing import least, most, place
from qtui.core.memory.fit.scale import Scale
from qtui.core.memory.fit.search import best_plan, cache_pairs, largest_context
from qtui.core.memory.plan import FlashAttention
from tests.core.memory.fit.rooms import PLAN, asked, scale_of

MACHINES = ((16,), (32, 8), (32, 12, 12))
MODELS = ("llama3.1-8b", "gemma3-27b", "qwen3-30b-a3b", "gpt-oss-20b", "deepseek-v2-lite")
CASES = [(name, machine) for name in MODELS for machine in MACHINES] + [("gpt-oss-20b", (64, 6, 4, 4))]


@pytest.mark.parametrize(("name", "machine"), CASES, ids=str)
def test_what_is_proposed_fits_and_one_step_more_does_not(name: str, machine: tuple[int, ...]) -> None:
    scale = scale_of(name, *machine)
    for ctx in (8192, 131072):
        plan = asked(scale, ctx)
        found = best_plan(scale, plan)
        if found is None:
            smallest = [
                replace(plan, ctx_size=512, cache_type_k=k, cache_type_v=v, n_gpu_layers=layers)
                for k, v in cache_pairs(plan) for layers in range(0, plan.n_gpu_layers + 1, 4)
            ]  # fmt: skip
            assert not any(scale.fits(each) for each in smallest)
            continue
        best = found.plan
        assert scale.fits(best)
        if best.ctx_size < ctx:
            for k, v in cache_pairs(plan):
                more = replace(plan, ctx_size=best.ctx_size + 256, cache_type_k=k, cache_type_v=v)
                assert place(scale, more) is None
                assert not scale.fits(replace(best, ctx_size=best.ctx_size + 256, cache_type_k=k, cache_type_v=v))
        if best.n_gpu_layers < plan.n_gpu_layers:
            shares = [best.tensor_split] if not best.tensor_split else _one_more(best.tensor_split)
            for split in shares:
                assert not scale.fits(replace(best, n_gpu_layers=best.n_gpu_layers + 1, tensor_split=split))
        if best.n_cpu_moe:
            assert not scale.fits(replace(best, n_cpu_moe=best.n_cpu_moe - 1))
        if best.cache_type_k != plan.cache_type_k:
            assert not scale.fits(replace(best, cache_type_k="f16", cache_type_v="f16"))


def _one_more(split: tuple[float, ...]) -> list[tuple[float, ...]]:
    return [tuple(share + (i == card) for i, share in enumerate(split)) for card in range(len(split))]


def test_every_choice_has_a_line_and_everything_else_stays_as_asked() -> None:
    scale = scale_of("qwen3-30b-a3b", 32, 11, 11)
    plan = asked(scale, 131072, batch_size=1024, no_kv_offload=False, main_gpu=1)
    found = best_plan(scale, plan)
    assert found is not None
    options = [choice.option for choice in found.choices]
    assert options == ["ctx_size", "n_gpu_layers", "tensor_split", "n_cpu_moe", "cache_type"]
    chosen = {"n_gpu_layers", "tensor_split", "n_cpu_moe", "cache_type_k", "cache_type_v"}
    kept = {name: value for name, value in found.plan.as_json().items() if name not in chosen}
    assert kept == {name: value for name, value in plan.as_json().items() if name not in chosen}
    for choice in found.choices[3:]:
        assert "short by" in choice.reason and choice.as_json()["reason"] == choice.reason


def test_two_cards_are_filled_where_equal_shares_would_leave_room() -> None:
    scale = scale_of("gemma3-27b", 32, 12, 6)
    plan = asked(scale, 65536)
    found = place(scale, plan)
    assert found is not None and sum(found.tensor_split) == found.n_gpu_layers
    plain = place(scale, replace(plan, tensor_split=(12.0, 6.0)))
    assert plain is not None and plain.n_gpu_layers < found.n_gpu_layers
    assert plain.tensor_split == (12.0, 6.0)  # what the user gave stays


def test_a_cache_that_costs_quality_is_taken_for_context_only() -> None:
    roomy = scale_of("llama3.1-8b", 64, 8)
    found = best_plan(roomy, asked(roomy, 131072))
    assert found is not None and found.plan.cache_type_k == "q8_0" and found.plan.ctx_size == 131072
    narrow = scale_of("llama3.1-8b", 10)
    found = best_plan(narrow, asked(narrow, 131072))
    assert found is not None and found.plan.cache_type_k == "q4_0" and found.plan.ctx_size > 32768


def test_nothing_is_proposed_that_llama_cpp_would_refuse() -> None:
    scale = scale_of("llama3.1-8b", 10)
    plan = asked(scale, 131072, flash_attn=FlashAttention.OFF)  # then a quantised V cache is refused
    found = best_plan(scale, plan)
    assert found is not None and found.plan.cache_type_v == "f16" and found.plan.ctx_size < 131072
    refused = scale.weigh(replace(plan, cache_type_k="q8_0", cache_type_v="q8_0"))
    assert refused.footprint is None and not refused.fits and "flash attention" in refused.verdict.reason


def test_asked_values_are_upper_bounds() -> None:
    scale = scale_of("qwen3-30b-a3b", 32, 24)
    plan = asked(scale, 4096, n_gpu_layers=10, n_cpu_moe=42, cache_type_k="q5_0", cache_type_v="q5_0")
    found = best_plan(scale, plan)
    assert found is not None and found.plan == plan
    assert {"as asked" in choice.reason for choice in found.choices} == {True}


def test_unknown_free_memory_and_too_little_of_it_propose_nothing() -> None:
    small = scale_of("llama3.1-8b", 1)
    assert best_plan(small, asked(small, 8192)) is None
    unknown = Scale(small.probe, replace(small.room, free_ram=None))
    assert best_plan(unknown, asked(unknown, 8192)) is None


def test_the_largest_context_of_a_plan() -> None:
    scale = scale_of("llama3.1-8b", 10)
    plan = replace(PLAN, n_gpu_layers=0)
    largest = largest_context(scale, plan, 131072)
    assert largest is not None and largest % 256 == 0
    assert scale.fits(replace(plan, ctx_size=largest)) and not scale.fits(replace(plan, ctx_size=largest + 256))
    assert largest_context(scale, plan, 1000) == 1000  # what was trained to need be no round number
    assert largest_context(scale_of("llama3.1-8b", 2), plan, 131072) is None


def test_bisecting_finds_the_edge() -> None:
    for edge in range(-1, 9):
        assert most(0, 7, lambda number, edge=edge: number <= edge) == (None if edge < 0 else min(edge, 7))  # type: ignore[misc]
        assert least(0, 7, lambda number, edge=edge: number >= edge) == (None if edge > 7 else max(edge, 0))  # type: ignore[misc]
    assert most(3, 2, lambda number: True) is None


def test_a_search_is_quick_enough_to_be_waited_for() -> None:
    scale = scale_of("gpt-oss-20b", 32, 8)
    assert best_plan(scale, asked(scale, 131072)) is not None
    assert scale.count < 60
