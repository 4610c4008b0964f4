"""The history file: kept, read back, shared, and a sentence whenever it cannot be."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.errors import QtuiError
from qtui.core.history import Run, Timing, rate_under, speed_key
from qtui.core.library.variant import Variant
from qtui.core.memory.actual import Actual, Estimate
from qtui.core.memory.footprint import Pools
from qtui.core.memory.plan import FlashAttention, LoadPlan
from qtui.core.memory.unaccounted import Unaccounted
from qtui.core.origin import Origin
from qtui.core.text import GIB, MIB
from qtui.services import history as module
from qtui.services.history import MIGRATIONS, HistoryFile
from tests.fakes import make_variant

PLAN = LoadPlan(ctx_size=4096, threads=4, n_gpu_layers=0)
ESTIMATE = Estimate(Pools(GIB, 2 * GIB, (3 * GIB,)), 5 * MIB, Origin.DRY_RUN)
ACTUAL = Actual(GIB, 2 * GIB, 20 * MIB, 0, 0, (3 * GIB + 300 * MIB,), ("A card",), full_prompt=True)
BUFFERS = (("CUDA0", 3 * GIB, 0, 0), ("CPU", GIB, 0, 0))
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture
def store(tmp_path: Path) -> HistoryFile:
    return HistoryFile(tmp_path / "history.sqlite3")


@pytest.fixture
def variant(tmp_path: Path) -> Variant:
    path = tmp_path / "Tiny-Q8_0.gguf"
    path.write_bytes(b"GGUF")
    return make_variant(folder=tmp_path)


def run_of(variant: Variant, name: str = "one", time: float = 100.0, **fields: object) -> Run:
    plain = Run(
        name, time, str(variant.path), variant.model, variant.quant, variant.size, "built-in", "1 (abc)",
        PLAN.as_json(), ESTIMATE, ACTUAL, BUFFERS, 1.5,
    )  # fmt: skip
    return replace(plain, **fields)  # type: ignore[arg-type]


def timing(time: float = 101.0, rate: float | None = 40.0, **fields: object) -> Timing:
    plain = Timing(time, 600, 0, 32, 0.25, 900.0, rate, True)
    return replace(plain, **fields)  # type: ignore[arg-type]


async def test_looking_makes_no_file(store: HistoryFile, variant: Variant) -> None:
    assert (await store.runs(), await store.rates([variant]), await store.unaccounted()) == ([], {}, {})
    assert not store.path.exists()


async def test_a_run_comes_back_as_it_was(store: HistoryFile, variant: Variant) -> None:
    await store.record_run(run_of(variant, actual=replace(ACTUAL, full_prompt=False)), timing(rate=10.0))
    await store.record_run(run_of(variant), timing(rate=30.0, time_to_first_token=9.0))
    await store.record_run(run_of(variant), timing(rate=999.0, generated_tokens=3))
    await store.record_run(run_of(variant), timing(rate=999.0, alone=False, prompt_rate=1.0))
    (past,) = await store.runs()
    assert past.run == run_of(variant)
    assert (past.answers, past.time_to_first_token, past.prompt_rate, past.generation_rate) == (4, 0.25, 900.0, 20.0)
    assert past.as_json()["differences"][2]["percent"] == pytest.approx(100 * 300 / 3072)


async def test_it_is_private_and_in_wal_mode(store: HistoryFile, variant: Variant) -> None:
    await store.record_run(run_of(variant), timing())
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    database = sqlite3.connect(store.path)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert database.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    database.close()


async def test_newest_first_of_all_or_of_one_file(store: HistoryFile, variant: Variant) -> None:
    other = make_variant(quant="Q2_K", folder=variant.path.parent)
    for number, which in enumerate((variant, other, variant)):
        await store.record_run(run_of(which, str(number), time=float(number)), timing())
    assert [past.run.id for past in await store.runs()] == ["2", "1", "0"]
    assert [past.run.id for past in await store.runs(limit=2)] == ["2", "1"]
    assert [past.run.id for past in await store.runs(path=variant.path)] == ["2", "0"]


async def test_rates_are_medians_per_plan_of_the_file_as_it_is(store: HistoryFile, variant: Variant) -> None:
    slow = replace(PLAN, threads=1)
    for number, rate in enumerate((1.0, 40.0, 42.0, 41.0)):
        await store.record_run(run_of(variant, "fast"), timing(200.0 + number, rate))
    await store.record_run(run_of(variant, "slow", plan=slow.as_json()), timing(300.0, 11.0))
    rates = (await store.rates([variant, make_variant(quant="Q2_K")]))[variant.path]
    assert [(rate.generation, rate.answers) for rate in rates] == [(11.0, 1), (40.5, 4)]
    found = rate_under(rates, replace(PLAN, ctx_size=512))
    assert found is not None and found.generation == 40.5
    assert rate_under(rates, replace(PLAN, threads=2)) is None
    moved = variant.path.rename(variant.path.with_name("moved.gguf"))
    there = replace(variant, path=moved)
    assert list(await store.rates([there])) == [moved]
    os.utime(moved, ns=(1, 1))  # written anew
    assert await store.rates([there]) == {}


async def test_old_answers_give_way_to_new_ones(store: HistoryFile, variant: Variant) -> None:
    for number in range(module.NEWEST):
        await store.record_run(run_of(variant), timing(float(number), 1.0))
    for number in range(module.NEWEST):
        await store.record_run(run_of(variant), timing(1000.0 + number, 50.0))
    ((rate,),) = (await store.rates([variant])).values()
    assert (rate.generation, rate.answers) == (50.0, module.NEWEST)


def test_flash_attention_counts_only_where_it_is_off() -> None:
    keys = {speed_key(replace(PLAN, flash_attn=flash).as_json()) for flash in FlashAttention}
    assert len(keys) == 2


async def test_what_llama_cpp_leaves_out_is_a_median_per_card(store: HistoryFile, variant: Variant) -> None:
    for number, left_out in enumerate((300, 310, 500)):
        held = replace(ACTUAL, vram=(3 * GIB + left_out * MIB,))
        await store.record_run(run_of(variant, str(number), actual=held), timing())
    partly = replace(ACTUAL, vram=(GIB,), full_prompt=False)
    await store.record_run(run_of(variant, "partly", actual=partly), timing())
    await store.record_run(run_of(variant, "untold", actual=replace(ACTUAL, vram=(None,))), timing())
    for name, beside in (("adapter", {"lora": [["a.gguf", 1.0]]}), ("projector", {"mmproj": "p.gguf"})):
        more = run_of(variant, name, actual=replace(ACTUAL, vram=(9 * GIB,)), plan={**PLAN.as_json(), **beside})
        await store.record_run(more, timing())  # what is beside the model is in no account of llama.cpp's
    assert await store.unaccounted() == {"A card": Unaccounted(310 * MIB, 3, 190 * MIB)}


async def test_what_was_left_out_long_ago_does_not_count_for_ever(store: HistoryFile, variant: Variant) -> None:
    for number in range(2 * module.NEWEST_RUNS):
        left_out = 900 if number < module.NEWEST_RUNS else 300
        held = replace(ACTUAL, vram=(3 * GIB + left_out * MIB,))
        await store.record_run(run_of(variant, str(number), float(number), actual=held), timing())
    assert await store.unaccounted() == {"A card": Unaccounted(300 * MIB, module.NEWEST_RUNS, 0)}


async def test_hostile_text_and_names_come_back_harmless(store: HistoryFile, variant: Variant) -> None:
    path = os.fsdecode(b"/models/\xff\x1b[31m'); DROP TABLE runs; --.gguf")
    await store.record_run(run_of(variant, path=path), timing())
    (past,) = await store.runs(path=Path(path))
    assert "\x1b" not in past.run.path and "DROP TABLE" in past.run.path


async def test_many_writers_at_once(store: HistoryFile, variant: Variant) -> None:
    others = [HistoryFile(store.path) for _ in range(6)]
    await asyncio.gather(*(other.record_run(run_of(variant, str(n)), timing()) for n, other in enumerate(others)))
    assert len(await store.runs()) == 6


async def test_a_damaged_file_is_a_sentence(store: HistoryFile, variant: Variant) -> None:
    store.path.write_bytes(b"this is no database" * 300)
    for attempt in (store.runs(), store.record_run(run_of(variant), timing()), store.rates([variant])):
        with pytest.raises(QtuiError, match="is damaged: file is not a database") as caught:
            await attempt
        assert caught.value.hint.startswith("move it away")


async def test_a_row_that_makes_no_sense_is_a_sentence(store: HistoryFile, variant: Variant) -> None:
    await store.record_run(run_of(variant), timing())
    database = sqlite3.connect(store.path)
    for broken in ("{", "[]", '{"pools": 3}'):
        with database:
            database.execute("UPDATE runs SET estimate = ?", (broken,))
        with pytest.raises(QtuiError, match="cannot be read"):
            await store.runs()
    database.close()


async def test_a_file_of_a_newer_qtui_is_left_alone(store: HistoryFile, variant: Variant) -> None:
    await store.record_run(run_of(variant), timing())
    database = sqlite3.connect(store.path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(QtuiError, match="of a newer qtui"):
        await store.record_run(run_of(variant), timing())


async def test_a_busy_file_is_waited_for_and_then_a_sentence(
    store: HistoryFile, variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.record_run(run_of(variant), timing())
    monkeypatch.setattr(module, "BUSY_S", 0.05)
    database = sqlite3.connect(store.path, isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    with pytest.raises(QtuiError, match="in use by another program"):
        await store.record_run(run_of(variant), timing())
    assert len(await store.runs()) == 1  # a reader waits for nobody
    database.execute("ROLLBACK")
    database.close()
    await store.record_run(run_of(variant), timing())


async def test_a_folder_in_its_place_and_one_that_is_missing(tmp_path: Path, variant: Variant) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "nowhere" / "history.sqlite3"):
        with pytest.raises(QtuiError, match="cannot be used"):
            await HistoryFile(path).record_run(run_of(variant), timing())


async def test_a_full_disk_is_a_sentence(store: HistoryFile, variant: Variant) -> None:
    await store.record_run(run_of(variant), timing())
    big = run_of(variant, plan={"note": "x" * 100_000})
    with pytest.raises(QtuiError, match="cannot be used: database or disk is full"):
        await asyncio.to_thread(_record_with_few_pages, store, big)
    assert (await store.runs())[0].run.plan == PLAN.as_json()


def _record_with_few_pages(store: HistoryFile, run: Run) -> None:
    def work(database: sqlite3.Connection) -> None:
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        database.execute(f"PRAGMA max_page_count = {pages}")
        module._record(database, run, timing())

    store._work(work, True, None)


async def test_a_read_only_folder_is_a_sentence(tmp_path: Path, variant: Variant) -> None:
    folder = Path("/proc/self") if ROOT else tmp_path  # root may write anywhere but there
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(QtuiError, match="cannot be used"):
            await HistoryFile(folder / "history.sqlite3").record_run(run_of(variant), timing())
    finally:
        tmp_path.chmod(0o700)


async def test_by_default_it_lies_in_the_data_folder(private_home: Path, variant: Variant) -> None:
    store = HistoryFile()
    await store.record_run(run_of(variant), timing())
    assert store.path.is_relative_to(private_home) and len(await store.runs()) == 1
