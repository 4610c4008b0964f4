from __future__ import annotations

import time
from dataclasses import replace

import pytest

from qtui.core.errors import BadFileError, PlanRefusedError
from qtui.core.gguf.types import TYPE_IDS
from qtui.core.hardware import EngineInfo
from qtui.core.memory.closed_form.exactness import APPROXIMATE, EXACT, compute_band
from qtui.core.memory.closed_form.formula import footprint_of
from qtui.core.memory.closed_form.table import ModelTable
from qtui.core.memory.consumers import CONSUMERS
from qtui.core.memory.footprint import DeviceBytes, Footprint
from qtui.core.memory.plan import ALL_LAYERS, FlashAttention, LoadMode, LoadPlan
from qtui.core.memory.side_files import SideFile, SideFiles
from qtui.core.origin import Origin
from qtui.core.text import GIB, MIB
from tests.builders.gguf import Tensor
from tests.builders.models import attention, table_of
from tests.conftest import HEADER_NAMES
from tests.core.memory.closed_form.headers import AVX512, header_table, with_cards

PLAN = LoadPlan(ctx_size=8192, n_gpu_layers=0, load_mode=LoadMode.MMAP)
OFF = FlashAttention.OFF
TENSORS = (
    Tensor("token_embd.weight", (512, 1000)), Tensor("output_norm.weight", (512,)),
    *(Tensor(f"blk.{i}.{part}.weight", shape) for i in range(3)
      for part, shape in (("attn_q", (512, 512)), ("ffn_gate", (512, 2048)), ("ffn_up", (512, 2048)),
                          ("ffn_down", (2048, 512)))),
)  # fmt: skip


def device(footprint: Footprint, name: str) -> DeviceBytes:
    return next(row for row in footprint.devices if row.name == name)


def extra(footprint: Footprint) -> dict[str, int]:
    return {item.item: item.bytes for item in footprint.extra}


def test_llama_3_1_8b_in_ram_as_llama_cpp_accounts_for_it() -> None:
    table = header_table("llama3.1-8b")
    found = footprint_of(table, PLAN, AVX512)
    cpu, repacked = device(found, "CPU"), device(found, "CPU_REPACK")
    assert (cpu.weights, repacked.weights, cpu.context) == (727_507_200, 3_925_868_544, 1_073_741_824)
    assert abs(cpu.compute - 130_035_744) < 0.01 * 130_035_744
    off = footprint_of(table, replace(PLAN, flash_attn=OFF), AVX512)
    assert off.plan.flash_attn is OFF and found.plan.flash_attn is FlashAttention.ON
    whole = footprint_of(table, replace(PLAN, engine="llama-cli"), AVX512)
    assert abs(device(whole, "CPU").compute - 279_447_552) < 0.01 * 279_447_552  # a row of logits for every token
    assert found.origin is Origin.COMPUTED and found.notes == ()
    assert extra(found)["output rows"] == 4 * 128_256
    assert found.pools.ram == found.total == cpu.total + repacked.total + sum(extra(found).values())


def test_on_one_card_the_compute_buffer_is_what_published_logs_say() -> None:
    # 258.50 MiB at 8 192 tokens, and 8 MiB of embedding rows beside the mask in pinned memory.
    plan = replace(PLAN, n_gpu_layers=ALL_LAYERS, engine="llama-cli")
    found = footprint_of(header_table("llama3.1-8b"), plan, with_cards(24))
    assert device(found, "CUDA0").compute / MIB == pytest.approx(258.5, abs=0.1)
    assert device(found, "CUDA_Host").compute == 2 * 4 * 512 * 4096 + 2 * 512 * 8192
    assert device(found, "CUDA0").context == 1_073_741_824
    assert found.pools.vram == (device(found, "CUDA0").total + sum(
        item.bytes for item in found.extra if item.pool == "vram0"
    ),)  # fmt: skip
    assert {"driver context", "cuBLAS workspace"} <= set(extra(found)) and found.band > 0


def test_partly_on_a_card_large_batches_bring_weights_along() -> None:
    table = header_table("qwen3-30b-a3b")
    plan = replace(PLAN, n_gpu_layers=ALL_LAYERS)
    whole, partly = (footprint_of(table, p, with_cards(24)) for p in (plan, replace(plan, cpu_moe=True)))
    experts = max(row.size for row in table.rows if "_exps" in row.name)
    assert device(partly, "CUDA0").compute - device(whole, "CUDA0").compute >= experts
    kept = footprint_of(table, replace(plan, no_kv_offload=True), with_cards(24))
    assert device(kept, "CUDA0").context == 0
    assert device(kept, "CPU").context == device(whole, "CUDA0").context


