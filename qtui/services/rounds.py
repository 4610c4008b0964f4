"""Rounds, votes and suite runs in the history's file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from qtui.core.duel.ballot import Vote
from qtui.core.duel.difference import DifferentToken
from qtui.core.duel.records import Party, RoundRecord, SideRecord, SuiteRecord, Voted
from qtui.core.duel.suite.checks import Mark
from qtui.core.duel.suite.score import Result
from qtui.core.errors import QtuiError
from qtui.core.text import clean_name
from qtui.services.history import HistoryFile

MOST_WORDS = 20
"""Words of a search that are looked for."""
_SIDE_COLUMNS = (
    "side", "path", "model", "quant", "size", "hash", "plan", "text", "thinking", "finish_reason", "remark",
    "prompt_tokens", "generated_tokens", "load_time", "time_to_first_token", "prompt_rate", "generation_rate", "peak",
    "failure",
)  # fmt: skip


class RoundsFile:
    """Implements `core.duel.storage.Rounds` over the history's file."""

    def __init__(self, file: HistoryFile | None = None) -> None:
        self._file = file or HistoryFile()

    @property
    def place(self) -> str:
        """Return the file's path, clean."""
        return clean_name(str(self._file.path), 400)

    async def empty(self) -> bool:
        """Tell whether nothing was ever kept; see `core.duel.storage.Rounds`."""
        sql = "SELECT (SELECT count(*) FROM rounds) + (SELECT count(*) FROM suite_runs)"
        return await self._file.do(lambda db: bool(db.execute(sql).fetchone()[0] == 0), empty=lambda: True)

    async def keep_round(self, record: RoundRecord) -> bool:
        """Keep a round; see `core.duel.storage.Rounds`."""
        await self._file.do(lambda db: _keep_round(db, record), write=True)
        return True

    async def keep_vote(self, round_id: str, vote: Vote) -> None:
        """Keep a vote; see `core.duel.storage.Rounds`."""
        sql = "UPDATE rounds SET vote = ? WHERE id = ?"
        await self._file.do(lambda db: db.execute(sql, (vote.value, round_id)).rowcount, write=True)

    async def rounds(self, limit: int = 50, search: str = "", pair: str = "") -> Sequence[RoundRecord]:
        """Return the newest rounds; see `core.duel.storage.Rounds`."""
        return await self._file.do(lambda db: _rounds(db, limit, search, pair), empty=list[RoundRecord])

    async def voted(self) -> Sequence[Voted]:
        """Return every vote on two files; see `core.duel.storage.Rounds`."""
        return await self._file.do(_voted, empty=list[Voted])

    async def begin_suite(self, record: SuiteRecord) -> None:
        """Keep a new run; see `core.duel.storage.Rounds`."""
        row = (
            record.id, record.time, record.suite, record.digest, record.tasks, json.dumps(record.sampling),
            record.engine, record.build, json.dumps([asdict(party) for party in record.parties]), 0, record.key,
        )  # fmt: skip
        await self._file.do(lambda db: _insert(db, "suite_runs", row), write=True)

    async def open_suite(self, key: str) -> Sequence[SuiteRecord]:
        """Return the newest run of a key that was not completed; see `core.duel.storage.Rounds`."""
        where = "WHERE complete = 0 AND key = ? ORDER BY time DESC LIMIT 1"
        return await self._file.do(lambda db: _suites(db, where, (key,)), empty=list[SuiteRecord])

    async def keep_result(self, run: str, result: Result, *, text: bool) -> None:
        """Keep one result; see `core.duel.storage.Rounds`."""
        mark = result.mark
        right = None if mark.right is None else int(mark.right)
        # A reason quotes what was said.
        said = (mark.reason, result.answer) if text else ("", "")
        row = (run, result.task, result.side, result.group, right, *said)
        await self._file.do(lambda db: _insert(db, "suite_results", row), write=True)

    async def end_suite(self, run: str) -> None:
        """Say that a run is complete; see `core.duel.storage.Rounds`."""
        sql = "UPDATE suite_runs SET complete = 1 WHERE id = ?"
        await self._file.do(lambda db: db.execute(sql, (run,)).rowcount, write=True)

    async def suites(self, limit: int = 50) -> Sequence[SuiteRecord]:
        """Return the newest runs; see `core.duel.storage.Rounds`."""
        where = "ORDER BY time DESC LIMIT ?"
        return await self._file.do(lambda db: _suites(db, where, (limit,)), empty=list[SuiteRecord])

    async def delete(self, ids: Sequence[str] | None = None) -> int:
        """Delete rounds and runs; see `core.duel.storage.Rounds`."""
        if await self.empty():
            return 0
        return await self._file.do(lambda db: _delete(db, ids), write=True)


def _insert(database: sqlite3.Connection, table: str, row: Sequence[object]) -> None:
    marks = ", ".join("?" * len(row))
    database.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", row)  # noqa: S608 (a name of ours)


