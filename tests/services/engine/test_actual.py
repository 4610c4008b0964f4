"""Estimate against actual, for real: a recorded session, pool by pool, after a prompt of a whole ubatch."""

from __future__ import annotations

from pathlib import Path

import pytest

from qtui.core.duel.conversation import Request, Sampling
from qtui.core.events import Answered, Loaded
from qtui.core.library.variant import Variant
from qtui.core.memory.actual import differences
from qtui.core.memory.closed_form.formula import footprint_of
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.plan import LoadMode, LoadPlan
from qtui.core.recording import Recorder, RecordingEngine
from qtui.core.text import MIB
from qtui.services.engine.client import BuiltInEngine
from qtui.services.history import HistoryFile
from qtui.services.library.tables import LocalTables
from qtui.services.machine.machine import LocalMachine
from tests.benchmarks.make_model import SIZES, write_model
from tests.services.engine.scripts import all_of


async def recorded(folder: Path, size: str, mode: LoadMode, tokens: int) -> HistoryFile:
    """Let a model of random weights read a prompt, and return the history of it."""
    path = write_model(folder / f"{size}.gguf", SIZES[size])
    variant = Variant(path, size, "Q4_K_M", size=path.stat().st_size)
    plan = LoadPlan(ctx_size=2048, n_gpu_layers=0, load_mode=mode, threads=1, threads_batch=1)
    engine = BuiltInEngine()
    footprint = footprint_of(await LocalTables().table(variant), plan, await engine.info())

    def estimate(_variant: Variant, _plan: LoadPlan) -> Footprint:
        return footprint

    history = HistoryFile(folder / "history.sqlite3")
    recorder = Recorder(history, LocalMachine(), estimate)
    session = RecordingEngine(engine, recorder).open(variant, plan)
    try:
        assert isinstance((await all_of(session.load()))[-1], Loaded)
        request = Request(raw="w1", sampling=Sampling(max_tokens=2), prompt_length=tokens, ignore_eos=True)
        assert isinstance((await all_of(session.ask(request)))[-1], Answered)
        await recorder.settle()
    finally:
        await session.close()
    assert recorder.problem == ""
    return history


@pytest.mark.slow
@pytest.mark.parametrize("mode", [LoadMode.MMAP, LoadMode.NONE])
async def test_every_pool_is_as_expected(tmp_path: Path, mode: LoadMode) -> None:
    (past,) = await (await recorded(tmp_path, "160m", mode, 512)).runs()
    run = past.run
    assert run.estimate is not None and run.actual is not None and run.actual.full_prompt
    rows = {row.pool: row for row in differences(run.estimate, run.actual)}
    for row in rows.values():
        if row.estimate:
            assert row.percent == pytest.approx(0.0, abs=5.0), row
    assert rows["ram_file_backed"].actual == pytest.approx(run.size if mode.mapped else 0, abs=MIB)


async def test_a_short_prompt_claims_nothing(tmp_path: Path) -> None:
    (past,) = await (await recorded(tmp_path, "60m", LoadMode.MMAP, 8)).runs()
    run = past.run
    assert run.actual is not None and not run.actual.full_prompt
    assert run.actual.model_pages == pytest.approx(run.size, abs=MIB)
    assert run.allocated and run.load_time
