"""The series that the Monitor shows: what each one is called, its values, what fills its line, and what it is now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from qtui.core.hardware import Gpu, MemorySample
from qtui.core.monitor.history import SPAN_S, History, Moment, Point
from qtui.core.sessions import SessionRecord, SessionState
from qtui.core.text import GIB, MIB, clean_name, rate

FULL_FAULTS = 100.0
"""Major faults per second that fill a line at least: a few are no news."""


class Unit(StrEnum):
    """What the values of a series count; the values are how the unit is written."""

    GIB = "GiB"
    PERCENT = "%"
    PAGES = "pages/s"
    TOKENS = "t/s"

    @property
    def size(self) -> float:
        """Return one of it in what the points hold: sizes are in bytes."""
        return float(GIB) if self is Unit.GIB else 1.0

    @property
    def capped(self) -> bool:
        """Tell whether what fills the line is all that there can be, and not only the highest that was seen."""
        return self in (Unit.GIB, Unit.PERCENT)

    def said(self, value: float | None) -> str:
        """Return a value without the unit; `?` when unknown, 0 only for nothing at all."""
        if value is None:
            return "?"
        amount = value / self.size
        if 0 < amount < 0.1:
            return f"{amount:.2g}" if amount >= 0.001 else "<.001"
        return f"{amount:.1f}" if amount and amount < 100 else f"{amount:.0f}"


@dataclass(frozen=True, slots=True)
class Series:
    """One line of the Monitor."""

    name: str
    points: tuple[Point, ...]
    top: float
    """The value that fills the line."""
    now: str
    """The newest values in words; clean."""
    unit: Unit = Unit.PERCENT
    session_id: str = ""
    """Of the session that it is about, if it is about one."""

    @property
    def key(self) -> str:
        """Return what no other series has."""
        return f"{self.name} {self.session_id}".rstrip()


def series(history: History, labels: Mapping[str, str] | None = None, span_s: float = SPAN_S) -> tuple[Series, ...]:
    """Return every series that exists over the last seconds: RAM, cache, swap, disk, waiting, CPU, cards, rates.

    `labels`: short names by session id (`A`, `B`); a session without one goes by its title.
    """
    history = history.last(span_s)
    latest = history.latest
    if latest is None:
        return ()
    sample = latest.sample
    total = ram_total(sample)
    lines = [
        Series("RAM", _points(history, lambda m: ram_used(m.sample)), float(total or 0), _ram_now(latest), Unit.GIB),
    ]
    if _ever(history, lambda m: m.sample.file_cache):
        now = f"{_gib(sample.file_cache)} GiB of files in RAM"
        now += f", {_gib(sample.anonymous)} of anonymous memory" if sample.anonymous is not None else ""
        points = _points(history, lambda m: m.sample.file_cache)
        lines.append(Series("cache", points, float(total or 0), now, Unit.GIB))
    lines.append(_swap(history, sample))
    lines.append(_disk(history, sample))
    if _ever(history, lambda m: _waited(m.sample)):
        lines.append(_waiting(history, sample))
    cpu = "? %" if sample.cpu_percent is None else f"{sample.cpu_percent:.0f} %"
    lines.append(Series("CPU", _points(history, lambda m: m.sample.cpu_percent), 100.0, cpu))
    lines += [_card(history, card) for card in sample.gpus]
    lines += _rates(history, labels or {})
    return tuple(lines)


def ram_total(sample: MemorySample) -> int | None:
    """Return the RAM that there is for us: the machine's, or what the control group allows of it."""
    limits = [size for size in (sample.ram_total, sample.cgroup_limit) if size is not None]
    return min(limits, default=None)


def ram_used(sample: MemorySample) -> int | None:
    """Return what of it is in use and would not be given."""
    total = ram_total(sample)
    return None if total is None or sample.ram_available is None else max(0, total - sample.ram_available)


def _ram_now(moment: Moment) -> str:
    locked = [seen.memory.locked for seen in moment.sessions]
    held = "?" if None in locked else _gib(sum(size for size in locked if size is not None))
    held = _gib(moment.sample.locked) if moment.sample.locked is not None else held
    return f"{_gib(ram_used(moment.sample))} of {_gib(ram_total(moment.sample))} GiB   locked {held}"


