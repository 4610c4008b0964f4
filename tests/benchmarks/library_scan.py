"""How long a scan of 2 000 variants over all caches takes: `python -m tests.benchmarks.library_scan`.

A home with the folders of every program is made, with copies, links and broken files. It is scanned once with an empty
cache, then again as a new process does (the cache is read), then as the app does that is running. The median of some
rescans of the unchanged disk is compared with the goal. `--files N` adds a folder with N files that are no models.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from qtui.core.library.copies import mark_copies
from qtui.core.library.grouping import group_models
from qtui.core.library.variant import Variant
from qtui.services.library.library import LocalLibrary
from tests.builders.library_tree import make_library

GOAL_S = 1.0
ROUNDS = 5


def timed_scan(library: LocalLibrary) -> tuple[float, list[Variant]]:
    """Return the seconds of a scan, copies marked, and what it found."""

    async def scan() -> list[Variant]:
        return [variant async for variant in library.scan()]

    started = time.perf_counter()
    rows = list(mark_copies(asyncio.run(scan())))
    return time.perf_counter() - started, rows


def measure(count: int, files: int) -> int:
    """Make the home, scan it and print; 1 when the goal is missed."""
    with tempfile.TemporaryDirectory() as folder:
        home_folder = Path(folder)
        for variable in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
            os.environ[variable] = str(home_folder / variable.lower())
        os.environ |= {"HOME": folder, "HF_HOME": str(home_folder / "huggingface")}
        home, recipe = make_library(home_folder, count)
        (home.own / "notes").mkdir()
        for number in range(files):
            (home.own / "notes" / f"{number}.txt").touch()
        first, rows = timed_scan(LocalLibrary([home.own]))
        fresh = [timed_scan(LocalLibrary([home.own]))[0] for _ in range(ROUNDS)]
        library = LocalLibrary([home.own])
        timed_scan(library)
        running = [timed_scan(library)[0] for _ in range(ROUNDS)]
        started = time.perf_counter()
        group_models(rows)
        grouping = time.perf_counter() - started
        where = len({row.owner for row in rows})
        print(f"{len(rows)} variants of {recipe.names} names in the folders of {where} owners, {files} other files")
        print(f"first scan, nothing known      {first:.3f} s")
        print(f"rescan by a new process        {statistics.median(fresh):.3f} s (slowest {max(fresh):.3f})")
        print(f"rescan by the one that runs    {statistics.median(running):.3f} s (goal {GOAL_S:.0f})")
        print(f"grouping into models           {grouping:.3f} s")
        return 0 if max(statistics.median(fresh), statistics.median(running)) < GOAL_S else 1


def main() -> int:
    """Measure and print; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--files", type=int, default=0)
    options = parser.parse_args()
    return measure(options.count, options.files)


if __name__ == "__main__":
    sys.exit(main())
