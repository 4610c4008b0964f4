"""The history: one SQLite file in the data folder, opened only when it is used.

Several qtui processes share it: it is in WAL mode, and a writer waits for another. Migrations are numbered by
`PRAGMA user_version` and only ever added to.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from qtui.core.errors import QtuiError
from qtui.core.history import LEAST_TOKENS, MeasuredRate, PastRun, Run, Timing, median, speed_key
from qtui.core.library.variant import Variant
from qtui.core.memory.actual import Actual, Estimate, card_buffers
from qtui.core.memory.unaccounted import ByCard, Unaccounted
from qtui.core.text import clean, clean_name
from qtui.services.measure_tables import MEASUREMENTS
from qtui.services.paths import data_dir, data_path
from qtui.services.round_tables import ROUND_TOKENS, ROUNDS

FILE = "history.sqlite3"
BUSY_S = 2.0
"""How long another process's write is waited for."""
NEWEST = 9
"""Answers whose median is a rate: what the machine did a year ago does not count for ever."""
NEWEST_RUNS = 25
"""Runs whose median is what llama.cpp leaves out on a card: drivers change."""
MIGRATIONS = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY, time REAL NOT NULL, path TEXT NOT NULL, model TEXT NOT NULL, quant TEXT NOT NULL,
        size INTEGER NOT NULL, mtime_ns INTEGER, engine TEXT NOT NULL, build TEXT NOT NULL, plan TEXT NOT NULL,
        speed_key TEXT NOT NULL, estimate TEXT, actual TEXT, full_prompt INTEGER NOT NULL, allocated TEXT NOT NULL,
        load_time REAL
    ) STRICT;
    CREATE INDEX runs_by_time ON runs (time);
    CREATE INDEX runs_by_file ON runs (size, mtime_ns, quant, model);
    CREATE TABLE answers (
        id INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, time REAL NOT NULL,
        prompt_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, generated_tokens INTEGER NOT NULL,
        time_to_first_token REAL, prompt_rate REAL, generation_rate REAL, alone INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX answers_by_run ON answers (run);
    CREATE TABLE run_cards (
        run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, card INTEGER NOT NULL, name TEXT NOT NULL,
        allocated INTEGER NOT NULL, actual INTEGER NOT NULL, PRIMARY KEY (run, card)
    ) STRICT;
    """,
    ROUNDS,
    MEASUREMENTS,
    ROUND_TOKENS,
)
_RUN_COLUMNS = (
    "id", "time", "path", "model", "quant", "size", "mtime_ns", "engine", "build", "plan", "speed_key", "estimate",
    "actual", "full_prompt", "allocated", "load_time",
)  # fmt: skip

T = TypeVar("T")
_Identity = tuple[int, int, str, str]
"""(size, mtime in ns, quant, model): a file that was moved is still the same."""


class HistoryFile:
    """Implements `core.ports.History` over one file.

    Args:
        path: the database; by default in qtui's data folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    @property
    def path(self) -> Path:
        """Return where the history is kept."""
        return self._path or data_path() / FILE

    async def record_run(self, run: Run, timing: Timing) -> None:
        """Keep a run and one more answer; see `core.ports.History`."""
        await self.do(lambda db: _record(db, run, timing), write=True)

    async def runs(self, limit: int = 50, path: Path | None = None) -> Sequence[PastRun]:
        """Return the newest runs; see `core.ports.History`."""
        return await self.do(lambda db: _runs(db, limit, path), empty=list[PastRun])

    async def rates(self, variants: Sequence[Variant]) -> Mapping[Path, Sequence[MeasuredRate]]:
        """Return measured rates by path; see `core.ports.History`."""
        return await self.do(lambda db: _rates(db, variants), empty=dict[Path, Sequence[MeasuredRate]])

    async def unaccounted(self) -> ByCard:
        """Return what llama.cpp leaves out, by card; see `core.ports.History`."""
        return await self.do(_unaccounted, empty=dict[str, Unaccounted])

    async def do(
        self, work: Callable[[sqlite3.Connection], T], *, write: bool = False, empty: Callable[[], T] | None = None
    ) -> T:
        """Work on the open database, in a thread; `write` in one transaction; `empty` gives what holds where it is not.

        Raises:
            QtuiError: it is damaged, busy, of a newer qtui, or cannot be used.
        """
        return await asyncio.to_thread(self._work, work, write, empty)

    def _work(self, work: Callable[[sqlite3.Connection], T], write: bool, empty: Callable[[], T] | None) -> T:
        """Open, work, close; a history that was never begun is empty, and is not made by looking."""
        if empty is not None and not self.path.exists():
            return empty()
        if self._path is None and write:
            data_dir()
        with _sentences(self.path), _opened(self.path) as database, database:
            if write:
                database.execute("BEGIN IMMEDIATE")
            return work(database)


@contextlib.contextmanager
def _sentences(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into a sentence with what to do about it."""
    name = clean_name(str(path))
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        code = getattr(error, "sqlite_errorcode", None)
        primary = code & 0xFF if isinstance(code, int) else None
        said = clean(str(error))
        if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            hint = "move it away: a new one is begun"
            raise QtuiError(f"the history {name} is damaged: {said}", hint) from error
        if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise QtuiError(f"the history {name} is in use by another program", "try again when it is done") from error
        hint = "check the free space and the permissions of its folder"
        raise QtuiError(f"the history {name} cannot be used: {said}", hint) from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database, made privately where there is none, and brought to this version."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    # Without isolation level nothing is begun behind our back; the context manager commits what BEGIN began.
    database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    try:
        database.execute("PRAGMA foreign_keys = ON")
        if _version(database) < len(MIGRATIONS):
            database.execute("PRAGMA journal_mode = WAL")
            _migrate(database)
        if _version(database) > len(MIGRATIONS):
            raise QtuiError(
                f"the history {clean_name(str(path))} is of a newer qtui", "update qtui, or move the file away"
            )
        database.execute("PRAGMA synchronous = NORMAL")
        yield database
    finally:
        database.close()


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _migrate(database: sqlite3.Connection) -> None:
    """Run what is missing, one step at a time, each whole or not at all; another process may have been faster."""
    for number, script in enumerate(MIGRATIONS, 1):
        database.execute("BEGIN IMMEDIATE")
        try:
            if _version(database) < number:
                for statement in filter(str.strip, script.split(";")):
                    database.execute(statement)
                database.execute(f"PRAGMA user_version = {number}")
            database.execute("COMMIT")
        except BaseException:
            database.execute("ROLLBACK")
            raise


def _record(database: sqlite3.Connection, run: Run, timing: Timing) -> None:
    row = (
        run.id, run.time, clean_name(run.path, 4096), run.model, run.quant, run.size, _mtime(run.shards or (run.path,)),
        run.engine, run.build, json.dumps(run.plan), speed_key(run.plan), _json(run.estimate), _json(run.actual),
        int(run.actual is not None and run.actual.full_prompt), json.dumps(run.allocated), run.load_time,
    )  # fmt: skip
    marks = ", ".join("?" * len(_RUN_COLUMNS))
    newer = ", ".join(f"{name} = excluded.{name}" for name in _RUN_COLUMNS[1:])
    database.execute(
        f"INSERT INTO runs ({', '.join(_RUN_COLUMNS)}) VALUES ({marks}) ON CONFLICT (id) DO UPDATE SET {newer}",  # noqa: S608
        row,
    )
    database.execute(
        "INSERT INTO answers (run, time, prompt_tokens, cached_tokens, generated_tokens, time_to_first_token, "
        "prompt_rate, generation_rate, alone) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (run.id, timing.time, timing.prompt_tokens, timing.cached_tokens, timing.generated_tokens,
         timing.time_to_first_token, timing.prompt_rate, timing.generation_rate, int(timing.alone)),
    )  # fmt: skip
    if run.actual is not None and run.actual.full_prompt:
        cards = zip(run.actual.cards, card_buffers(run.allocated), run.actual.vram, strict=False)
        database.executemany(
            "INSERT OR REPLACE INTO run_cards (run, card, name, allocated, actual) VALUES (?, ?, ?, ?, ?)",
            [
                (run.id, index, name, allocated, held)
                for index, (name, allocated, held) in enumerate(cards)
                if held is not None and allocated
            ],
        )


def _runs(database: sqlite3.Connection, limit: int, path: Path | None) -> list[PastRun]:
    wanted = None if path is None else clean_name(str(path), 4096)
    rows = database.execute(
        f"SELECT {', '.join(_RUN_COLUMNS)} FROM runs WHERE ?1 IS NULL OR path = ?1 ORDER BY time DESC LIMIT ?2",  # noqa: S608
        (wanted, limit),
    ).fetchall()
    return [_past_run(database, dict(zip(_RUN_COLUMNS, row, strict=True))) for row in rows]


def _past_run(database: sqlite3.Connection, row: dict[str, Any]) -> PastRun:
    answers = database.execute(
        "SELECT time_to_first_token, prompt_rate, generation_rate, generated_tokens, alone FROM answers "
        "WHERE run = ? ORDER BY id",
        (row["id"],),
    ).fetchall()
    prompt = [read for _, read, _, _, alone in answers if alone and read is not None]
    generation = [
        rate for _, _, rate, tokens, alone in answers if alone and rate is not None and tokens >= LEAST_TOKENS
    ]
    try:
        run = Run(
            row["id"], row["time"], row["path"], row["model"], row["quant"], row["size"], row["engine"], row["build"],
            json.loads(row["plan"]), Estimate.from_json(json.loads(row["estimate"])) if row["estimate"] else None,
            Actual.from_json(json.loads(row["actual"])) if row["actual"] else None,
            tuple((str(name), *map(int, sizes)) for name, *sizes in json.loads(row["allocated"])),  # type: ignore[misc]
            row["load_time"],
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise QtuiError("the history holds a row that cannot be read", "move it away: a new one is begun") from error
    return PastRun(run, len(answers), answers[0][0] if answers else None, median(prompt), median(generation))


def _rates(database: sqlite3.Connection, variants: Sequence[Variant]) -> dict[Path, Sequence[MeasuredRate]]:
    rows = database.execute(
        "SELECT * FROM (SELECT size, mtime_ns, quant, model, speed_key, generation_rate, answers.time AS moment, "
        "row_number() OVER (PARTITION BY size, mtime_ns, quant, model, speed_key ORDER BY answers.time DESC) AS place "
        "FROM answers JOIN runs ON runs.id = run "
        "WHERE alone AND generation_rate IS NOT NULL AND generated_tokens >= ? AND mtime_ns IS NOT NULL) "
        "WHERE place <= ? ORDER BY moment DESC",
        (LEAST_TOKENS, NEWEST),
    ).fetchall()
    if not rows:
        return {}
    samples: dict[_Identity, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for size, mtime_ns, quant, model, key, rate, moment, _ in rows:
        samples[size, mtime_ns, quant, model][key].append((moment, rate))
    found: dict[Path, Sequence[MeasuredRate]] = {}
    for variant in variants:
        mtime = _mtime([str(path) for path in variant.shards or (variant.path,)])
        plans = samples.get((variant.size, mtime, variant.quant, variant.model)) if mtime is not None else None
        if plans:
            found[variant.path] = [
                MeasuredRate(key, median([rate for _, rate in taken]) or 0.0, len(taken), taken[0][0])
                for key, taken in plans.items()
            ]
    return found


def _unaccounted(database: sqlite3.Connection) -> dict[str, Unaccounted]:
    left_out: dict[str, list[int]] = defaultdict(list)
    for name, size, plan in database.execute(
        "SELECT name, run_cards.actual - run_cards.allocated, plan FROM run_cards JOIN runs ON id = run "
        "ORDER BY time DESC LIMIT 1000"
    ):
        if len(left_out[name]) < NEWEST_RUNS and _is_bare(plan):
            left_out[name].append(size)
    return {name: Unaccounted.of(sizes) for name, sizes in left_out.items() if sizes}


def _is_bare(plan: str) -> bool:
    """Tell whether nothing was loaded beside the model: adapters and projectors are not in llama.cpp's account."""
    try:
        values = json.loads(plan)
    except ValueError:
        return False
    return isinstance(values, dict) and not values.get("lora") and not values.get("mmproj")


def _mtime(paths: Sequence[str]) -> int | None:
    """Return the newest change of some files, None where one cannot be looked at."""
    try:
        return max(Path(path).stat().st_mtime_ns for path in paths)
    except (OSError, ValueError):
        return None


def _json(value: Estimate | Actual | None) -> str | None:
    return None if value is None else json.dumps(value.as_json())