def test_two_cards_hold_copies_of_their_inputs() -> None:
    plan = replace(PLAN, n_gpu_layers=ALL_LAYERS)
    one, two = (footprint_of(header_table("llama3.1-8b"), plan, with_cards(*cards)) for cards in ((24,), (12, 12)))
    # RoPE's factors, 256 bytes, lie on both.
    assert sum(device(two, name).weights for name in ("CUDA0", "CUDA1")) == device(one, "CUDA0").weights + 256
    assert sum(device(two, name).context for name in ("CUDA0", "CUDA1")) == device(one, "CUDA0").context
    mask = 2 * 512 * 8192
    assert device(two, "CUDA0").compute >= device(one, "CUDA0").compute + 3 * mask
    alone = footprint_of(header_table("llama3.1-8b"), plan, with_cards(12, 12, name="GPUOpenCL"))
    assert device(alone, "GPUOpenCL0").compute <= device(one, "CUDA0").compute


OVER_RPC: list[tuple[int, dict[str, object], dict[str, int]]] = [
    (1, {}, {"RPC0": 117_450_784, "CPU": 20_983_840}),
    (1, {"n_gpu_layers": 1}, {"RPC0": 529_408, "CPU": 125_841_440}),
    (1, {"n_gpu_layers": 16}, {"RPC0": 109_062_176, "CPU": 125_841_440}),
    (1, {"no_kv_offload": True}, {"RPC0": 125_831_168, "CPU": 20_983_840}),
    (2, {}, {"RPC0": 163_618_816, "RPC1": 197_173_376, "CPU": 58_769_536}),
    (2, {"n_gpu_layers": 32}, {"RPC0": 109_062_144, "RPC1": 109_062_176, "CPU": 125_841_440}),
]


@pytest.mark.parametrize(("cards", "more", "told"), OVER_RPC)
def test_devices_hold_what_llama_cpp_told_of_loopback_rpc_devices(
    cards: int, more: dict[str, object], told: dict[str, int]
) -> None:
    """Compute buffers of Llama 3.1 8B at 4 096 tokens, from llama.cpp's account over RPC, whose CPUs count as GPUs."""
    plan = replace(PLAN, **{"ctx_size": 4096, "n_gpu_layers": ALL_LAYERS, **more})  # type: ignore[arg-type]
    info = with_cards(*(24,) * cards, name="RPC", features=("AVX2", "AVX512", "REPACK"))
    found = footprint_of(header_table("llama3.1-8b"), plan, info)
    sizes = {row.name.replace("[A card]", ""): row.compute for row in found.devices if row.compute}
    assert sizes == pytest.approx(told, rel=0.01)


def test_a_card_has_the_parts_that_it_holds() -> None:
    table = header_table("qwen3-30b-a3b")
    plan = replace(PLAN, ctx_size=4096, n_gpu_layers=ALL_LAYERS)
    info = with_cards(24, name="RPC")
    some, none = (footprint_of(table, replace(plan, **m), info) for m in ({"n_cpu_moe": 1}, {"cpu_moe": True}))
    for found, card, ram in ((some, 92_284_960, 79_965_760), (none, 54_536_192, 79_965_760)):
        for name, told in (("RPC0[A card]", card), ("CPU", ram)):
            row = device(found, name)
            assert abs(row.compute - told) <= min(row.band, 0.25 * told)


def test_a_cache_of_another_type_is_widened_on_cuda() -> None:
    plan = replace(PLAN, ctx_size=131072, n_gpu_layers=ALL_LAYERS)
    q8_0 = replace(plan, cache_type_k="q8_0", cache_type_v="q8_0")
    table = header_table("llama3.1-8b")
    plain, widened = (device(footprint_of(table, p, with_cards(24)), "CUDA0").compute for p in (plan, q8_0))
    assert widened - plain == 512 * MIB  # one layer's K and V in f16
    latent = header_table("deepseek-v2-lite")
    plain, widened = (device(footprint_of(latent, p, with_cards(24)), "CUDA0").compute for p in (plan, q8_0))
    assert widened - plain == 2 * 131072 * 576  # K only


