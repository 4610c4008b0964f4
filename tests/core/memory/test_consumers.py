from __future__ import annotations

import pytest

from qtui.core.memory.consumers import BUILT_IN, CONSUMERS, consumer_of, left_open
from qtui.core.memory.extras import draft, driver_items, process_base
from qtui.core.memory.footprint import ExtraItem, Footprint, Pools
from qtui.core.memory.plan import FlashAttention, LoadPlan
from qtui.core.origin import Origin
from qtui.core.text import MIB


@pytest.mark.parametrize(
    ("engine", "name"),
    [
        ("built-in", "built-in"),
        ("/opt/llama.cpp/bin/llama-server", "llama-server"),
        ("llama-server.exe", "llama-server"),
        ("/usr/bin/llama-completion", "llama-cli"),
        ("llama-cpp-python", "llama-cpp-python"),
        ("something else", "built-in"),
    ],
)
def test_an_engine_s_name_or_path_tells_which_program_it_is(engine: str, name: str) -> None:
    assert consumer_of(engine).name == name


def test_rows_of_logits_and_shared_caches() -> None:
    plan = LoadPlan(ctx_size=4096, parallel=4)
    assert [c.rows(plan) for c in CONSUMERS] == [4, 4, 2048, 2048]
    assert [c.shares_cache(plan) for c in CONSUMERS] == [True, True, False, False]
    assert not BUILT_IN.shares_cache(LoadPlan())
    assert consumer_of("llama-cli").rows(LoadPlan(ctx_size=512)) == 512


def test_what_a_plan_leaves_open_is_the_engine_s_own() -> None:
    assert left_open(LoadPlan(), 4096) == LoadPlan()  # the built-in one is resolved by the plan itself
    python = left_open(LoadPlan(engine="llama-cpp-python"), 4096)
    assert (python.ctx_size, python.flash_attn) == (512, FlashAttention.OFF)
    server = left_open(LoadPlan(engine="llama-server"), 40960)
    assert (server.ctx_size, server.flash_attn) == (40960, FlashAttention.AUTO)
    told = LoadPlan(engine="llama-cpp-python", ctx_size=1024, flash_attn=FlashAttention.ON)
    assert left_open(told, 4096) == told


@pytest.mark.parametrize(
    ("description", "measured"),
    [("NVIDIA GeForce RTX 4060 Ti", 107), ("NVIDIA GeForce RTX 3090", 256), ("NVIDIA RTX PRO 6000 Blackwell", 555)],
)
def test_the_driver_s_context_grows_with_the_card(description: str, measured: int) -> None:
    context, workspace = driver_items(1, "CUDA1", description)
    assert context.pool == workspace.pool == "vram1"
    assert abs(context.bytes - measured * MIB) <= context.band
    assert workspace.bytes == (32 if "PRO" in description else 4) * MIB


def test_other_drivers_have_wide_bands_and_a_network_has_none() -> None:
    unknown = driver_items(0, "CUDA0", "A card")[0]
    assert unknown.bytes - unknown.band <= 107 * MIB and unknown.bytes + unknown.band >= 500 * MIB
    assert [item.item for item in driver_items(0, "Vulkan0", "")] == ["driver context"]
    assert driver_items(0, "RPC0", "") == ()


def test_a_draft_model_is_one_item_per_pool_without_a_second_process() -> None:
    base = process_base()
    extra = (
        base, ExtraItem("tokenizer", "ram_anonymous", 5, Origin.COMPUTED),
        ExtraItem("driver context", "vram0", 1000, Origin.COMPUTED),
    )  # fmt: skip
    pools = Pools(base.bytes + 105, 200, (1300,))
    whole = Footprint(LoadPlan(), (), extra, pools, 0, 0, 0, Origin.DRY_RUN)
    assert [(item.pool, item.bytes, item.origin) for item in draft(whole)] == [
        ("ram_anonymous", 105, Origin.DRY_RUN),
        ("ram_file_backed", 200, Origin.DRY_RUN),
        ("vram0", 300, Origin.DRY_RUN),
    ]
