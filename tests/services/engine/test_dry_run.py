"""The dry run with the real llama.cpp, over ghosts of real models."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.errors import BadFileError, EngineError, PlanRefusedError
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.plan import FlashAttention, LoadPlan
from qtui.core.origin import Origin
from qtui.core.text import MIB
from qtui.services.engine.dry_run import DryRunClient
from qtui.services.library.source import read_file_header
from tests.builders.gguf import Tensor, build
from tests.conftest import HEADER_NAMES, HEADER_SIZES, HEADERS
from tests.services.engine.scripts import gone, until
from tests.services.engine.weighing import PLAN, left_over, padded_sum, variant, weights

# Context bytes at 32 768 tokens (cache and recurrent state): f16, q8_0, and in f16 with four slots that share the
# cache. From llama.cpp's own account at commit 0c1e570; the one without slots worked out by hand:
# 48 layers · (K + V) · 4 heads · 128 · 32 768 cells.
GOLDEN = {
    "llama3.1-8b": (4294967296, 2281701376, 4294967296),
    "gemma3-27b": (3338665984, 1773666304, 4647288832),
    "gpt-oss-20b": (824180736, 437846016, 830472192),
    "deepseek-v2-lite": (1019215872, 541458432, 1019215872),
    "glm-4.7-flash": (1774190592, 942538752, 1774190592),
    "lfm2-1.2b": (402653184 + 163840, 213909504 + 163840, 402653184 + 655360),
    "qwen3.5-27b": (2147483648 + 156893184, 1140850688 + 156893184, None),
    "qwen3-30b-a3b": (48 * 2 * 4 * 128 * 2 * 32768, 48 * 2 * 4 * 128 * 34 // 32 * 32768, None),
}


async def test_every_ghost_has_a_footprint_whose_weights_are_its_tensors(
    client: DryRunClient, ghosts: dict[str, Path]
) -> None:
    for name in HEADER_NAMES:
        footprint = await client.footprint(variant(ghosts[name]), PLAN)
        header = read_file_header(ghosts[name])
        assert weights(footprint) == padded_sum(header), name
        assert footprint.origin is Origin.DRY_RUN and footprint.plan.flash_attn is FlashAttention.ON
        assert footprint.kind_bytes("context") > 0 and footprint.kind_bytes("compute") > 0, name
        assert footprint.pools.vram == () and footprint.total == footprint.pools.ram
        extra = sum(item.bytes for item in footprint.extra)
        assert footprint.total == sum(device.total for device in footprint.devices) + extra
        plain = sum(device.weights for device in footprint.devices if device.name == "CPU")
        assert footprint.pools.ram_file_backed == plain
        assert footprint.peak >= HEADER_SIZES[name]


async def test_the_context_is_exact_to_the_byte(client: DryRunClient, ghosts: dict[str, Path]) -> None:
    plan = replace(PLAN, ctx_size=32768)
    for name, (plain, quantised, slots) in GOLDEN.items():
        model = variant(ghosts[name])
        assert (await client.footprint(model, plan)).kind_bytes("context") == plain, name
        small = await client.footprint(model, replace(plan, cache_type_k="q8_0", cache_type_v="q8_0"))
        assert small.kind_bytes("context") == quantised, name
        if slots is not None:
            shared = await client.footprint(model, replace(plan, parallel=4))
            assert shared.kind_bytes("context") == slots, name


async def test_the_compute_buffer_counts_one_row_of_logits(client: DryRunClient, ghosts: dict[str, Path]) -> None:
    plan = replace(PLAN, ctx_size=8192)
    footprint = await client.footprint(variant(ghosts["llama3.1-8b"]), plan)
    assert footprint.kind_bytes("compute") == 130_035_744
    assert {item.item: item.bytes for item in footprint.extra}["output rows"] == 4 * 128_256
    off = await client.footprint(variant(ghosts["llama3.1-8b"]), replace(plan, flash_attn=FlashAttention.OFF))
    assert off.plan.flash_attn is FlashAttention.OFF
    assert off.kind_bytes("compute") > 2 * footprint.kind_bytes("compute")


async def test_options_reach_llama_cpp(client: DryRunClient, ghosts: dict[str, Path]) -> None:
    gemma = variant(ghosts["gemma3-27b"])
    sliding, full = [await client.footprint(gemma, replace(PLAN, ctx_size=32768, swa_full=on)) for on in (False, True)]
    assert full.kind_bytes("context") == 16_642_998_272
    assert full.kind_bytes("context") > 4 * sliding.kind_bytes("context")
    llama = variant(ghosts["llama3.1-8b"])
    small = await client.footprint(llama, replace(PLAN, ubatch_size=64))
    assert small.kind_bytes("compute") < (await client.footprint(llama, PLAN)).kind_bytes("compute") // 4
    moe = variant(ghosts["qwen3-30b-a3b"])
    for more in (
        {"n_cpu_moe": 3},
        {"cpu_moe": True},
        {"override_tensor": ((r"ffn_.*_exps", "CPU"),)},
        {"tensor_split": (3.0, 1.0)},
    ):
        # On the CPU alone these change no size, but a wrong structure would crash or be refused.
        placed = await client.footprint(moe, replace(PLAN, **more))
        assert weights(placed) == padded_sum(read_file_header(ghosts["qwen3-30b-a3b"]))


REFUSALS: tuple[tuple[str, LoadPlan, str, str], ...] = (
    ("llama3.1-8b", replace(PLAN, cache_type_v="q8_0", flash_attn=FlashAttention.OFF), "needs flash attention", "f16"),
    ("deepseek-v2-lite", replace(PLAN, cache_type_k="q8_0"), "must be the same, not q8_0 and f16", "same type"),
    ("llama3.1-8b", replace(PLAN, override_tensor=(("(", "CPU"),)), "not a regular expression", "brackets"),
    ("llama3.1-8b", replace(PLAN, override_tensor=(("ffn", "CUDA7"),)), "no buffer type CUDA7", "CPU"),
)


async def test_refused_plans_are_sentences_and_the_helper_lives(client: DryRunClient, ghosts: dict[str, Path]) -> None:
    await client.footprint(variant(ghosts["llama3.1-8b"]), PLAN)
    helper = client.helper_pid
    for name, plan, message, hint in REFUSALS:
        with pytest.raises(PlanRefusedError) as refused:
            await client.footprint(variant(ghosts[name]), plan)
        assert message in refused.value.message and hint in refused.value.hint
    with pytest.raises(EngineError, match="at most 8 slots"):
        await client.footprint(variant(ghosts["llama3.1-8b"]), replace(PLAN, parallel=9))
    assert client.helper_pid == helper
    await client.footprint(variant(ghosts["llama3.1-8b"]), PLAN)


def patched(name: str, folder: Path, key: str, change: Callable[[bytes], bytes]) -> Path:
    """A ghost with another value of one 32-bit key."""
    content = (HEADERS / f"{name}.header").read_bytes()
    at = content.index(key.encode()) + len(key) + 4
    path = folder / f"{name}-patched.gguf"
    path.write_bytes(content[:at] + change(content[at : at + 4]) + content[at + 4 :])
    os.truncate(path, HEADER_SIZES[name])
    return path


def small_model(folder: Path, head: int) -> Path:
    """Write a whole llama model of one block and two heads, zeros all of it."""
    width, wide = 2 * head, 128
    image = build(
        {
            "general.architecture": "llama", "llama.block_count": 1, "llama.context_length": 4096,
            "llama.embedding_length": width, "llama.feed_forward_length": wide, "llama.attention.head_count": 2,
            "llama.attention.layer_norm_rms_epsilon": 1e-5, "llama.rope.dimension_count": head,
            "llama.vocab_size": 64, "tokenizer.ggml.model": "none",
        },
        [
            Tensor("token_embd.weight", (width, 64)), Tensor("output_norm.weight", (width,)),
            *(Tensor(f"blk.0.{part}_norm.weight", (width,)) for part in ("attn", "ffn")),
            *(Tensor(f"blk.0.attn_{part}.weight", (width, width)) for part in ("q", "k", "v", "output")),
            *(Tensor(f"blk.0.ffn_{part}.weight", (width, wide)) for part in ("gate", "up")),
            Tensor("blk.0.ffn_down.weight", (wide, width)),
        ],
    )  # fmt: skip
    return image.write(folder / f"heads-of-{head}.gguf")


async def test_a_head_size_that_the_blocks_do_not_divide_is_refused(client: DryRunClient, tmp_path: Path) -> None:
    fitting, odd = variant(small_model(tmp_path, 64)), variant(small_model(tmp_path, 40))
    for kind in ("k", "v"):
        plan = replace(PLAN, **{f"cache_type_{kind}": "q8_0"})  # type: ignore[arg-type]
        await client.footprint(fitting, plan)
        with pytest.raises(PlanRefusedError) as refused:
            await client.footprint(odd, plan)
        assert f"a q8_0 {kind.upper()} cache comes in blocks of 32" in refused.value.message
        assert "head size of 40" in refused.value.message
        assert f"--cache-type-{kind} f16" in refused.value.hint
    await client.footprint(odd, PLAN)


async def test_an_abort_is_a_message_and_the_next_question_gets_a_new_helper(
    client: DryRunClient, ghosts: dict[str, Path], tmp_path: Path
) -> None:
    path = patched("qwen3moe-moe", tmp_path, "expert_used_count", lambda _: (99).to_bytes(4, "little"))
    await client.footprint(variant(ghosts["qwen3moe-moe"]), PLAN)
    helper = client.helper_pid
    with pytest.raises(
        BadFileError, match=r"gave up on this file: llama-model\.cpp:\d+: GGML_ASSERT\(n_expert"
    ) as died:
        await client.footprint(variant(path), PLAN)
    assert died.value.hint and helper is not None and gone(helper)
    assert client.helper_pid is None and left_over() == []
    good = await client.footprint(variant(ghosts["qwen3moe-moe"]), PLAN)
    assert good.origin is Origin.DRY_RUN and client.helper_pid != helper


async def test_a_killed_helper_is_replaced(client: DryRunClient, ghosts: dict[str, Path]) -> None:
    model = variant(ghosts["qwen3-dense"])
    first = await client.footprint(model, PLAN)
    helper = client.helper_pid
    assert helper is not None
    os.kill(helper, signal.SIGKILL)
    assert await client.footprint(model, PLAN) == first
    assert client.helper_pid not in (None, helper)


async def test_questions_queue_and_one_that_is_dropped_takes_no_other_along(
    client: DryRunClient, ghosts: dict[str, Path]
) -> None:
    model = variant(ghosts["llama3.1-8b"])
    asks = [asyncio.create_task(client.footprint(model, replace(PLAN, ctx_size=1024 * n))) for n in (1, 2, 3)]
    await until(lambda: client.helper_pid is not None)
    asks[0].cancel()
    results = await asyncio.gather(*asks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    sizes = [result.kind_bytes("context") for result in results[1:] if isinstance(result, Footprint)]
    assert sizes == [2048 * 131072, 3072 * 131072]


async def test_an_idle_helper_goes_and_takes_its_files_along(ghosts: dict[str, Path]) -> None:
    client = DryRunClient(idle=0.05)
    model = variant(ghosts["qwen3-dense"])
    for _ in range(2):
        await client.footprint(model, PLAN)
        helper = client.helper_pid
        assert helper is not None
        assert [entry for entry in left_over() if entry.is_file()] == []
        await until(lambda: client.helper_pid is None)
        await until(lambda pid=helper: gone(pid))  # type: ignore[misc]
        await until(lambda: left_over() == [])
    await client.close()


async def test_the_time_limit_ends_the_helper(ghosts: dict[str, Path]) -> None:
    client = DryRunClient(time_limit=0.0)
    with pytest.raises(EngineError, match="stopped after 0 s"):
        await client.footprint(variant(ghosts["qwen3-dense"]), PLAN)
    assert client.helper_pid is None and left_over() == []
    await client.close()


async def test_without_llama_cpp_there_is_a_hint(
    ghosts: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "llama_cpp.py").write_text("")  # stands before the real one, and is no package
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    client = DryRunClient()
    with pytest.raises(EngineError, match="llama-cpp-python is not installed") as missing:
        await client.footprint(variant(ghosts["qwen3-dense"]), PLAN)
    assert "pip install" in missing.value.hint and client.helper_pid is None
    await client.close()


async def test_recurrent_state_is_bounded(ghosts: dict[str, Path]) -> None:
    client = DryRunClient(options=("--address-space", str(1024 * MIB)))
    model = variant(ghosts["qwen3.5-27b"])
    assert (await client.footprint(model, PLAN)).kind_bytes("context") == 16 * 2 * 4 * 256 * 2 * 4096 + 156_893_184
    helper = client.helper_pid
    with pytest.raises(EngineError, match="recurrent state of so many slots"):  # so that the closed form stays
        await client.footprint(model, replace(PLAN, parallel=8))
    assert client.helper_pid == helper
    await client.close()


async def test_log_lines_stand_in_where_the_account_is_missing(client: DryRunClient, ghosts: dict[str, Path]) -> None:
    by_log = DryRunClient(options=("--from-log",))
    for name in ("llama3.1-8b", "gemma3-27b", "lfm2-1.2b", "qwen3.5-27b", "jamba-dense"):
        exact = await client.footprint(variant(ghosts[name]), PLAN)
        logged = await by_log.footprint(variant(ghosts[name]), PLAN)
        assert logged.origin is Origin.COMPUTED and logged.notes
        assert abs(logged.kind_bytes("weights") - weights(exact)) <= 32 * 1000, name
        for kind in ("context", "compute"):
            assert abs(logged.kind_bytes(kind) - exact.kind_bytes(kind)) <= 0.02 * MIB, (name, kind)
    await by_log.close()
