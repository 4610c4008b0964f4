"""What llama.cpp has answered, kept between starts: one SQLite file in the cache folder, bounded.

It is a cache: one that is damaged, in use, of another shape or not writable is as good as none, and a damaged one is
begun anew. Every line carries a digest, since a flipped bit would pass for an exact figure. Several qtui processes
share it. All calls block.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from qtui.core.errors import QtuiError
from qtui.services.paths import cache_dir, cache_path

FILE = "dry-runs-1.sqlite3"
"""Another shape of its table gets another number."""
MOST_ANSWERS = 20_000
"""Some 700 bytes each."""
LONGEST = 1 << 14
"""Characters; an answer of sixteen buffer types has some two thousand."""
BUSY_S = 0.2
USED_AGAIN_S = 86_400.0
"""An answer's last use is noted once a day, so that reading writes little."""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, used REAL NOT NULL, line TEXT NOT NULL, "
    "digest TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS answers_by_use ON answers (used)",
)

T = TypeVar("T")


class Answers:
    """Answers by the digest of their question; the longest unused go first.

    Args:
        path: the database; by default in qtui's cache folder.
        most: how many answers are kept.
    """

    def __init__(self, path: Path | None = None, most: int = MOST_ANSWERS) -> None:
        self._path = path
        self._most = most

    @property
    def path(self) -> Path:
        """Return where they are kept."""
        return self._path or cache_path() / FILE

    def get(self, key: str) -> str | None:
        """Return the line that was kept for a question; None where there is none, or it cannot be read."""
        return self._do(lambda database: _get(database, key)) if self.path.exists() else None

    def put(self, key: str, line: str) -> None:
        """Keep a line; one that is too long, or cannot be written, is left out."""
        if len(line) > LONGEST:
            return
        if self._path is None:
            try:
                cache_dir()
            except QtuiError:
                return
        self._do(lambda database: _put(database, key, line, self._most))

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        try:
            with _opened(self.path) as database:
                return work(database)
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", None)
            if isinstance(code, int) and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                _remove(self.path)
        except (OSError, sqlite3.Error):
            pass
        return None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database, made privately where there is none; what the block did is whole or not at all."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    database = sqlite3.connect(path, timeout=BUSY_S)
    try:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'answers_by_use'").fetchone():
            database.execute("PRAGMA journal_mode = WAL")
            for statement in _TABLE:
                database.execute(statement)
        database.execute("PRAGMA synchronous = OFF")  # what a power cut takes is asked again
        with database:
            yield database
    finally:
        database.close()


def _get(database: sqlite3.Connection, key: str) -> str | None:
    found = database.execute(
        "SELECT line, digest, used FROM answers WHERE key = ? AND length(line) <= ?", (key, LONGEST)
    ).fetchone()
    if found is None or found[1] != _digest(key, found[0]):
        return None
    now = time.time()
    if abs(now - found[2]) > USED_AGAIN_S:
        with contextlib.suppress(sqlite3.OperationalError):  # read-only, or in use
            database.execute("UPDATE answers SET used = ? WHERE key = ?", (now, key))
    return str(found[0])


def _put(database: sqlite3.Connection, key: str, line: str, most: int) -> None:
    database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", (key, time.time(), line, _digest(key, line)))
    (count,) = database.execute("SELECT count(*) FROM answers").fetchone()
    if count > most:
        spare = count - most + most // 10
        database.execute(
            "DELETE FROM answers WHERE key IN (SELECT key FROM answers ORDER BY used, key LIMIT ?)", (spare,)
        )


def _digest(key: str, line: str) -> str:
    return hashlib.blake2b(f"{key}\n{line}".encode("utf-8", "replace"), digest_size=8).hexdigest()


def _remove(path: Path) -> None:
    """Take a damaged database away, with what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(OSError):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
