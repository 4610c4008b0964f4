"""A plan as llama.cpp's parameters: read back from the structures that are handed over."""

from __future__ import annotations

import ctypes

import pytest

from qtui.core.errors import PlanRefusedError
from qtui.core.memory.plan import CACHE_TYPES, FlashAttention, LoadMode, LoadPlan
from qtui.services.engine.child.native import Native, open_native
from qtui.services.engine.child.params import EXPERTS, GGML_TYPES, buffer_types, context_params, model_params


@pytest.fixture(scope="module")
def native() -> Native:
    """llama.cpp in the tests' own process: nothing is loaded, so nothing can abort."""
    return open_native()


class Override(ctypes.Structure):
    """llama_model_tensor_buft_override."""

    _fields_ = (("pattern", ctypes.c_char_p), ("buffer_type", ctypes.c_void_p))


def test_overrides_stand_in_the_order_they_are_tried(native: Native) -> None:
    plan = LoadPlan(override_tensor=(("first", "CPU"), ("second", "CPU")), n_cpu_moe=2, cpu_moe=True)
    params = model_params(native, plan)
    array = ctypes.cast(params.value.tensor_buft_overrides, ctypes.POINTER(Override))
    patterns = [array[i].pattern.decode() for i in range(5)]
    assert patterns == ["first", "second", rf"blk\.0{EXPERTS}", rf"blk\.1{EXPERTS}", EXPERTS]
    assert {array[i].buffer_type for i in range(5)} == {buffer_types(native)["CPU"]}
    assert (array[5].pattern, array[5].buffer_type) == (None, None)


def test_a_plan_without_placement_leaves_llama_cpps_defaults(native: Native) -> None:
    value, default = model_params(native, LoadPlan()).value, native.api.llama_model_default_params()
    for name in ("tensor_buft_overrides", "n_gpu_layers", "load_mode", "main_gpu", "split_mode", "use_extra_bufts"):
        assert getattr(value, name) == getattr(default, name)


def test_placement(native: Native) -> None:
    plan = LoadPlan(n_gpu_layers=7, load_mode=LoadMode.MMAP_MLOCK, main_gpu=1, tensor_split=(3.0, 1.0))
    value = model_params(native, plan).value
    mode = native.api.llama_load_mode_name(value.load_mode)
    assert (value.n_gpu_layers, mode, value.main_gpu) == (7, b"mmap+mlock", 1)
    assert value.tensor_split[:3] == [3.0, 1.0, 0.0]


@pytest.mark.parametrize("mode", [*LoadMode])
def test_load_modes_have_llama_cpps_names(native: Native, mode: LoadMode) -> None:
    value = model_params(native, LoadPlan(load_mode=mode)).value
    assert native.api.llama_load_mode_name(value.load_mode).decode() == mode.value


def test_cache_types_have_llama_cpps_numbers(native: Native) -> None:
    name = native.symbol("ggml_type_name", ctypes.c_char_p, ctypes.c_int)
    assert {kind: name(number).decode() for kind, number in GGML_TYPES.items()} == {kind: kind for kind in CACHE_TYPES}


def test_context(native: Native) -> None:
    plan = LoadPlan(
        ctx_size=4096, threads=3, batch_size=256, ubatch_size=64, parallel=4, swa_full=True, no_kv_offload=True,
        cache_type_k="bf16", cache_type_v="iq4_nl", flash_attn=FlashAttention.OFF,
    )  # fmt: skip
    value = context_params(native, plan)
    assert (value.n_ctx, value.n_batch, value.n_ubatch, value.n_seq_max) == (4096, 256, 64, 4)
    assert (value.n_threads, value.n_threads_batch) == (3, 3)
    assert (value.type_k, value.type_v, value.flash_attn_type) == (30, 20, 0)
    assert (value.swa_full, value.offload_kqv, value.kv_unified) == (True, False, True)
    assert context_params(native, LoadPlan()).n_outputs_max == 1
    assert context_params(native, LoadPlan(threads=2, threads_batch=8)).n_threads_batch == 8


def test_what_cannot_be_placed_is_refused(native: Native) -> None:
    with pytest.raises(PlanRefusedError, match="CUDA7"):
        model_params(native, LoadPlan(override_tensor=(("x", "CUDA7"),)))
    with pytest.raises(PlanRefusedError, match="99 devices"):
        model_params(native, LoadPlan(tensor_split=(1.0,) * 99))
    with pytest.raises(PlanRefusedError, match="too many"):
        model_params(native, LoadPlan(n_cpu_moe=4096))