def _swap(history: History, sample: MemorySample) -> Series:
    traffic = f"in {_mib(sample.swap_in)}   out {_mib(sample.swap_out)} MiB/s"
    used = "none here" if sample.swap_total == 0 else f"{_gib(sample.swap_used)} of {_gib(sample.swap_total)} GiB"
    now = used if sample.swap_total == 0 else f"{used}   {traffic}"
    points = _points(history, lambda m: m.sample.swap_used)
    return Series("swap", points, float(sample.swap_total or 0), now, Unit.GIB)


def _disk(history: History, sample: MemorySample) -> Series:
    points = _points(history, lambda m: _paged(m.sample))
    top = max([FULL_FAULTS, *(point.value for point in points if point.value is not None)])
    faults = "?" if sample.major_faults is None else f"{sample.major_faults:.0f}"
    back = "" if sample.refaults is None else f"   {sample.refaults:.0f} pages/s read again"
    return Series("disk", points, top, f"{faults} major faults/s{back}", Unit.PAGES)


def _paged(sample: MemorySample) -> float | None:
    """Return the pages per second that come from the disk: waited for, or read back after they were dropped."""
    return max((count for count in (sample.major_faults, sample.refaults) if count is not None), default=None)


def _waiting(history: History, sample: MemorySample) -> Series:
    """Return the share of time in which tasks waited for memory; of disks in words."""
    parts = [
        f"{name} {share:.0f} %"
        for name, share in (("memory", _waited(sample)), ("disk", _io(sample)))
        if share is not None
    ]
    return Series("wait", _points(history, lambda m: _waited(m.sample)), 100.0, "   ".join(parts) or "?")


def _waited(sample: MemorySample) -> float | None:
    return sample.memory_pressure.some if sample.memory_pressure is not None else None


def _io(sample: MemorySample) -> float | None:
    return sample.io_pressure.some if sample.io_pressure is not None else None


def _card(history: History, card: Gpu) -> Series:
    def used(moment: Moment) -> float | None:
        there = next((gpu for gpu in moment.sample.gpus if gpu.index == card.index), None)
        return None if there is None else _held(there)

    parts = [f"{_gib(_held(card))} of {_gib(card.total)} GiB"]
    parts.append("? %" if card.busy is None else f"{card.busy:.0f} %")
    parts += [f"{card.temperature} °C"] if card.temperature is not None else []
    parts += [f"{card.power:.0f} W"] if card.power is not None else []
    parts += [f"slowed: {', '.join(why.value for why in card.throttled)}"] if card.throttled else []
    return Series(f"GPU{card.index}", _points(history, used), float(card.total or 0), "   ".join(parts), Unit.GIB)


def _held(card: Gpu) -> int | None:
    return None if card.total is None or card.free is None else max(0, card.total - card.free)


def _rates(history: History, labels: Mapping[str, str]) -> list[Series]:
    latest = history.latest
    assert latest is not None
    then = [(m.time, {seen.record.id: seen.record.rate_now for seen in m.sessions}) for m in history.moments]
    shown = []
    for seen in latest.sessions:
        record = seen.record
        # Before it was there a session generated nothing: that is known.
        points = tuple(Point(time, rates.get(record.id, 0.0)) for time, rates in then)
        name = labels.get(record.id) or clean_name(record.title, 40)
        shown.append((points, f"{name} {rate(record.rate)}{_doing(record)}", record.id))
    top = max([1.0, *(point.value for points, *_ in shown for point in points if point.value is not None)])
    return [Series("t/s", points, top, now, Unit.TOKENS, session_id) for points, now, session_id in shown]


def _doing(record: SessionRecord) -> str:
    writing = record.state is SessionState.ANSWERING and not record.reading
    return "" if writing else f"   {record.doing}"


def _points(history: History, value: Callable[[Moment], float | None]) -> tuple[Point, ...]:
    return tuple(Point(moment.time, value(moment)) for moment in history.moments)


def _ever(history: History, value: Callable[[Moment], float | None]) -> bool:
    return any(value(moment) is not None for moment in history.moments)


def _gib(size_bytes: float | None) -> str:
    if size_bytes is None:
        return "?"
    return f"{size_bytes / GIB:.1f}" if size_bytes else "0"


def _mib(bytes_per_second: float | None) -> str:
    if bytes_per_second is None:
        return "?"
    return f"{bytes_per_second / MIB:.1f}" if bytes_per_second else "0"
