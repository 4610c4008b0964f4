"""How quick Models is with thousands of variants: `python -m tests.benchmarks.models_table`.

The whole app runs on fakes without a terminal; a driver of our own takes everything that would be written to one, so
that drawing is paid for in full.

- First fill: from the start of the app until the line that counts the files is written with all of them.
- Keystroke to paint: a key goes into the driver, in the filter; the time runs until the first write that holds the new
  count of rows, which is drawn together with them. Once while variants are still being weighed, once at rest.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import statistics
import sys
import time
from dataclasses import dataclass, field

from textual import events
from textual.drivers.headless_driver import HeadlessDriver
from textual.widgets import Input

from qtui.core.library.variant import Variant
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.plan import LoadPlan
from qtui.core.text import GIB
from qtui.ui.places.models import ModelsPlace
from tests.fakes import FakeDryRun, make_variant
from tests.ui.stage import Stage

PAINT_GOAL = 0.050
SIZE = (120, 36)
CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
WORD = "zyxw"
"""Its letters stand in no other text of a row, so that each one leaves fewer rows."""
QUANTS = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")
WEIGHED_S = 0.004
"""How long the scripted dry run takes for one variant."""


class SlowDryRun(FakeDryRun):
    """Answers after a while, so that keys are typed meanwhile."""

    async def footprint(self, variant: Variant, plan: LoadPlan) -> Footprint:
        await asyncio.sleep(WEIGHED_S)
        return await super().footprint(variant, plan)


def shelf(count: int) -> tuple[Variant, ...]:
    """Return variants of several quants each, whose models begin with 0 to 4 letters of the word."""
    made = []
    for index in range(count):
        model, quant = divmod(index, len(QUANTS))
        name = f"{WORD[: model % (len(WORD) + 1)]}m{model:04}"
        made.append(make_variant(name, QUANTS[quant], size=(index % 40 + 1) * GIB))
    return tuple(made)


@dataclass
class Screen:
    """What is waited for to be written, and when it was."""

    wanted: str = ""
    seen: float = 0.0
    used: float = 0.0
    """Processor time of the process until then."""
    written: asyncio.Event = field(default_factory=asyncio.Event)

    def want(self, text: str) -> None:
        self.written.clear()
        self.wanted = text

    def saw(self, data: str) -> None:
        if self.wanted and self.wanted in CONTROL.sub("", data):
            self.seen, self.used = time.perf_counter(), time.process_time()
            self.wanted = ""
            self.written.set()


def driver_to(screen: Screen) -> type[HeadlessDriver]:
    """Return a driver that counts as a terminal and hands everything to `screen`."""

    class WatchedDriver(HeadlessDriver):
        @property
        def is_headless(self) -> bool:
            return False

        def write(self, data: str) -> None:
            screen.saw(data)

    return WatchedDriver


@dataclass(frozen=True)
class Measured:
    """Seconds."""

    first_fill: float
    weighing: list[tuple[float, float]]
    """Keys while variants are weighed: (until it was painted, processor time of the process meanwhile)."""
    rest: list[tuple[float, float]]


async def measure(count: int, keys: int) -> Measured:
    """Run the app once."""
    stage = Stage(variants=shelf(count), dry_run=SlowDryRun())
    screen = Screen()
    app = stage.app()
    app.driver_class = driver_to(screen)
    screen.want(f"{count} files, {len({variant.model for variant in stage.variants})} models ")
    begin = time.perf_counter()
    running = asyncio.create_task(app.run_async(size=SIZE))
    await screen.written.wait()
    first_fill = screen.seen - begin
    place = app.screen
    assert isinstance(place, ModelsPlace)
    press(app, "slash")
    while not isinstance(place.focused, Input):
        await asyncio.sleep(0.01)
    weighing = await typed(app, screen, stage.variants, keys)
    left = len(place._weigher._to_weigh)
    while not place._weigher.idle:
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    rest = await typed(app, screen, stage.variants, keys)
    app.exit()
    await running
    if not left:
        raise RuntimeError("everything was weighed before the keys were typed: give fewer keys or more variants")
    return Measured(first_fill, weighing, rest)


async def typed(app: object, screen: Screen, variants: tuple[Variant, ...], keys: int) -> list[tuple[float, float]]:
    """Type the word and delete it, over and over, until the filter is empty; returns how long each key took to show."""
    rhythm = random.Random(7)
    took = []
    length, step = 0, 1
    for _ in range(-(-keys // (2 * len(WORD))) * 2 * len(WORD)):
        length += step
        word = WORD[:length]
        left = sum(1 for variant in variants if word in variant.model)
        screen.want(f"{left} of {len(variants)} files" if word else f"{len(variants)} files, ")
        posted, used = time.perf_counter(), time.process_time()
        press(app, WORD[length - 1] if step > 0 else "backspace")
        await screen.written.wait()
        took.append((screen.seen - posted, screen.used - used))
        step = -step if length in (0, len(WORD)) else step
        await asyncio.sleep(rhythm.uniform(0.02, 0.08))
    return took


def press(app: object, key: str) -> None:
    character = key if len(key) == 1 else "/" if key == "slash" else None
    app._driver.process_message(events.Key(key, character))  # type: ignore[attr-defined]


def line(name: str, found: list[tuple[float, float]]) -> str:
    took, used = ([pair[index] for pair in found] for index in (0, 1))
    quantiles = statistics.quantiles(took, n=100, method="inclusive")
    return (
        f"keystroke to paint {name}, {len(took)} keys: 50th percentile {quantiles[49] * 1000:.1f} ms, "
        f"99th {quantiles[98] * 1000:.1f} ms (goal {PAINT_GOAL * 1000:.0f}), worst {max(took) * 1000:.1f} ms; "
        f"processor time meanwhile: {statistics.median(used) * 1000:.1f} ms, worst {max(used) * 1000:.1f} ms"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", type=int, default=2000, help="how many (2000)")
    parser.add_argument("--keys", type=int, default=60, help="keys in each half (60)")
    options = parser.parse_args()
    found = asyncio.run(measure(options.variants, options.keys))
    print(f"first fill of {options.variants} variants: {found.first_fill:.2f} s")
    print(line("while weighing", found.weighing))
    print(line("at rest", found.rest))
    halves = ([took for took, _ in half] for half in (found.weighing, found.rest))
    return int(max(statistics.quantiles(took, n=100, method="inclusive")[98] for took in halves) > PAINT_GOAL)


if __name__ == "__main__":
    sys.exit(main())
