"""Measurements in the history's file."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.errors import QtuiError
from qtui.services.history import MIGRATIONS, HistoryFile
from qtui.services.measurements import MeasurementsFile
from tests.core.measure.samples import Q4, record_of


@pytest.fixture
def store(tmp_path: Path) -> MeasurementsFile:
    return MeasurementsFile(HistoryFile(tmp_path / "history.sqlite3"))


async def test_a_measurement_comes_back_as_it_was_kept(store: MeasurementsFile, tmp_path: Path) -> None:
    assert list(await store.records()) == [] and await store.delete() == 0
    assert not (tmp_path / "history.sqlite3").exists()  # looking makes no file
    old, new = (
        record_of(),
        record_of(replace(Q4, quant="Q2_K", path="/m/Tiny-Q2_K.gguf"), 0.4, id="m2", time=2.0, complete=False),
    )
    await store.keep(new)
    await store.keep(old)
    assert list(await store.records()) == [new, old]
    assert list(await store.records(1)) == [new]
    assert list(await store.records(search="tiny q4_k")) == [old]
    await store.keep(replace(old, chunks=9))
    assert [kept.chunks for kept in await store.records()] == [8, 9]
    assert await store.delete(["m1", "gone"]) == 1
    assert await store.delete() == 1 and not await store.records()


async def test_an_older_history_gets_the_table(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    database = sqlite3.connect(path)
    database.executescript(MIGRATIONS[0] + MIGRATIONS[1] + "PRAGMA user_version = 2;")
    database.close()
    store = MeasurementsFile(HistoryFile(path))
    await store.keep(record_of())
    assert len(await store.records()) == 1


async def test_a_row_that_cannot_be_read_is_said(store: MeasurementsFile, tmp_path: Path) -> None:
    await store.keep(record_of())
    with sqlite3.connect(tmp_path / "history.sqlite3") as database:
        database.execute("UPDATE measurements SET record = '{\"v\": 1}'")
    database.close()
    with pytest.raises(QtuiError, match="cannot be read"):
        await store.records()
