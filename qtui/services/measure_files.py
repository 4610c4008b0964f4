"""Where measurements are worked on: a folder for each in the cache, with the reference's logits and the scores so far.

What stays: the logits of the newest measurement, where they take no more than `KEPT_BYTES`, so that the next variant
needs no second pass of the reference; and what an interrupted measurement left, for `KEPT_DAYS`. The rest is removed
when a measurement ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from qtui.core.errors import BadFileError, QtuiError
from qtui.core.measure.base_file import BaseHead, read_head
from qtui.core.measure.ports import StoredLogits
from qtui.core.measure.scores import ChunkScores
from qtui.core.text import clean, clean_name, size
from qtui.core.wire import decode, encode
from qtui.services.paths import cache_dir, cache_path

FOLDER = "measure"
LOGITS = "logits.kld"
LOCK = "lock"
DONE = "done"
"""The file that says that a measurement ended well."""
KEPT_BYTES = 2 << 30
KEPT_DAYS = 14.0


class MeasureFolder:
    """Implements `core.measure.ports.Workspace`.

    Args:
        folder: by default `measure` in qtui's cache folder.
        kept_bytes: logits that take more are removed once all is measured.
    """

    def __init__(self, folder: Path | None = None, kept_bytes: int = KEPT_BYTES) -> None:
        self._folder = folder
        self._kept_bytes = kept_bytes

    @property
    def folder(self) -> Path:
        """Return where the measurements are."""
        return self._folder or cache_path() / FOLDER

    async def look(self, path: str) -> StoredLogits:
        """Return what a file of logits says of itself; see `core.measure.ports.Workspace`."""
        return await asyncio.to_thread(look, Path(path))

    async def open(self, key: str, logits: str = "", *, fresh: bool = False) -> FolderDesk:
        """Take the desk of a measurement; see `core.measure.ports.Workspace`."""
        return await asyncio.to_thread(self._open, key, logits, fresh)

    async def scratch(self) -> FolderDesk:
        """Take a desk of which nothing stays; see `core.measure.ports.Workspace`."""
        return await asyncio.to_thread(self._scratch)

    async def clean(self) -> int:
        """Remove all that no running qtui works on; return the bytes that were freed."""
        return await asyncio.to_thread(lambda: sum(map(_remove, self._others(None))))

    def _open(self, key: str, logits: str, fresh: bool, *, scratch: bool = False) -> FolderDesk:
        if self._folder is None:
            cache_dir()
        place = self.folder / key
        try:
            place.mkdir(parents=True, exist_ok=True)
            lock = _locked(place)
        except OSError as error:
            raise _unusable(place, error) from error
        if lock is None:
            raise QtuiError("another qtui measures the same at this moment", "wait until it is done, or stop it")
        (place / DONE).unlink(missing_ok=True)
        os.utime(place)
        if fresh:
            for path in place.iterdir():
                if path.name != LOCK:
                    path.unlink()
        path = Path(logits) if logits else place / LOGITS
        return FolderDesk(self, place, path, lock, borrowed=bool(logits), scratch=scratch)

    def _scratch(self) -> FolderDesk:
        name = f"scratch-{uuid.uuid4().hex}"
        desk = self._open(name, "", False, scratch=True)
        with contextlib.suppress(OSError):
            (self.folder / name / DONE).touch()  # whoever tidies next removes it, should this process not live to
        return desk

    def _others(self, kept: Path | None) -> list[Path]:
        try:
            return [path for path in self.folder.iterdir() if path.is_dir() and path != kept]
        except OSError:
            return []

    def tidy(self, place: Path, *, done: bool) -> str:
        """Remove what is not to stay once a measurement has ended; returns what became of its logits."""
        now = time.time()
        for path in self._others(place):
            with contextlib.suppress(OSError):
                old = now - path.stat().st_mtime > KEPT_DAYS * 86400
                if old or (path / DONE).exists():
                    _remove(path)
        logits = place / LOGITS
        taken = logits.stat().st_size if logits.exists() else 0
        if not done:
            return f"what was measured is kept for {KEPT_DAYS:g} days: the same command goes on from there"
        if taken > self._kept_bytes:
            shutil.rmtree(place, ignore_errors=True)
            return f"the reference's logits ({size(taken)}) are removed: more than {size(self._kept_bytes)}"
        with contextlib.suppress(OSError):
            (place / DONE).touch()
        if not taken:
            return ""
        return f"the reference's logits ({size(taken)}) are kept in the cache until the next measurement ends"


class FolderDesk:
    """Implements `core.measure.ports.Desk` in a folder that this process has locked."""

    def __init__(
        self, home: MeasureFolder, place: Path, logits: Path, lock: int, *, borrowed: bool, scratch: bool
    ) -> None:
        self._home = home
        self._place = place
        self._logits = logits
        self._lock = lock
        self._borrowed = borrowed
        """The logits lie elsewhere, and stay there."""
        self._scratch = scratch
        """Nothing stays."""

    @property
    def logits(self) -> str:
        """Return the path of the file of logits."""
        return str(self._logits.absolute())

    async def stored(self) -> StoredLogits | None:
        """Return the file of logits as it is now; see `core.measure.ports.Desk`.

        Raises:
            QtuiError: it lies where the user wants logits to be written, and is something else.
        """
        if not await asyncio.to_thread(self._logits.exists):
            return None
        try:
            return await asyncio.to_thread(look, self._logits)
        except BadFileError as error:
            if self._borrowed:
                name = clean_name(str(self._logits))
                raise QtuiError(f"{name} is there and is no file of logits", "choose another name") from error
            return None

    async def free(self) -> int:
        """Return the bytes that can be written where the logits lie; see `core.measure.ports.Desk`."""
        folder = self._logits.absolute().parent
        try:
            return (await asyncio.to_thread(shutil.disk_usage, folder)).free
        except OSError as error:
            raise _unusable(folder, error) from error

    async def chunks(self, name: str) -> Sequence[ChunkScores]:
        """Return the scores kept under a name; a line that was cut off ends them."""
        return await asyncio.to_thread(self._chunks, name)

    def _chunks(self, name: str) -> list[ChunkScores]:
        found: list[ChunkScores] = []
        with contextlib.suppress(OSError), self._path(name).open("rb") as file:
            for line in file:
                scores = decode(line, (ChunkScores,)) if line.endswith(b"\n") else None
                if scores is None:
                    break
                found.append(scores)
        return found

    async def add(self, name: str, scores: ChunkScores) -> None:
        """Keep the scores of the next chunk."""
        await asyncio.to_thread(self._write, name, "a", encode(scores))

    async def cut(self, name: str, count: int) -> None:
        """Keep only the first of the scores under a name."""
        kept = (await self.chunks(name))[:count]
        await asyncio.to_thread(self._write, name, "w", "".join(map(encode, kept)))

    def _write(self, name: str, mode: str, text: str) -> None:
        try:
            with self._path(name).open(mode, encoding="ascii") as file:
                file.write(text)
        except OSError as error:
            raise _unusable(self._place, error) from error

    def _path(self, name: str) -> Path:
        plain = "".join(letter if letter.isalnum() else "-" for letter in name)[-80:]
        return self._place / f"{plain}.jsonl"

    async def close(self, *, done: bool) -> str:
        """Let go of the folder; see `core.measure.ports.Desk`."""
        return await asyncio.to_thread(self._close, done)

    def _close(self, done: bool) -> str:
        if self._scratch:
            shutil.rmtree(self._place, ignore_errors=True)
            os.close(self._lock)
            return ""
        try:
            said = self._home.tidy(self._place, done=done)
        except OSError:
            said = ""
        os.close(self._lock)
        if self._borrowed and done and self._logits.exists():
            return f"the logits are in {clean_name(str(self._logits), 400)}"
        return said


def look(path: Path) -> StoredLogits:
    """Return what a file of logits says of itself.

    Raises:
        BadFileError: it cannot be read, or is none.
    """
    name = clean_name(path.name)
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            head: BaseHead = read_head(file, state.st_size, name)
    except OSError as error:
        raise BadFileError(
            f"cannot read {clean_name(str(path))}: {clean(error.strerror or str(error))}", "check the path"
        ) from error
    return StoredLogits(str(path), head, state.st_size, f"{head.digest[:24]}-{state.st_size}-{state.st_mtime_ns}")


def _locked(place: Path) -> int | None:
    """Take the lock of a folder; None when another process has it. It is let go when this process ends."""
    descriptor = os.open(place / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _remove(place: Path) -> int:
    """Remove a measurement that nobody works on; return the bytes that were freed."""
    with contextlib.suppress(OSError):
        lock = _locked(place)
        if lock is not None:
            try:
                taken = sum(path.stat().st_size for path in place.iterdir())
                shutil.rmtree(place, ignore_errors=True)
                return taken
            finally:
                os.close(lock)
    return 0


def _unusable(place: Path, error: OSError) -> QtuiError:
    return QtuiError(
        f"cannot work in {clean_name(str(place), 400)}: {clean(error.strerror or str(error))}",
        "check its free space and permissions",
    )
