"""A measured rate goes before a computed one, and whatever nobody can tell is unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.errors import EngineError, QtuiError
from qtui.core.forecast import DEPTH, Forecast
from qtui.core.history import MeasuredRate, speed_key
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.speed import Kernel, ReadRates, Speed
from qtui.core.origin import Origin
from qtui.services.library.tables import LocalTables
from tests.benchmarks.make_model import Shape, write_model
from tests.core.test_recording import FakeHistory
from tests.fakes import ScriptedEngine, make_variant

PLAN = LoadPlan(ctx_size=4096, n_gpu_layers=0, threads=2)


class Speeds:
    """A machine of one speed."""

    def __init__(self) -> None:
        self.error: QtuiError | None = None
        self.disk_rate: float | None = 1e6
        self.asked: list[int] = []

    async def rates(self, kernels: Sequence[Kernel], threads: int) -> ReadRates:
        self.asked.append(threads)
        if self.error:
            raise self.error
        return ReadRates({kernel.key: 1e9 for kernel in kernels}, 0.0)

    async def disk(self, path: Path) -> float | None:
        return self.disk_rate


class RatedHistory(FakeHistory):
    """Remembers one rate, of every file."""

    def __init__(self, rate: MeasuredRate) -> None:
        super().__init__()
        self.rate = rate

    async def rates(self, variants: Sequence[Variant]) -> Mapping[Path, Sequence[MeasuredRate]]:
        if self.error:
            raise self.error
        return {variant.path: [self.rate] for variant in variants}


@pytest.fixture
def variant(tmp_path: Path) -> Variant:
    path = write_model(tmp_path / "m.gguf", Shape(512, 768, 4, 8, 2, 1024))
    return make_variant(folder=tmp_path, path=path, size=path.stat().st_size)


def forecast(speeds: Speeds, history: FakeHistory | None = None) -> Forecast:
    return Forecast(LocalTables(), ScriptedEngine(), speeds, history)


async def test_computed_until_it_was_measured(variant: Variant) -> None:
    speeds = Speeds()
    found = await forecast(speeds).speed(variant, PLAN)
    assert found.bytes_per_token is not None
    assert (found.origin, found.depth) == (Origin.COMPUTED, DEPTH)
    assert found.rate == pytest.approx(1e9 / found.bytes_per_token)
    assert speeds.asked == [2]
    history = RatedHistory(MeasuredRate(speed_key(PLAN.as_json()), 33.0, 4, 1.0))
    assert await forecast(speeds, history).speed(variant, PLAN) == Speed(33.0, Origin.MEASURED)
    other = replace(PLAN, threads=1)
    assert (await forecast(speeds, history).speed(variant, other)).origin is Origin.COMPUTED


async def test_a_history_that_cannot_be_read_leaves_the_computed_rate(variant: Variant) -> None:
    history = RatedHistory(MeasuredRate("", 1.0, 1, 1.0))
    history.error = QtuiError("damaged")
    assert (await forecast(Speeds(), history).speed(variant, PLAN)).origin is Origin.COMPUTED


async def test_weights_from_the_disk_are_slow_whatever_was_measured(variant: Variant) -> None:
    speeds = Speeds()
    history = RatedHistory(MeasuredRate(speed_key(PLAN.as_json()), 33.0, 4, 1.0))
    found = await forecast(speeds, history).speed(variant, PLAN, missing=2_000_000)
    assert found.origin is Origin.COMPUTED and found.rate is not None and found.rate < 0.5
    speeds.disk_rate = None
    untold = await forecast(speeds, history).speed(variant, PLAN, missing=2_000_000)
    assert (untold.rate, untold.origin) == (None, Origin.UNKNOWN)


async def test_an_engine_that_cannot_be_asked_is_unknown_with_the_reason(variant: Variant) -> None:
    speeds = Speeds()
    speeds.error = EngineError("no such engine")
    assert await forecast(speeds).speed(variant, PLAN) == Speed(None, Origin.UNKNOWN, note="no such engine")
    gone = replace(variant, path=variant.path.with_name("gone.gguf"))
    assert (await forecast(Speeds()).speed(gone, PLAN)).origin is Origin.UNKNOWN
