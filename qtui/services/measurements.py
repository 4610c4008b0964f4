"""Measurements in the history's file. A record is kept as one message of the codec; the other columns find it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from qtui.core.errors import QtuiError
from qtui.core.measure.records import MeasureRecord
from qtui.core.wire import decode, encode
from qtui.services.history import HistoryFile
from qtui.services.rounds import MOST_WORDS, folded


class MeasurementsFile:
    """Implements `core.measure.ports.Measurements` over the history's file."""

    def __init__(self, file: HistoryFile | None = None) -> None:
        self._file = file or HistoryFile()

    async def keep(self, record: MeasureRecord) -> None:
        """Keep a measurement; see `core.measure.ports.Measurements`."""
        await self._file.do(lambda db: _keep(db, record), write=True)

    async def records(self, limit: int = 50, search: str = "") -> Sequence[MeasureRecord]:
        """Return the newest measurements; see `core.measure.ports.Measurements`."""
        return await self._file.do(lambda db: _records(db, limit, search), empty=list[MeasureRecord])

    async def delete(self, ids: Sequence[str] | None = None) -> int:
        """Delete measurements; see `core.measure.ports.Measurements`."""
        if not self._file.path.exists():
            return 0
        return await self._file.do(lambda db: _delete(db, ids), write=True)


def _keep(database: sqlite3.Connection, record: MeasureRecord) -> None:
    subject, divergence = record.subject, record.scores.kl_divergence
    row = (
        record.id, record.time, subject.model, subject.quant, subject.path, subject.size, subject.hash,
        record.reference.hash, record.text.sha256, record.n_ctx, record.chunks, record.build,
        divergence.mean if divergence else None, record.scores.perplexity.value, encode(record).strip(),
    )  # fmt: skip
    database.execute(f"INSERT OR REPLACE INTO measurements VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608


def _records(database: sqlite3.Connection, limit: int, search: str) -> list[MeasureRecord]:
    words = [word.casefold() for word in search.split()[:MOST_WORDS]]
    database.create_function("folded", -1, folded, deterministic=True)
    where = "".join(" AND instr(folded(model, quant, path), ?)" for _ in words)
    rows = database.execute(
        f"SELECT record FROM measurements WHERE 1{where} ORDER BY time DESC, rowid DESC LIMIT ?",  # noqa: S608
        (*words, limit),
    ).fetchall()
    found = [decode(row[0], (MeasureRecord,)) for row in rows]
    if any(record is None for record in found):
        raise QtuiError("the history holds a measurement that cannot be read", "move it away: a new one is begun")
    return [record for record in found if record is not None]


def _delete(database: sqlite3.Connection, ids: Sequence[str] | None) -> int:
    if ids is None:
        return database.execute("DELETE FROM measurements").rowcount
    return sum(database.execute("DELETE FROM measurements WHERE id = ?", (one,)).rowcount for one in ids)
