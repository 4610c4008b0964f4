"""What llama.cpp answered is kept for the next start, by header, build and what of the plan counts."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.errors import PlanRefusedError
from qtui.core.hardware import Device, DeviceKind, EngineInfo
from qtui.core.memory.plan import FlashAttention, LoadMode, LoadPlan
from qtui.core.memory.question import Allocated, BufferRow, HelperReady
from qtui.core.memory.unaccounted import Unaccounted
from qtui.core.origin import Origin
from qtui.services.engine.allocation import allocated_footprint
from qtui.services.engine.answers import Answers
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.dry_run import DryRunClient
from qtui.services.engine.ghosts import prepare
from qtui.services.engine.remembered import Remembered
from tests.builders.gguf import Tensor, build
from tests.services.engine.weighing import PLAN, variant


class Builds:
    """Tells what the engine is; a test may change it, as an update of the engine would."""

    def __init__(self, info: EngineInfo) -> None:
        self.now = info

    async def info(self) -> EngineInfo:
        return self.now


@pytest.fixture
async def builds() -> Builds:
    return Builds(await BuiltInEngine().info())


@pytest.fixture
async def asking(builds: Builds, tmp_path: Path) -> AsyncIterator[DryRunClient]:
    """A client that keeps what it is told."""
    client = DryRunClient(remembered=Remembered(builds.info, Answers(tmp_path / "answers.sqlite3")))
    yield client
    await client.close()


@pytest.fixture
def next_start(builds: Builds, tmp_path: Path) -> DryRunClient:
    """The client of the next start of qtui."""
    return DryRunClient(remembered=Remembered(builds.info, Answers(tmp_path / "answers.sqlite3")))


async def test_the_next_start_knows_without_a_helper_what_was_answered(
    asking: DryRunClient, next_start: DryRunClient, ghosts: dict[str, Path]
) -> None:
    for name in ("llama3.1-8b", "qwen3.5-27b", "gpt-oss-20b"):
        model = variant(ghosts[name])
        assert await next_start.recall(model, PLAN) is None
        told = await asking.footprint(model, PLAN)
        assert await next_start.recall(model, PLAN) == told
        assert told.origin is Origin.DRY_RUN
    assert next_start.helper_pid is None


async def test_threads_and_load_mode_ask_nothing_new_and_all_else_does(
    asking: DryRunClient, next_start: DryRunClient, ghosts: dict[str, Path]
) -> None:
    model = variant(ghosts["qwen3-30b-a3b"])
    plan = replace(PLAN, tensor_split=(1.0,))
    await asking.footprint(model, plan)
    same_to_it: tuple[dict[str, object], ...] = (
        {"threads": 7, "threads_batch": 3}, {"load_mode": LoadMode.NONE}, {"preset": "mine"}, {"extra": "--x"},
    )  # fmt: skip
    for same in same_to_it:
        changed = replace(plan, **same)  # type: ignore[arg-type]
        recalled = await next_start.recall(model, changed)
        assert recalled == await asking.footprint(model, changed)
    others: tuple[dict[str, object], ...] = (
        {"ctx_size": 8192}, {"batch_size": 256}, {"ubatch_size": 256}, {"cache_type_k": "q8_0"}, {"parallel": 2},
        {"cache_type_v": "q8_0"}, {"flash_attn": FlashAttention.OFF}, {"swa_full": True}, {"no_kv_offload": True},
        {"n_cpu_moe": 1}, {"cpu_moe": True}, {"override_tensor": (("ffn", "CPU"),)}, {"n_gpu_layers": 3},
        {"main_gpu": 1}, {"engine": "llama-cli"}, {"tensor_split": (2.0,)},
    )  # fmt: skip
    known = {field for same in others for field in same} | {"threads", "threads_batch", "load_mode", "preset", "extra"}
    assert known | {"lora", "mmproj"} == set(LoadPlan().as_json())  # a new option must be put on one side
    for other in others:
        assert await next_start.recall(model, replace(plan, **other)) is None, other  # type: ignore[arg-type]


async def test_another_build_or_another_header_is_asked_anew_and_a_moved_file_is_not(
    asking: DryRunClient, next_start: DryRunClient, builds: Builds, ghosts: dict[str, Path], tmp_path: Path
) -> None:
    path = Path(shutil.copy(ghosts["qwen3-dense"], tmp_path / "a.gguf"))
    told = await asking.footprint(variant(path), PLAN)
    moved = path.rename(tmp_path / "b.gguf")
    os.utime(moved, (1, 1))
    assert await next_start.recall(variant(moved), PLAN) == told
    info = builds.now
    for other in (
        replace(info, build="b9999 (abc)"), replace(info, version="9.9.9"), replace(info, features=("AVX2",)),
        replace(info, devices=(Device("CUDA0", "A card", DeviceKind.GPU), *info.devices)),
        replace(info, usable=False),
    ):  # fmt: skip
        builds.now = other
        assert await next_start.recall(variant(moved), PLAN) is None
    builds.now = info
    with moved.open("r+b") as file:  # the name of the model, which stands in the header
        content = file.read(4096)
        at = content.index(b"general.architecture")
        file.seek(at)
        file.write(b"general.architecturE")
    assert await next_start.recall(variant(moved), PLAN) is None
    assert await next_start.recall(variant(tmp_path / "gone.gguf"), PLAN) is None


async def test_a_refusal_is_remembered_in_its_words(
    asking: DryRunClient, next_start: DryRunClient, ghosts: dict[str, Path]
) -> None:
    plan = replace(PLAN, cache_type_k="q8_0")
    said = []
    for ask in (asking.footprint, next_start.recall):
        with pytest.raises(PlanRefusedError, match="must be the same, not q8_0 and f16") as refused:
            await ask(variant(ghosts["deepseek-v2-lite"]), plan)
        said.append((refused.value.message, refused.value.hint))
    assert said[0] == said[1]


async def test_shares_that_follow_what_is_free_are_not_kept(
    asking: DryRunClient, builds: Builds, ghosts: dict[str, Path]
) -> None:
    model, layers = variant(ghosts["qwen3-dense"]), replace(PLAN, n_gpu_layers=2)
    cards = tuple(Device(f"CUDA{index}", "A card", DeviceKind.GPU) for index in range(2))
    builds.now = replace(builds.now, devices=(*cards, *builds.now.devices))
    for plan, is_kept in ((layers, False), (replace(layers, tensor_split=(1.0, 1.0)), True), (PLAN, True)):
        await asking.footprint(model, plan)
        assert (await asking.recall(model, plan) is not None) is is_kept


async def test_what_past_runs_left_out_on_a_card_is_beside_llama_cpps_answer(ghosts: dict[str, Path]) -> None:
    row = BufferRow("CUDA0", 1000, 200, 30, 0)
    ready = HelperReady("build", ("CUDA0",), "", ("A card",), ())
    answer, prepared = Allocated(1, (row,), flash_attn=True), prepare(variant(ghosts["qwen3-dense"]))
    told = allocated_footprint(
        answer, prepared, replace(PLAN, n_gpu_layers=9), ready, left_out={"A card": Unaccounted(7000, 3, 50)}
    )
    assert told.pools.vram == (1230 + 7000,)
    (item,) = (item for item in told.extra if item.pool == "vram0")
    assert (item.item, item.band, item.origin) == ("driver and libraries", 50, Origin.MEASURED)


async def test_adapters_and_projector_are_computed_beside_an_answer(
    asking: DryRunClient, next_start: DryRunClient, ghosts: dict[str, Path], tmp_path: Path
) -> None:
    metadata: dict[str, object] = {
        "general.type": "adapter", "general.architecture": "qwen3", "adapter.type": "lora",
    }  # fmt: skip
    tensors = [Tensor("blk.0.attn_q.weight.lora_a", (256, 8)), Tensor("blk.0.attn_q.weight.lora_b", (8, 256))]
    adapter = build(metadata, tensors).write(tmp_path / "adapter.gguf")  # type: ignore[arg-type]
    projector = build({"general.architecture": "clip"}, [Tensor("v.patch_embd.weight", (100, 3))]).write(
        tmp_path / "mmproj.gguf"
    )
    plan = replace(PLAN, lora=((str(adapter), 1.0),), mmproj=str(projector))
    model = variant(ghosts["qwen3-dense"])
    plain = await asking.footprint(model, PLAN)
    for told in (await asking.footprint(model, plan), await next_start.recall(model, plan)):
        assert told is not None
        items = {item.item: item.bytes for item in told.extra}
        assert items["adapter adapter.gguf"] == 2 * 256 * 8 * 4
        assert items["projector"] == 1216  # 1 200, padded to 32
        assert told.devices == plain.devices
        beside = items["adapter adapter.gguf"] + items["projector"] + items["projector compute"]
        assert told.total == plain.total + beside
