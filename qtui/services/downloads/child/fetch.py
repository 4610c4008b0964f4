"""The child that downloads: `python -m qtui.services.downloads.child.fetch`, one job on stdin, progress on stdout.

SIGTERM or the end of its input ends it after the chunk at hand; a kill at any moment loses nothing that is on disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from qtui.core.downloads.files import RemoteFile, check_commit, check_file, check_repository
from qtui.core.downloads.landing import PARTIAL, STATE, Landing, landing_of
from qtui.core.downloads.messages import Fetched, FetchFailed, FetchJob, FileFetched
from qtui.core.errors import Failure, QtuiError
from qtui.core.text import clean_name
from qtui.services.downloads.child.hub import BUSY, Hub, locked
from qtui.services.downloads.child.parent import STOPPED, Parent, Stop, StoppedError
from qtui.services.downloads.child.partial import Partial, PartialState, outdated, refuse
from qtui.services.downloads.child.placing import name_it, prepare, whole
from qtui.services.downloads.child.progress import Progress
from qtui.services.downloads.child.transfer import Transfer
from qtui.services.downloads.child.web import Web

CHUNK = 1 << 20


class Fetch:
    """Carries out one job, file after file."""

    def __init__(self, job: FetchJob, stop: Stop, progress: Progress) -> None:
        self._job = job
        self._stop = stop
        self._progress = progress
        self._web = Web(job.pace.stall)
        self._hub = Hub(job, self._web)

    def run(self) -> Iterator[FileFetched]:
        """Fetch the files and yield each when it is in its place.

        Raises:
            StoppedError: a stop was asked for.
            QtuiError: it cannot go on; what came is kept unless it was damaged.
        """
        job = self._job
        check_repository(job.repository)
        check_commit(job.commit, job.revision)
        for file in job.files:
            check_file(file)
        for index, file in enumerate(job.files):
            landing = landing_of(
                file, cache=Path(job.cache), folder=job.folder,
                repository=job.repository, commit=job.commit, revision=job.revision,
            )  # fmt: skip
            self._progress.here = 0
            prepare(landing)
            with locked(landing.lock, job.pace.lock, self._busy):
                self._progress.note("")
                if not self._is_here(landing, file):
                    self._fetch(landing, file)
                name_it(landing, job.commit)
            self._progress.before += file.size
            self._progress.here = 0
            yield FileFetched(index, str(landing.name))

    def _is_here(self, landing: Landing, file: RemoteFile) -> bool:
        """Tell whether the bytes are in their place already; those that nobody has compared are."""
        path = whole(landing, file)
        if path is None:
            return False
        if file.sha256 in self._job.verified:
            return True
        with self._checking():
            if self._digest(path) == file.sha256:
                return True
        self._progress.note(f"{clean_name(file.name)} is here and damaged: fetching it anew")
        return False

    def _fetch(self, landing: Landing, file: RemoteFile) -> None:
        job = self._job
        self._forget_outdated(landing, file)
        partial = Partial(landing, PartialState(job.repository, file.path, job.commit, file.sha256, file.size))
        with contextlib.closing(partial):
            if partial.anew:
                self._progress.note(partial.anew)
            if partial.done:
                with self._checking():
                    partial.check_kept(self._read)
            self._progress.here = partial.done
            transfer = Transfer(
                file, partial, lambda: self._hub.locate(file),
                web=self._web, stop=self._stop, progress=self._progress, pace=job.pace,
            )  # fmt: skip
            transfer.run()
            partial.become(landing.final)

    def _forget_outdated(self, landing: Landing, file: RemoteFile) -> None:
        """Remove what came of other bytes of this name, and what nobody can use, unless another program is at it."""
        for sha256, was_this in outdated(landing, self._job.repository, file).items():
            with contextlib.suppress(_TakenError):
                with locked(landing.lock.with_name(f"{sha256}.lock"), self._job.pace.lock, _taken):
                    # Whoever held the lock a moment ago may have said by now what it is a part of.
                    if sha256 not in outdated(landing, self._job.repository, file):
                        continue
                    for ending in (PARTIAL, STATE):
                        landing.partial.with_name(sha256 + ending).unlink(missing_ok=True)
                if was_this:
                    self._progress.note(f"{clean_name(file.name)} has changed on the Hub: starting anew")

    def _digest(self, path: Path) -> str:
        digest = hashlib.sha256()
        try:
            with path.open("rb", buffering=0) as stream:
                read, buffer = 0, bytearray(CHUNK)
                while length := stream.readinto(buffer):
                    digest.update(memoryview(buffer)[:length])
                    read += length
                    self._read(read)
        except OSError as error:
            refuse(path, error)
        return digest.hexdigest()

    def _read(self, count: int) -> None:
        self._progress.here = count
        self._stop.check()

    @contextlib.contextmanager
    def _checking(self) -> Iterator[None]:
        self._progress.checking = True
        try:
            yield
        finally:
            self._progress.checking = False
            self._progress.here = 0

    def _busy(self) -> None:
        self._progress.note(BUSY)
        self._stop.check()


class _TakenError(Exception):
    """Another program is at it."""


def _taken() -> NoReturn:
    raise _TakenError


def main() -> int:
    """Read the job, carry it out, and say how it ended."""
    parent = Parent.claim()
    job = parent.job()
    if job is None:
        parent.send(FetchFailed(Failure("the downloading process was given no job")))
        return 2
    stop, progress = Stop(), Progress(parent.send)
    parent.stop_at_its_end(stop)
    progress.start()
    try:
        for fetched in Fetch(job, stop, progress).run():
            parent.send(fetched)
    except StoppedError:
        progress.stop()
        return STOPPED
    except QtuiError as error:
        progress.stop()
        parent.send(FetchFailed(Failure.of(error)))
        return 1
    progress.stop()
    parent.send(Fetched(progress.received))
    return 0


if __name__ == "__main__":
    # Not sys.exit: the thread that reads stdin holds its lock, and the interpreter's shutdown would wait for it.
    status = main()
    sys.stderr.flush()
    os._exit(status)
