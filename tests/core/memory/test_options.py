from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from qtui.core.errors import UsageError
from qtui.core.memory.options import OPTIONS, changed_options, option_value, plain_value, with_options
from qtui.core.memory.plan import ALL_LAYERS, AUTO, FlashAttention, LoadMode, LoadPlan

OTHER = LoadPlan(
    ctx_size=4096, n_gpu_layers=ALL_LAYERS, load_mode=LoadMode.DIO, cache_type_k="q8_0", cache_type_v="q4_0",
    flash_attn=FlashAttention.ON, threads=3, threads_batch=4, batch_size=64, ubatch_size=32, n_cpu_moe=5, cpu_moe=True,
    override_tensor=(("exps", "CPU"),), tensor_split=(1.5, 2), main_gpu=1, lora=(("/x.gguf", 0.25),),
    no_kv_offload=True, swa_full=True, parallel=2, mmproj="/m.gguf", extra="--cache-reuse 256",
    engine="/opt/llama-server",
)  # fmt: skip


def test_every_option_goes_to_plain_and_back() -> None:
    assert changed_options(OTHER) == OPTIONS == tuple(f.name for f in fields(LoadPlan) if f.name != "preset")
    for option in OPTIONS:
        for plan in (OTHER, LoadPlan()):
            value = getattr(plan, option)
            assert option_value(option, plain_value(option, value)) == value


def test_only_changed_options_are_named() -> None:
    assert changed_options(LoadPlan(preset="long")) == ()
    assert changed_options(LoadPlan(threads=2, ctx_size=1)) == ("ctx_size", "threads")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("n_gpu_layers", -1), ("n_gpu_layers", "most"), ("n_gpu_layers", True), ("n_gpu_layers", 1.0),
        ("n_gpu_layers", 5000), ("ctx_size", 1 << 25), ("load_mode", "fast"), ("load_mode", 1), ("flash_attn", True),
        ("cpu_moe", 1), ("cpu_moe", "true"), ("lora", "x"), ("lora", [["x", "y"]]), ("lora", [["x", float("nan")]]),
        ("lora", [["\0", 1]]), ("override_tensor", [["x", 1]]), ("override_tensor", [["x"]]), ("tensor_split", ["1"]),
        ("tensor_split", 1), ("mmproj", "\0"),
        ("extra", "a\0"), ("extra", "'"), ("extra", "words"), ("extra", 1),
        ("cache_type_v", "Q8_0"), ("preset", "x"), ("nothing", 1),
    ],
)  # fmt: skip
def test_what_is_refused(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"left out|it is kept"):
        option_value(option, value)


def test_short_forms() -> None:
    assert option_value("lora", ["/x.gguf", ["/y.gguf", 2]]) == (("/x.gguf", 1.0), ("/y.gguf", 2.0))
    assert option_value("n_gpu_layers", "auto") == AUTO


def test_options_together_are_checked() -> None:
    assert with_options(LoadPlan(threads=2), {"ctx_size": 5}) == LoadPlan(threads=2, ctx_size=5)
    with pytest.raises(UsageError, match="flash attention"):
        with_options(LoadPlan(), {"flash_attn": FlashAttention.OFF, "cache_type_v": "q4_0"})