REFUSED = [
    ("llama3.1-8b", {"cache_type_v": "q8_0", "flash_attn": OFF}, "a quantised V cache needs flash attention", "f16"),
    ("deepseek-v2-lite", {"cache_type_k": "q8_0"}, "must be the same, not q8_0 and f16", "the same type"),
    ("llama3.1-8b", {"override_tensor": (("ffn", "CUDA7"),)}, "no buffer type CUDA7", "this build has: CPU"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "more", "message", "hint"), REFUSED)
def test_what_llama_cpp_refuses_is_refused(name: str, more: dict[str, object], message: str, hint: str) -> None:
    with pytest.raises(PlanRefusedError) as refused:
        footprint_of(header_table(name), replace(PLAN, **more), AVX512, title="A Q4")  # type: ignore[arg-type]
    assert refused.value.message.startswith("A Q4: ") and message in refused.value.message
    assert hint in refused.value.hint


def test_heads_that_the_blocks_do_not_divide_are_refused() -> None:
    table = table_of("llama", attention(3, 400, 5, 5, 80), TENSORS)
    for part in ("k", "v"):
        plan = replace(PLAN, **{f"cache_type_{part}": "q8_0"})  # type: ignore[arg-type]
        with pytest.raises(PlanRefusedError, match=f"a q8_0 {part.upper()} cache.*head size of 80"):
            footprint_of(table, plan, AVX512)
    narrow = table_of("llama", attention(3, 400, 5, 1, 80), TENSORS)
    with pytest.raises(PlanRefusedError, match="do not divide this model's rows"):
        footprint_of(narrow, replace(PLAN, cache_type_k="q8_0", flash_attn=OFF), AVX512)
    footprint_of(table, PLAN, AVX512)


def test_grok_runs_without_flash_attention() -> None:
    table = table_of("grok", attention(3, 512, 8, 2, 64), TENSORS)
    assert footprint_of(table, PLAN, AVX512).plan.flash_attn is OFF
    with pytest.raises(PlanRefusedError, match="needs flash attention"):
        footprint_of(table, replace(PLAN, cache_type_v="q8_0"), AVX512)


def test_an_unknown_architecture_is_served_and_says_so() -> None:
    values = attention(3, 512, 8, 2, 64)
    known, unknown = (footprint_of(table_of(name, values, TENSORS), PLAN, AVX512) for name in ("llama", "qtui9"))
    assert unknown.total == known.total and known.notes == ()
    assert "qtui9 is not known here" in unknown.notes[0]
    assert unknown.band > known.band + device(unknown, "CPU").context // 5
    indexed = footprint_of(table_of("deepseek32", values, TENSORS), PLAN, AVX512)
    assert "deepseek32 models is approximate" in indexed.notes[0]


def test_every_architecture_is_exact_or_named_as_approximate() -> None:
    assert not EXACT & APPROXIMATE
    assert all(0 < compute_band(name, PLAN, True) < 1 for name in EXACT | APPROXIMATE | {"qtui9"})


def test_gates_and_widths_come_from_the_tensors() -> None:
    values = attention(3, 512, 8, 2, 64)
    gated = table_of("llama", values, TENSORS)
    assert gated.gated and gated.feed_forward == 2048
    single = table_of("llama", values, tuple(t for t in TENSORS if "gate" not in t.name))
    assert not single.gated
    fused = tuple(replace(t, shape=(512, 4096)) if "ffn_up" in t.name else t for t in TENSORS if "gate" not in t.name)
    assert table_of("phi3", values, fused).gated
    sizes = [device(footprint_of(t, PLAN, AVX512), "CPU").compute for t in (gated, single)]
    assert sizes[0] > sizes[1] + 4 * 512 * 2048


BAD: list[dict[str, object]] = [
    {},
    {"block_count": 0, "embedding_length": 512},
    {"block_count": 100_000, "embedding_length": 512, "attention.head_count": 8},
    {"block_count": 600, "embedding_length": 512, "attention.head_count": 8},
    {"block_count": 4},
]


@pytest.mark.parametrize("values", BAD)
def test_a_header_that_lies_is_an_error_at_once(values: dict[str, int]) -> None:
    start = time.process_time()
    with pytest.raises(BadFileError) as bad:
        footprint_of(table_of("llama", values, TENSORS), PLAN, AVX512, title="A Q4")
    assert bad.value.message.startswith("A Q4 ") and bad.value.hint
    assert time.process_time() - start < 1


