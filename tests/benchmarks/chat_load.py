"""What two streaming answers cost the app, and how long a key takes to show: `python -m tests.benchmarks.chat_load`.

The whole app runs on scripted sessions without a terminal: two sides answer at once, each 200 tokens per second of
Markdown in events of 50 ms, as the built-in engine sends them. A driver of our own takes everything that would be
written to a terminal, so that drawing is paid for in full.

- CPU: processor time of the process (`getrusage`, all threads) over the time, in the first half, in which nobody
  types. The scripted sessions are part of it; the app at rest and the second half are printed beside it.
- Keystroke to paint: in the second half a thread posts a key into the driver about every 120 ms, each a character of
  its own; the time runs until the first write to the terminal that holds this character. The thread has its own
  clock: a key that comes while the app is busy waits, and the wait counts. Beside it stands the processor time that the
  process used in the meantime: on a machine that others keep busy the rest is time in which the app was not let run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import resource
import statistics
import sys
import threading
import time
from dataclasses import dataclass, field

from textual import events
from textual.drivers.headless_driver import HeadlessDriver

from qtui.core.duel.run import DuelMode
from qtui.ui.places.arena import ArenaPlace
from qtui.ui.side import Phase
from tests.fakes import Reply
from tests.ui.stage import LARGE, SMALL, Stage

CPU_GOAL = 0.15
PAINT_GOAL = 0.050
SIZE = (120, 36)
REST_S = 3.0
CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
LETTERS = [chr(code) for code in (*range(0x3B1, 0x3C2), *range(0x430, 0x44A), *range(0x100, 0x17F))]
"""Characters that the answers do not hold."""
BLOCKS = (
    "## Part {n}\n\n",
    "The sky looks **blue** because air scatters *short* wavelengths more than long ones, which `1/x^4` says too. " * 3,
    "\n\n",
    "- At noon the path through the air is short.\n- At dusk it is long, and the blue is gone.\n- Item {n}.\n\n",
    "```python\ndef scatter_{n}(wavelength: float) -> float:\n    return 1.0 / wavelength**4  # Rayleigh\n```\n\n",
    "| colour | nm | weight |\n| --- | --- | --- |\n| blue | 450 | {n} |\n| red | 700 | 1 |\n\n",
    "A last remark on this part, so that there is a paragraph after the table as well. ",
    "\n\n",
)


def prose(tokens: int) -> str:
    """Return Markdown of about so many tokens, one per word."""
    text, words, n = "", 0, 0
    while words < tokens:
        part = "".join(BLOCKS).replace("{n}", str(n))
        text, words, n = text + part, words + part.count(" "), n + 1
    return text


@dataclass
class Painted:
    """Keys on their way, and how long those took that have come to the screen."""

    waiting: dict[str, tuple[float, float]] = field(default_factory=dict)
    took: list[float] = field(default_factory=list)
    computed: list[float] = field(default_factory=list)
    """Processor time of the process in the meantime."""
    written: int = 0
    writes: int = 0

    def saw(self, data: str) -> None:
        """Note what is written to the terminal."""
        now, used = time.perf_counter(), time.process_time()
        self.written += len(data)
        self.writes += 1
        if self.waiting:
            text = CONTROL.sub("", data)
            for letter in [letter for letter in self.waiting if letter in text]:
                posted, before = self.waiting.pop(letter)
                self.took.append(now - posted)
                self.computed.append(used - before)


def driver_to(painted: Painted) -> type[HeadlessDriver]:
    """Return a driver that counts as a terminal and hands everything to `painted`."""

    class CountingDriver(HeadlessDriver):
        @property
        def is_headless(self) -> bool:
            return False

        def write(self, data: str) -> None:
            painted.saw(data)

    return CountingDriver


class Typist(threading.Thread):
    """Types into the driver at its own pace."""

    def __init__(self, app: object, painted: Painted, interval: float) -> None:
        super().__init__(daemon=True)
        self._driver = app._driver  # type: ignore[attr-defined]
        self._painted = painted
        self._interval = interval
        self.ended = threading.Event()
        self.typed = 0

    def run(self) -> None:
        rhythm = random.Random(7)
        while not self.ended.wait(self._interval * rhythm.uniform(0.5, 1.5)):
            letter = LETTERS[self.typed % len(LETTERS)]
            if letter in self._painted.waiting:
                continue
            self.typed += 1
            self._painted.waiting[letter] = time.perf_counter(), time.process_time()
            self._driver.process_message(events.Key(letter, letter))
            if self.typed % len(LETTERS) == 0:  # the field is emptied before a letter comes a second time
                self._driver.process_message(events.Key("ctrl+u", None))


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def until(condition: object, limit: float = 60.0) -> None:
    end = time.perf_counter() + limit
    while not condition():  # type: ignore[operator]
        if time.perf_counter() > end:
            raise TimeoutError(condition)
        await asyncio.sleep(0.02)


@dataclass(frozen=True)
class Reading:
    """What happened between two moments."""

    seconds: float
    cpu: float
    """Share of one core."""
    updates: float
    """Writes to the terminal per second."""
    written: float
    """Characters per second."""


class Watch:
    """Counts from when it was made."""

    def __init__(self, painted: Painted) -> None:
        self._painted = painted
        self._begin, self._used = time.perf_counter(), cpu_seconds()
        self._writes, self._written = painted.writes, painted.written

    def read(self) -> Reading:
        seconds = time.perf_counter() - self._begin
        return Reading(
            seconds,
            (cpu_seconds() - self._used) / seconds,
            (self._painted.writes - self._writes) / seconds,
            (self._painted.written - self._written) / seconds,
        )


@dataclass(frozen=True)
class Measured:
    """What one run showed."""

    rest: Reading
    streaming: Reading
    """Both sides answer, nobody types."""
    typing: Reading
    """Both sides answer, keys come."""
    tokens: int
    took: list[float]
    computed: list[float]
    lost: int


async def measure(rate: float, seconds: float, *, interval: float) -> Measured:
    """Run the app once."""
    stage = Stage()
    painted = Painted()
    text = prose(round(rate * seconds))
    for variant in (SMALL, LARGE):
        stage.engine.enqueue(Reply(text, tokens_per_second=rate), variant=variant)
    app = stage.duel()
    app.driver_class = driver_to(painted)
    running = asyncio.create_task(app.run_async(size=SIZE))
    place: ArenaPlace | None = None

    def phases() -> set[Phase]:
        return {side.phase for side in place.panes.sides.values()} if place else set()

    await until(lambda: isinstance(app.screen_stack and app.screen, ArenaPlace))
    assert isinstance(app.screen, ArenaPlace)
    place = app.screen
    place._duel.mode = DuelMode.TOGETHER
    await until(lambda: phases() == {Phase.READY})
    idle = Watch(painted)
    await asyncio.sleep(REST_S)
    rest = idle.read()

    await place._send("Why is the sky blue?")
    await until(lambda: phases() == {Phase.ANSWERING})
    half = seconds / 2
    quiet = Watch(painted)
    await asyncio.sleep(half)
    streaming = quiet.read()
    typist = Typist(app, painted, interval)
    watch = Watch(painted)
    typist.start()
    await until(lambda: Phase.ANSWERED in phases(), limit=seconds * 5 + 30)
    typing = watch.read()
    typist.ended.set()
    await asyncio.sleep(0.5)
    app.exit()
    await running
    tokens = round(2 * rate * (half + typing.seconds))
    return Measured(rest, streaming, typing, tokens, painted.took, painted.computed, len(painted.waiting))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=200, help="tokens per second on each side (200)")
    parser.add_argument("--seconds", type=float, default=20, help="how long both answer (20)")
    parser.add_argument("--interval", type=float, default=0.12, help="seconds between two keys (0.12)")
    options = parser.parse_args()
    found = asyncio.run(measure(options.rate, options.seconds, interval=options.interval))
    quantiles = statistics.quantiles(found.took, n=100, method="inclusive")
    own = statistics.quantiles(found.computed, n=100, method="inclusive")
    streaming = found.streaming
    print(
        f"{found.tokens} tokens on two sides, {2 * options.rate:.0f} a second\n"
        f"CPU of one core: {streaming.cpu:.1%} while both stream (goal {CPU_GOAL:.0%}), "
        f"{found.typing.cpu:.1%} while both stream and keys come, {found.rest.cpu:.1%} at rest\n"
        f"{streaming.updates:.0f} updates and {streaming.written / 1000:.0f} kB a second while both stream\n"
        f"keystroke to paint, {len(found.took)} keys: 50th percentile {quantiles[49] * 1000:.1f} ms, "
        f"99th {quantiles[98] * 1000:.1f} ms (goal {PAINT_GOAL * 1000:.0f}), "
        f"longest {max(found.took) * 1000:.1f} ms, {found.lost} never shown\n"
        f"of that the app computed: 50th percentile {own[49] * 1000:.1f} ms, 99th {own[98] * 1000:.1f} ms\n"
        f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f}"
    )
    reached = found.streaming.cpu <= CPU_GOAL and quantiles[98] < PAINT_GOAL and not found.lost
    print(f"goals: {'reached' if reached else 'MISSED'}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
