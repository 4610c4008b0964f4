"""The columns of `qtui monitor --csv`: one row a sample, unknown values empty."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from qtui.core.hardware import Gpu, MemorySample
from qtui.core.monitor.history import Moment

Cell = int | float | str | None

_SAMPLE: tuple[tuple[str, Callable[[MemorySample], Cell]], ...] = (
    ("time", lambda s: round(s.time, 3)),
    ("ram_total", lambda s: s.ram_total),
    ("ram_available", lambda s: s.ram_available),
    ("ram_anonymous", lambda s: s.anonymous),
    ("file_cache", lambda s: s.file_cache),
    ("locked", lambda s: s.locked),
    ("swap_total", lambda s: s.swap_total),
    ("swap_used", lambda s: s.swap_used),
    ("swap_in_per_s", lambda s: _rounded(s.swap_in)),
    ("swap_out_per_s", lambda s: _rounded(s.swap_out)),
    ("major_faults_per_s", lambda s: _rounded(s.major_faults)),
    ("refaults_per_s", lambda s: _rounded(s.refaults)),
    ("memory_pressure_some", lambda s: s.memory_pressure.some if s.memory_pressure else None),
    ("memory_pressure_full", lambda s: s.memory_pressure.full if s.memory_pressure else None),
    ("io_pressure_some", lambda s: s.io_pressure.some if s.io_pressure else None),
    ("cgroup_limit", lambda s: s.cgroup_limit),
    ("cgroup_used", lambda s: s.cgroup_used),
    ("cgroup_limit_hits", lambda s: s.group_events.limit if s.group_events else None),
    ("oom_kills", lambda s: s.group_events.oom_kills if s.group_events else s.oom_kills),
    ("cpu_percent", lambda s: _rounded(s.cpu_percent)),
)
_GPU: tuple[tuple[str, Callable[[Gpu], Cell]], ...] = (
    ("total", lambda g: g.total),
    ("free", lambda g: g.free),
    ("busy", lambda g: g.busy),
    ("temperature", lambda g: g.temperature),
    ("power", lambda g: _rounded(g.power)),
    ("throttled", lambda g: None if g.throttled is None else "+".join(why.value for why in g.throttled)),
)
_SESSIONS = ("sessions", "sessions_resident", "rate", "foreign_vram", "alarms")


def head(gpus: int) -> str:
    """Return the line of names for a machine with so many cards."""
    names = [name for name, _ in _SAMPLE] + [f"gpu{index}_{name}" for index in range(gpus) for name, _ in _GPU]
    return _line([*names, *_SESSIONS])


def row(moment: Moment, gpus: int, alarms: Sequence[str] = ()) -> str:
    """Return one moment with the columns of `head`; a card that is gone has empty cells, one that came has none."""
    sample = moment.sample
    cells: list[Cell] = [value(sample) for _, value in _SAMPLE]
    for index in range(gpus):
        gpu = sample.gpus[index] if index < len(sample.gpus) else None
        cells += [None if gpu is None else value(gpu) for _, value in _GPU]
    return _line([*cells, *_of_sessions(moment), "+".join(alarms)])


def _of_sessions(moment: Moment) -> list[Cell]:
    held = [seen.memory.resident for seen in moment.sessions]
    rates = [seen.record.rate_now for seen in moment.sessions]
    others = moment.sample.foreign
    vram = None if others is None else sum(one.vram or 0 for one in others)
    return [
        len(moment.sessions),
        None if None in held else sum(size for size in held if size is not None),
        None if None in rates else _rounded(sum(rate for rate in rates if rate is not None)),
        vram,
    ]


def _line(cells: Sequence[Cell]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(["" if cell is None else cell for cell in cells])
    return text.getvalue()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
