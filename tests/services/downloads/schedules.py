"""Random schedules of faults: networks that break, servers that lie, disks that are tampered with, runs that end early.

Whatever happens, the final name exists only with the right bytes, and a rerun without faults ends well.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field

from qtui.core.downloads.messages import Pace
from tests.hub.content import Noise
from tests.hub.faults import Fault, Kind
from tests.services.downloads.place import NAME, Place

SIZE = 300_000
PACE = Pace(stall=0.05, backoff=0.0005, longest=0.002, tries=3, lock=0.05)
FILE = f"*{NAME}"
AT_BYTES = (Kind.CUT, Kind.RESET, Kind.CORRUPT, Kind.STALL)
WHOLE = (
    Kind.STATUS, Kind.PORTAL, Kind.IGNORE_RANGE, Kind.WRONG_RANGE, Kind.EXTRA, Kind.SHORT, Kind.EXPIRED,
    Kind.NO_COMMIT, Kind.NO_LENGTH,
)  # fmt: skip
WEIGHTS = (4, 4, 2, 1)
TAMPERINGS = ("cut", "flip", "grow", "no state", "torn state", "nothing", "nothing", "nothing")


@dataclass
class Schedule:
    """What one seed brings about."""

    seed: int
    random: random.Random = field(init=False)
    story: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def faults(self) -> list[Fault]:
        """Return a few faults for one run."""
        drawn = self.random
        found = []
        for _ in range(drawn.randint(0, 4)):
            at, times = drawn.randrange(SIZE), drawn.choice((1, 1, 1, 2, -1))
            if drawn.random() < 0.6:
                (kind,) = drawn.choices(AT_BYTES, WEIGHTS)
                found.append(Fault(kind, FILE, at=at, times=1 if kind is Kind.STALL else times))
            else:
                kind, port = drawn.choice(WHOLE), drawn.choice(("hub", "cdn", "cdn"))
                status = drawn.choice((401, 403, 404, 416, 429, 500, 503))
                shift, extra = drawn.randint(1, 1000), drawn.randint(1, 1000)
                port = "cdn" if kind is Kind.EXPIRED else port
                found.append(Fault(kind, FILE, at=at, times=times, port=port, status=status, shift=shift, extra=extra))
        self.story += [f"{fault.kind} {fault.at} x{fault.times} {fault.port}" for fault in found]
        return found

    def stop_at(self) -> int | None:
        """Return the byte at which a run is stopped, None to let it go on."""
        stop = self.random.choice((None, None, self.random.randint(1, SIZE)))
        self.story.append(f"stop {stop}")
        return stop

    def tamper(self, place: Place) -> None:
        """Do something to what is on the disk."""
        landing, drawn = place.landing(), self.random
        what = drawn.choice(TAMPERINGS)
        self.story.append(what)
        if not landing.partial.is_file():
            return
        size = landing.partial.stat().st_size
        if what == "cut":
            os.truncate(landing.partial, drawn.randint(0, size))
        elif what == "flip" and size:
            with landing.partial.open("r+b") as stream:
                stream.seek(drawn.randrange(size))
                stream.write(b"\xa5")
        elif what == "grow":
            os.truncate(landing.partial, size + drawn.randint(1, SIZE))
        elif what == "no state":
            landing.state.unlink(missing_ok=True)
        elif what == "torn state" and landing.state.is_file():
            landing.state.write_bytes(landing.state.read_bytes()[: drawn.randint(0, 100)])

    def change(self, place: Place) -> None:
        """Let the file on the Hub become another, now and then."""
        if self.random.random() < 0.2:
            self.story.append("changed")
            place.change(Noise(SIZE + self.random.randint(0, 999), self.random.randint(2, 99)))
