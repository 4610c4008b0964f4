"""What one token reads, and how long that takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.gguf.types import TYPE_IDS
from qtui.core.hardware import EngineInfo
from qtui.core.memory.closed_form.backends import devices_of
from qtui.core.memory.closed_form.table import ModelTable
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.speed import CPU, AttentionKernel, MatrixKernel, ReadRates, TokenWork, token_seconds, token_work
from qtui.core.text import MIB
from qtui.services.library.tables import LocalTables
from tests.benchmarks.make_model import Shape, write_model
from tests.fakes import CPU_ONLY, ONE_CARD, make_variant

PLAN = LoadPlan(ctx_size=4096, n_gpu_layers=0)
DENSE = Shape(512, 768, 4, 8, 2, 1024)
EXPERTS = replace(DENSE, experts=8, experts_used=2)
PLAIN = replace(CPU_ONLY, features=())
"""An engine that stores nothing anew."""


async def work(
    tmp_path: Path, shape: Shape, plan: LoadPlan = PLAN, *, info: EngineInfo = PLAIN, depth: int = 0
) -> TokenWork:
    found = token_work(await table(tmp_path, shape), plan, devices_of(info), depth)
    assert found is not None
    return found


async def table(tmp_path: Path, shape: Shape) -> ModelTable:
    path = write_model(tmp_path / "m.gguf", shape)
    return await LocalTables().table(make_variant(folder=tmp_path, path=path))


def weights(found: TokenWork) -> int:
    return sum(size for kernel, size in found.reads if isinstance(kernel, MatrixKernel))


async def test_every_weight_but_the_embedding_is_read(tmp_path: Path) -> None:
    rows = (await table(tmp_path, DENSE)).rows
    found = await work(tmp_path, DENSE)
    assert weights(found) == sum(row.size for row in rows if row.name != "token_embd.weight")
    assert {kernel.device for kernel in found.kernels} == {CPU}


async def test_of_experts_only_the_chosen_ones_are_read(tmp_path: Path) -> None:
    rows = (await table(tmp_path, EXPERTS)).rows
    experts = sum(row.size for row in rows if "_exps." in row.name)
    rest = sum(row.size for row in rows if "_exps." not in row.name and row.name != "token_embd.weight")
    found = await work(tmp_path, EXPERTS)
    assert weights(found) == rest + experts // 4
    assert found.steps > (await work(tmp_path, DENSE)).steps


async def test_the_cache_is_read_as_far_as_it_is_filled(tmp_path: Path) -> None:
    def cache(found: TokenWork) -> dict[AttentionKernel, int]:
        return {kernel: size for kernel, size in found.reads if isinstance(kernel, AttentionKernel)}

    kernel = AttentionKernel(CPU, "f16", "f16", 64, 64, 8, 2)
    per_token = 4 * 2 * 2 * 64 * 2  # layers, K and V, heads, width, bytes
    for depth, tokens in ((0, 256), (255, 256), (256, 512), (100_000, 4096)):
        assert cache(await work(tmp_path, DENSE, depth=depth)) == {kernel: tokens * per_token}
    small = replace(PLAN, cache_type_k="q8_0", cache_type_v="q8_0")
    ((found, size),) = cache(await work(tmp_path, DENSE, small)).items()
    assert (found.type_k, size) == ("q8_0", 256 * per_token * 34 // 64)


async def test_layers_on_a_card_are_read_there(tmp_path: Path) -> None:
    whole = await work(tmp_path, DENSE, replace(PLAN, n_gpu_layers=5), info=ONE_CARD)
    assert {kernel.device for kernel in whole.kernels} == {0}
    half = await work(tmp_path, DENSE, replace(PLAN, n_gpu_layers=3), info=ONE_CARD)
    assert {kernel.device for kernel in half.kernels} == {CPU, 0}
    assert half.bytes == whole.bytes


async def test_weights_that_are_stored_anew_are_other_kernels(tmp_path: Path) -> None:
    found = await work(tmp_path, DENSE, info=CPU_ONLY)
    q4 = {kernel.repacked for kernel in found.kernels if isinstance(kernel, MatrixKernel)
          and kernel.type_id == TYPE_IDS["Q4_K"]}  # fmt: skip
    assert q4 == {True}
    assert len({kernel.key for kernel in found.kernels}) == len(found.kernels)


async def test_a_recurrent_model_reads_and_writes_its_state(ghosts: dict[str, Path]) -> None:
    path = ghosts["mamba2-dense"]
    found = token_work(
        await LocalTables().table(make_variant(folder=path.parent, path=path)), PLAN, devices_of(PLAIN), 1000
    )
    assert found is not None and not any(isinstance(kernel, AttentionKernel) for kernel in found.kernels)


async def test_prediction_and_tied_heads_in_real_shapes(ghosts: dict[str, Path]) -> None:
    for name, path in ghosts.items():
        model = await LocalTables().table(make_variant(folder=path.parent, path=path))
        found = token_work(model, PLAN, devices_of(CPU_ONLY), 100)
        assert found is not None, name
        total = sum(row.size for row in model.rows)
        assert 0 < weights(found) <= 2 * total, name
        if "30b-a3b" in name:  # 3 of 30 billion
            assert weights(found) < total / 5


MATRIX = MatrixKernel(CPU, TYPE_IDS["Q8_0"], False)
RATES = ReadRates({MATRIX.key: 100.0 * MIB}, 0.001)


def test_time_is_bytes_over_rate_and_the_steps() -> None:
    seconds = token_seconds(TokenWork(((MATRIX, 50 * MIB),), 100), RATES)
    assert seconds == pytest.approx(0.5 + 0.1)


def test_what_was_not_measured_gives_no_rate() -> None:
    other = MatrixKernel(0, TYPE_IDS["Q8_0"], False)
    assert token_seconds(TokenWork(((MATRIX, MIB), (other, MIB)), 0), RATES) is None


def test_what_finds_no_room_comes_from_the_disk() -> None:
    work = TokenWork(((MATRIX, 50 * MIB),), 0)
    assert token_seconds(work, RATES, missing=20 * MIB, disk=10.0 * MIB) == pytest.approx(0.5 + 2.0)
    assert token_seconds(work, RATES, missing=20 * MIB) is None
    assert token_seconds(work, RATES, missing=900 * MIB, disk=10.0 * MIB) == pytest.approx(0.5 + 5.0)
