"""The random models are models: they load, compute finite numbers, and are accounted for as Q4_K_M files are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from gguf import GGUFReader

from qtui.core.events import Loaded
from qtui.core.memory.plan import LoadPlan
from qtui.services.engine.client import BuiltInEngine
from tests.benchmarks.generation import ours
from tests.benchmarks.make_model import SIZES, Shape, write_model
from tests.services.engine.scripts import all_of, variant

SMALL = Shape(256, 512, 8, 4, 2, 512)


def test_the_mix_is_that_of_q4_k_m(tmp_path: Path) -> None:
    tensors = GGUFReader(write_model(tmp_path / "small.gguf", SMALL)).tensors
    assert Counter(t.tensor_type.name for t in tensors) == {"F32": 17, "Q4_K": 1 + 5 * 8 + 2 * 4, "Q6_K": 1 + 2 * 4}
    assert {t.name for t in tensors if t.tensor_type.name == "Q6_K"} == {
        "output.weight",
        *(f"blk.{layer}.{name}.weight" for layer in (0, 3, 6, 7) for name in ("attn_v", "ffn_down")),
    }


def test_the_default_has_a_billion_parameters() -> None:
    shape = SIZES["1b"]
    kv_width = shape.embedding // shape.heads * shape.kv_heads
    layer = shape.embedding * (2 * shape.embedding + 2 * kv_width + 3 * shape.feed_forward)
    assert 1.0e9 < shape.layers * layer + 2 * shape.embedding * shape.vocabulary < 1.2e9


@pytest.mark.parametrize("shape", [SMALL, replace(SMALL, experts=4, experts_used=2)])
async def test_it_loads_and_computes(tmp_path: Path, shape: Shape) -> None:
    path = write_model(tmp_path / "small.gguf", shape)
    session = BuiltInEngine().open(variant(path), LoadPlan(ctx_size=256, threads=1, n_gpu_layers=0))
    loaded = (await all_of(session.load()))[-1]
    assert isinstance(loaded, Loaded) and loaded.vocabulary == 512
    assert await ours(session, depth=10, tokens=5) > 0  # refuses an answer of another length; NaN is a failure
    await session.close()
