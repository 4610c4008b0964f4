"""Predicted against measured resident memory of a child, after a full prompt."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qtui.core.memory.plan import LoadMode
from qtui.services.engine.client import BuiltInEngine
from tests.benchmarks.make_model import SIZES, write_model
from tests.benchmarks.resident_memory import MODES, measure


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "model.gguf", SIZES["60m"])


@pytest.fixture
async def engine() -> AsyncIterator[BuiltInEngine]:
    engine = BuiltInEngine()
    yield engine
    await engine.close()


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
async def test_resident_memory_is_as_predicted(engine: BuiltInEngine, model: Path, mode: LoadMode) -> None:
    found = await measure(engine, model, mode)
    if found.refused:
        print(f"\n{mode.value}: {found.refused}")
        assert mode.locked
        return
    assert abs(found.error) < 0.05
    assert -0.05 < found.peak_error < 0.15