def test_absurd_widths_are_numbers_and_nothing_worse() -> None:
    values = attention(512, (1 << 32) - 1, (1 << 32) - 1, (1 << 32) - 1, (1 << 32) - 1)
    found = footprint_of(table_of("llama", values, TENSORS), PLAN, AVX512)
    assert found.kind_bytes("context") > 1 << 60


def test_side_files_are_items_of_their_own() -> None:
    files = SideFiles((SideFile("a.gguf", 1000),), SideFile("p.gguf", 5000))
    table = header_table("llama3.1-8b")
    in_ram = footprint_of(table, PLAN, AVX512, beside=files)
    assert extra(in_ram).items() >= {"adapter a.gguf": 1000, "projector": 5000}.items()
    on_card = footprint_of(table, replace(PLAN, n_gpu_layers=ALL_LAYERS), with_cards(24), beside=files)
    pools = {item.item: item.pool for item in on_card.extra}
    assert pools["projector"] == pools["adapter a.gguf"] == "vram0" and pools["process"] == "ram_anonymous"


def test_one_file_needs_different_memory_under_each_program() -> None:
    table = header_table("gemma3-27b")
    found = {c.name: footprint_of(table, c.defaults(trained=32768), AVX512) for c in CONSUMERS}
    sizes = {name: (f.kind_bytes("context"), f.plan.ctx_size) for name, f in found.items()}
    assert sizes["llama-server"][1] == sizes["llama-cli"][1] == 32768
    assert (sizes["built-in"][1], sizes["llama-cpp-python"][1]) == (8192, 512)
    # Four slots that share one cache keep four windows.
    assert sizes["llama-server"][0] == 4647288832 and sizes["llama-cli"][0] == 3338665984
    assert "prompt cache" in extra(found["llama-server"]) and "scores" in extra(found["llama-cpp-python"])
    assert extra(found["llama-cpp-python"])["scores"] == 4 * 512 * 262_208
    assert found["llama-cpp-python"].plan.flash_attn is OFF
    long = replace(CONSUMERS[3].defaults(), ctx_size=32768)
    assert footprint_of(table, long, AVX512).kind_bytes("context") == 16642998272  # windows are kept whole there


def test_a_mapping_keeps_what_is_used_where_it_lies() -> None:
    table = header_table("llama3.1-8b")
    mapped = footprint_of(table, PLAN, AVX512)
    assert mapped.pools.ram_file_backed == device(mapped, "CPU").weights
    assert mapped.peak > mapped.pools.ram_anonymous + sum(table.file_sizes) - MIB
    copied = footprint_of(table, replace(PLAN, load_mode=LoadMode.NONE), AVX512)
    assert copied.pools.ram_file_backed == 0 and copied.reclaimable == 0
    largest = max(row.size for row in table.rows if row.type_id == TYPE_IDS["Q4_K"] and row.name.startswith("blk."))
    assert copied.peak - copied.pools.ram >= largest  # read into a buffer of its own before it is stored anew


def all_plans() -> list[LoadPlan]:
    types = ("f16", "q8_0", "q4_0")
    return [
        replace(PLAN, ctx_size=ctx, cache_type_k=kind, cache_type_v=kind)
        for ctx in (512, 2048, 4096, 8192, 32768, 131072) for kind in types
    ]  # fmt: skip


def test_a_plan_costs_a_few_milliseconds() -> None:
    tables: list[ModelTable] = [header_table(name) for name in HEADER_NAMES]
    plans = all_plans()
    cards = with_cards(12, 12)
    for info in (AVX512, cards):
        start = time.perf_counter()
        for table in tables:
            for plan in plans:
                footprint_of(table, plan if info is AVX512 else replace(plan, n_gpu_layers=20, n_cpu_moe=10), info)
        each = (time.perf_counter() - start) / (len(tables) * len(plans))
        print(f"\n{len(tables)} variants x {len(plans)} plans: {1000 * each:.2f} ms each")
        assert each < 0.005


def test_an_engine_that_cannot_be_used_leaves_the_weights_as_they_are() -> None:
    found = footprint_of(header_table("llama3.1-8b"), PLAN, EngineInfo("built-in", usable=False))
    assert [row.name for row in found.devices] == ["CPU"] and found.total > 4 * GIB
