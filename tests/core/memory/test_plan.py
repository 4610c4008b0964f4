from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from qtui.core.errors import UsageError
from qtui.core.memory.plan import ALL_LAYERS, AUTO, FlashAttention, LoadMode, LoadPlan, resolve

FULL = LoadPlan(
    4096, 12, LoadMode.MMAP_MLOCK, "q8_0", "q4_0", FlashAttention.ON, 4, 8, 1024, 256, 3, True,
    (("blk.1", "CPU"),), (1.0, 2.0), 1, (("a.gguf", 0.5),), True, True, 2, "p.gguf", "long", "built-in",
)  # fmt: skip


def test_a_plan_survives_json_with_every_option_in_it() -> None:
    assert set(FULL.as_json()) == {field.name for field in fields(LoadPlan)}
    for plan in (LoadPlan(), FULL, LoadPlan(n_gpu_layers=ALL_LAYERS)):
        assert LoadPlan.from_json(json.loads(json.dumps(plan.as_json()))) == plan
    assert LoadPlan().as_json()["n_gpu_layers"] == "auto"
    assert LoadPlan.from_json({"ctx_size": 7, "from_the_future": 1}) == LoadPlan(ctx_size=7)


@pytest.mark.parametrize(
    ("plan", "word"),
    [
        (LoadPlan(cache_type_k="q4_K"), "--cache-type-k q4_K"),
        (LoadPlan(ctx_size=-1), "--ctx-size -1"),
        (LoadPlan(parallel=0), "--parallel 0"),
        (LoadPlan(ubatch_size=0), "--ubatch-size 0"),
        (LoadPlan(cache_type_v="q8_0", flash_attn=FlashAttention.OFF), "flash attention"),
    ],
)
def test_what_llama_cpp_never_accepts_is_refused_with_its_option_and_a_hint(plan: LoadPlan, word: str) -> None:
    with pytest.raises(UsageError, match=word) as caught:
        plan.check()
    assert caught.value.hint


def test_the_default_plan_resolves_as_documented() -> None:
    plan = resolve(LoadPlan(), trained_ctx=40960, layers=36, physical_cores=8, gpu_count=0)
    assert (plan.ctx_size, plan.n_gpu_layers, plan.load_mode, plan.threads, plan.threads_batch) == (
        8192, 0, LoadMode.MMAP, 8, 8,
    )  # fmt: skip
    plan.check()
    assert resolve(LoadPlan(), trained_ctx=1024, layers=5, physical_cores=2, gpu_count=0).ctx_size == 1024
    assert resolve(LoadPlan(), trained_ctx=None, layers=None, physical_cores=0, gpu_count=0).threads == 1


@pytest.mark.parametrize(("asked", "used"), [(AUTO, 37), (ALL_LAYERS, 37), (0, 0), (1, 1), (37, 37), (99, 37)])
def test_layers_count_the_output_layer_and_stop_at_all(asked: int, used: int) -> None:
    plan = replace(LoadPlan(), n_gpu_layers=asked)
    assert resolve(plan, trained_ctx=1, layers=36, physical_cores=1, gpu_count=1).n_gpu_layers == used
    assert resolve(plan, trained_ctx=1, layers=36, physical_cores=1, gpu_count=0).n_gpu_layers == 0