def _keep_round(database: sqlite3.Connection, record: RoundRecord) -> None:
    row = (
        record.id, record.time, record.prompt, record.mode, json.dumps(record.sampling), record.system, record.engine,
        record.build, int(record.blind), record.vote.value if record.vote else None, record.pair,
    )  # fmt: skip
    database.execute("DELETE FROM rounds WHERE id = ?", (record.id,))
    _insert(database, "rounds", row)
    if record.token:
        _insert(database, "round_tokens", (record.id, record.token.place, record.token.first, record.token.second))
    for side in record.sides:
        party = side.party
        values = (
            record.id, party.side, clean_name(party.path, 4096), party.model, party.quant, party.size, party.hash,
            json.dumps(party.plan), side.text, side.thinking, side.finish_reason, side.remark, side.prompt_tokens,
            side.generated_tokens, side.load_time, side.time_to_first_token, side.prompt_rate, side.generation_rate,
            side.peak, side.failure,
        )  # fmt: skip
        _insert(database, "round_sides", values)


def _rounds(database: sqlite3.Connection, limit: int, search: str, pair: str) -> list[RoundRecord]:
    where, given = ["1"], list[object]()
    if pair:
        where.append("pair = ?")
        given.append(pair)
    database.create_function("folded", -1, folded, deterministic=True)
    for word in search.split()[:MOST_WORDS]:
        where.append(
            "(instr(folded(prompt), ?) OR EXISTS (SELECT 1 FROM round_sides WHERE round = rounds.id "
            "AND instr(folded(text, model, quant, path), ?)))"
        )
        given += [word.casefold()] * 2
    rows = database.execute(
        "SELECT id, time, prompt, mode, sampling, system, engine, build, blind, vote FROM rounds "  # noqa: S608
        f"WHERE {' AND '.join(where)} ORDER BY time DESC, rowid DESC LIMIT ?",
        (*given, limit),
    ).fetchall()
    return [_round(database, row) for row in rows]


def _round(database: sqlite3.Connection, row: tuple[Any, ...]) -> RoundRecord:
    identity, time, prompt, mode, sampling, system, engine, build, blind, vote = row
    sides = database.execute(
        f"SELECT {', '.join(_SIDE_COLUMNS)} FROM round_sides WHERE round = ? ORDER BY side",  # noqa: S608
        (identity,),
    ).fetchall()
    token = database.execute("SELECT place, first, second FROM round_tokens WHERE round = ?", (identity,)).fetchone()
    try:
        return RoundRecord(
            identity, time, prompt, mode, json.loads(sampling), system, engine, build, tuple(map(_side, sides)),
            bool(blind), Vote(vote) if vote else None, DifferentToken(*token) if token else None,
        )  # fmt: skip
    except (ValueError, TypeError) as error:
        raise QtuiError("the history holds a round that cannot be read", "move it away: a new one is begun") from error


def _voted(database: sqlite3.Connection) -> list[Voted]:
    rows = database.execute(
        "SELECT vote, a.hash, a.path, a.size, b.hash, b.path, b.size FROM rounds "
        "JOIN round_sides AS a ON a.round = rounds.id AND a.side = 'A' "
        "JOIN round_sides AS b ON b.round = rounds.id AND b.side = 'B' WHERE vote IS NOT NULL"
    )
    known = set(Vote)
    return [
        Voted((hash_a or path_a, hash_b or path_b), (size_a, size_b), Vote(vote))
        for vote, hash_a, path_a, size_a, hash_b, path_b, size_b in rows
        if vote in known
    ]


def folded(*texts: str | None) -> str:
    """Return texts as they are searched: SQLite's own comparison knows the letter case of English only."""
    return "\0".join(text.casefold() for text in texts if text)


def _side(row: tuple[Any, ...]) -> SideRecord:
    side, path, model, quant, size, digest, plan, *rest = row
    return SideRecord(Party(side, path, model, quant, size, digest, json.loads(plan)), *rest)


def _suites(database: sqlite3.Connection, where: str, given: tuple[object, ...]) -> list[SuiteRecord]:
    rows = database.execute(
        "SELECT id, time, suite, digest, tasks, sampling, engine, build, parties, complete FROM suite_runs "  # noqa: S608
        + where,
        given,
    ).fetchall()
    found = []
    for identity, time, suite, digest, tasks, sampling, engine, build, parties, complete in rows:
        try:
            record = SuiteRecord(
                identity, time, suite, digest, tasks, json.loads(sampling), engine, build,
                tuple(Party(**party) for party in json.loads(parties)), complete=bool(complete),
            )  # fmt: skip
        except (ValueError, TypeError) as error:
            hint = "move it away: a new one is begun"
            raise QtuiError("the history holds a suite run that cannot be read", hint) from error
        found.append(replace(record, results=_results(database, record.id)))
    return found


def _results(database: sqlite3.Connection, run: str) -> tuple[Result, ...]:
    rows = database.execute(
        "SELECT task, task_group, side, correct, reason, answer FROM suite_results WHERE run = ? ORDER BY rowid", (run,)
    )
    return tuple(
        Result(task, group, side, Mark(None if right is None else bool(right), reason), answer)
        for task, group, side, right, reason, answer in rows
    )


def _delete(database: sqlite3.Connection, ids: Sequence[str] | None) -> int:
    database.execute("PRAGMA secure_delete = ON")  # what was written is not left in free pages
    if ids is None:
        return sum(database.execute(f"DELETE FROM {table}").rowcount for table in ("rounds", "suite_runs"))  # noqa: S608
    return sum(
        database.execute(f"DELETE FROM {table} WHERE id = ?", (identity,)).rowcount  # noqa: S608
        for table in ("rounds", "suite_runs")
        for identity in ids
    )
