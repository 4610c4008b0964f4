"""Crew: one thread for each place, of which none can hold up the others.

A system call on a network mount whose server is gone does not return and cannot be interrupted. So nobody waits for
such a thread: it says that it is alive as it goes, and one that has been silent for too long is left behind. Threads
are daemons, so that the process can end without them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

PATIENCE_S = 5.0
"""A disk that has to spin up first takes a few seconds; a dead mount never answers."""
LOOK_S = 0.25


class Job(Generic[T]):
    """The work on one place: what it gave, or the error that it ended with."""

    def __init__(self, work: Callable[[Job[T]], T], stop: Callable[[], bool]) -> None:
        self._work = work
        self._stop = stop
        self._alive_at = time.monotonic()
        self.left_behind = False
        self.outcome: list[T] = []
        """What it gave, once it has ended well."""
        self.error: BaseException | None = None
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True, name="qtui-place")

    def beat(self) -> bool:
        """Say that the work goes on; tell whether it shall stop."""
        self._alive_at = time.monotonic()
        return self.left_behind or self._stop()

    @property
    def silent_s(self) -> float:
        """Return how long it has said nothing."""
        return time.monotonic() - self._alive_at

    def _run(self) -> None:
        try:
            self.outcome.append(self._work(self))
        except BaseException as error:  # noqa: BLE001 - a thread's outermost frame: whoever waits raises it
            self.error = error
        finally:
            self.ended.set()


class Crew:
    """Runs work on places. A place whose thread was left behind gets no second one while the first still hangs."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._hanging: dict[Path, threading.Event] = {}
        """The ends of jobs that were left behind."""

    def run(
        self, work: Mapping[Path, Callable[[Job[T]], T]], stop: Callable[[], bool] = bool
    ) -> tuple[dict[Path, T], tuple[Path, ...]]:
        """Run all at once; returns what each gave, and the places that do not answer.

        Raises:
            BaseException: whatever the work on a place raised.
        """
        silent = [place for place, ended in self._hanging.items() if place in work and not ended.is_set()]
        jobs: dict[Path, Job[T]] = {place: Job(each, stop) for place, each in work.items() if place not in silent}
        for job in jobs.values():
            job.thread.start()
        for place, job in jobs.items():
            while not job.ended.wait(LOOK_S):
                if job.silent_s > self._patience_s:
                    job.left_behind = True
                    self._hanging[place] = job.ended
                    silent.append(place)
                    break
        results: dict[Path, T] = {}
        for place, job in jobs.items():
            if job.left_behind:
                continue
            if job.error is not None:
                raise job.error
            results[place] = job.outcome[0]
        return results, tuple(silent)


def answered(work: Callable[[], T], otherwise: T, patience_s: float = PATIENCE_S) -> T:
    """Return what some work gives, or `otherwise` where it does not come back in time; errors of it are raised."""
    work_of_all: dict[Path, Callable[[Job[T]], T]] = {Path(): lambda _: work()}
    results, _ = Crew(patience_s).run(work_of_all)
    return results.get(Path(), otherwise)
