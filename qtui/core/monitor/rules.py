"""The rules: what of a machine and its sessions is a reason for an alarm, at one moment of their history.

Each rule looks at the newest moment, and at those before it where something has to grow. A rule knows whether its
alarm stands, and then asks for less: an alarm that was raised goes only when the trouble is well over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from qtui.core.hardware import Gpu, MemorySample, Throttle
from qtui.core.memory.verdict import Margins
from qtui.core.monitor.history import History, Moment
from qtui.core.monitor.remedies import Remedy, droppable, fewer_layers, smaller_context
from qtui.core.monitor.series import ram_total
from qtui.core.sessions import SessionSeen, SessionState, session_vram
from qtui.core.text import GIB, MIB, clean_name

SLACK = 128 * MIB
"""So much more than the margin must be free before a headroom alarm goes."""
WINDOW_S = 10.0
SWAP_GROWN, SWAP_STILL = 32 * MIB, 4 * MIB
SWAP_OUT, SWAP_OUT_STILL = 1.0 * MIB, 0.1 * MIB
FAULTS, FAULTS_STILL = 100.0, 20.0
"""Pages of files a second that come from the disk: of 4 KiB each, little for a disk and much in an answer."""
MANY_BACK = 1000.0
"""Pages that are read back without a lack of room of ours: fewer are another program's business."""
SLOW = 0.5
"""A rate below this share of the expected one is a spill where the card is full."""
FULL = 256 * MIB
SPILLED = 512 * MIB
"""What is taken off a card that spills: how much of it is on the wrong side is not told."""
BUSY = 50.0
KILL_SHOWN_S = 300.0
TOOK = 64 * MIB
"""Somebody whose memory grew by less is not named as the cause."""


class AlarmKind(StrEnum):
    """What may be wrong; the order is that of their weight."""

    OOM_KILL = "oom_kill"
    FAULTS = "faults"
    SPILL = "spill"
    SWAP = "swap"
    HEADROOM = "headroom"
    THROTTLING = "throttling"


@dataclass(frozen=True, slots=True)
class Condition:
    """A reason for an alarm that holds at this moment."""

    kind: AlarmKind
    subject: str
    """`ram`, `gpu0`, or the id of a session; one alarm stands for each kind and subject."""
    message: str
    """What happens and why; clean."""
    remedy: Remedy | None = None
    advice: str = ""
    """What would help where no change of a plan does."""
    patience_s: float = 3.0
    """How long it must hold before it is an alarm."""
    since: float | None = None
    """When it happened, where that is known better than when it was noticed first."""


@dataclass(frozen=True, slots=True)
class View:
    """What rules look at."""

    history: History
    """With at least one moment."""
    margins: Margins = Margins()
    expected: Mapping[str, float] = field(default_factory=dict)
    """Tokens per second that each session should reach, by its id; a session that is not in it is not judged."""
    standing: frozenset[tuple[AlarmKind, str]] = frozenset()
    """The alarms that are raised now."""

    @property
    def now(self) -> Moment:
        """Return the newest moment."""
        assert self.history.latest is not None
        return self.history.latest

    def stands(self, kind: AlarmKind, subject: str) -> bool:
        """Tell whether an alarm is raised now."""
        return (kind, subject) in self.standing

    def before(self, seconds: float = WINDOW_S) -> Moment:
        """Return the oldest moment of the last seconds."""
        now = self.now
        return self.history.since(now.time - seconds) or now


def ram_headroom(view: View) -> Iterator[Condition]:
    """RAM is shorter than what the user keeps free, while a session runs."""
    sample = view.now.sample
    free, margin = sample.ram_available, view.margins.ram_bytes(sample.ram_total)
    if free is None or not view.now.sessions:
        return
    slack = SLACK if view.stands(AlarmKind.HEADROOM, "ram") else 0
    if free < margin + slack:
        seen = max(view.now.sessions, key=lambda one: one.memory.anonymous or 0)
        remedy = droppable(seen) or smaller_context(seen, margin + SLACK - free)
        message = f"RAM {_gib(free)} GiB free, you keep {_gib(margin)}{_taker(view, None)}"
        yield Condition(AlarmKind.HEADROOM, "ram", message, remedy, _stop_advice(remedy))


def gpu_headroom(view: View) -> Iterator[Condition]:
    """A card that a session uses has less free than the user keeps."""
    for gpu in view.now.sample.gpus:
        held = [seen for seen in view.now.sessions if session_vram(seen, [gpu])]
        subject = f"gpu{gpu.index}"
        slack = SLACK if view.stands(AlarmKind.HEADROOM, subject) else 0
        if not held or gpu.free is None or gpu.free >= view.margins.gpu + slack:
            continue
        seen = max(held, key=lambda one: session_vram(one, [gpu]) or 0)
        short = view.margins.gpu + SLACK - gpu.free
        remedy = smaller_context(seen, short) or fewer_layers(seen, short)
        message = f"GPU{gpu.index} {_gib(gpu.free)} GiB free, you keep {_gib(view.margins.gpu)}{_taker(view, gpu)}"
        yield Condition(AlarmKind.HEADROOM, subject, message, remedy, _stop_advice(remedy))


def swap_growing(view: View) -> Iterator[Condition]:
    """Memory is being swapped out while a session runs."""
    now, then = view.now.sample, view.before().sample
    if not view.now.sessions or now.swap_used is None or not now.swap_total:
        return
    stands = view.stands(AlarmKind.SWAP, "ram")
    grown = now.swap_used - (then.swap_used if then.swap_used is not None else now.swap_used)
    flow = now.swap_out or 0.0
    if grown < (SWAP_STILL if stands else SWAP_GROWN) and flow < (SWAP_OUT_STILL if stands else SWAP_OUT):
        return
    seen = max(view.now.sessions, key=lambda one: (one.memory.swapped or 0, one.memory.anonymous or 0))
    swapped = seen.memory.swapped
    whose = f": {_gib(swapped)} GiB of {_title(seen)} are there" if swapped else ""
    short = _missing(seen, now) or max(grown, SLACK)
    remedy = droppable(seen) or smaller_context(seen, short)
    message = f"swap grows, {_gib(now.swap_used)} GiB now{whose}"
    yield Condition(AlarmKind.SWAP, "ram", message, remedy, _stop_advice(remedy))


def faults_while_answering(view: View) -> Iterator[Condition]:
    """Pages are read from the disk again and again while a session computes."""
    sample = view.now.sample
    for seen in view.now.sessions:
        subject = seen.record.id
        missing = _missing(seen, sample)
        faults = _pages_read(sample, missing)
        least = FAULTS_STILL if view.stands(AlarmKind.FAULTS, subject) else FAULTS
        if seen.record.state is not SessionState.ANSWERING or faults is None or faults < least:
            continue
        remedy = droppable(seen) or smaller_context(seen, missing) if missing else None
        told = f"{faults:.0f} pages a second are read from disk while {_title(seen)} answers"
        advice = "" if remedy else "a smaller quant, or more memory: its weights alone do not fit" if missing else ""
        # Without a lack of room these may be the first touches of a file that was just mapped.
        patience = 3.0 if missing else 15.0
        yield Condition(AlarmKind.FAULTS, subject, told + _why_faults(seen, sample, missing), remedy, advice, patience)


def spilled(view: View) -> Iterator[Condition]:
    """A session is far slower than it should be, and its card is full: its memory is partly in RAM."""
    for seen in view.now.sessions:
        record, expected = seen.record, view.expected.get(seen.record.id)
        writing = record.state is SessionState.ANSWERING and not record.reading
        if not writing or not expected or record.rate is None or record.rate >= expected * SLOW:
            continue
        cards = [gpu for gpu in view.now.sample.gpus if session_vram(seen, [gpu]) and _is_full(gpu)]
        if not cards:
            continue
        remedy = smaller_context(seen, SPILLED) or fewer_layers(seen, SPILLED)
        message = (
            f"{_title(seen)} writes {record.rate:.1f} t/s instead of {expected:.0f}, and GPU{cards[0].index} is full: "
            "the driver has moved some of it into RAM"
        )
        yield Condition(AlarmKind.SPILL, record.id, message, remedy, _stop_advice(remedy), 5.0)


def throttling(view: View) -> Iterator[Condition]:
    """A card that computes for a session is slowed down; its own power limit is no news."""
    if not any(seen.record.state is SessionState.ANSWERING for seen in view.now.sessions):
        return
    for gpu in view.now.sample.gpus:
        reasons = [why for why in gpu.throttled or () if why is not Throttle.POWER_CAP]
        if reasons and (gpu.busy is None or gpu.busy >= BUSY):
            words = " and ".join(why.value for why in reasons)
            at = f" at {gpu.temperature} °C" if gpu.temperature is not None else ""
            advice = "better cooling; no plan changes that" if Throttle.HEAT in reasons else "look at its power supply"
            message = f"GPU{gpu.index} is slowed down by {words}{at}"
            yield Condition(AlarmKind.THROTTLING, f"gpu{gpu.index}", message, None, advice, 5.0)


def oom_kill(view: View) -> Iterator[Condition]:
    """The kernel has killed a process for want of memory: in our control group, else anywhere on the machine."""
    moments = view.history.moments
    now = view.now.time
    for before, after in zip(moments[-2::-1], moments[:0:-1], strict=False):
        if now - after.time > KILL_SHOWN_S:
            return
        killed = _kills(after.sample) - _kills(before.sample)
        if killed > 0:
            left = {seen.record.id for seen in after.sessions}
            gone = [_title(seen) for seen in before.sessions if seen.record.id not in left]
            whom = f"; {', '.join(gone)} is gone" if gone else ""
            many = "a process" if killed == 1 else f"{killed} processes"
            message = f"the kernel has killed {many} for want of memory{whom}"
            advice = "a smaller context or quant, or stop what else takes memory"
            yield Condition(AlarmKind.OOM_KILL, "ram", message, None, advice, 0.0, after.time)
            return


RULES: tuple[Callable[[View], Iterator[Condition]], ...] = (
    oom_kill, faults_while_answering, spilled, swap_growing, ram_headroom, gpu_headroom, throttling,
)  # fmt: skip


def conditions(view: View) -> tuple[Condition, ...]:
    """Return every reason for an alarm at the newest moment."""
    return tuple(condition for rule in RULES for condition in rule(view))


def _pages_read(sample: MemorySample, missing: int) -> float | None:
    """Return the pages of files per second that come from the disk though they were in memory, or should be."""
    back = sample.refaults if missing or (sample.refaults or 0) >= MANY_BACK else None
    return max((count for count in (sample.major_faults, back) if count is not None), default=None)


def _missing(seen: SessionSeen, sample: MemorySample) -> int:
    """Return how many bytes of RAM a session needs more than it could get; 0: it fits, or nobody can tell.

    What is available already counts its pages of files, which could stay; its anonymous ones come on top.
    """
    need = seen.record.estimated_ram
    if need is None or sample.ram_available is None or seen.memory.anonymous is None:
        return 0
    return max(0, need - sample.ram_available - seen.memory.anonymous - (seen.memory.swapped or 0))


def _why_faults(seen: SessionSeen, sample: MemorySample, missing: int) -> str:
    if not missing:
        return ""
    limited = sample.cgroup_limit is not None and sample.cgroup_limit == ram_total(sample)
    room = (seen.record.estimated_ram or 0) - missing
    who = f"its control group, limited to {_gib(sample.cgroup_limit)}," if limited else "this machine"
    return f": it needs {_gib(seen.record.estimated_ram)} GiB of RAM, and {who} has room for {_gib(room)}"


def _is_full(gpu: Gpu) -> bool:
    return gpu.free is not None and gpu.free < max(FULL, (gpu.total or 0) // 50)


def _kills(sample: MemorySample) -> int:
    events = sample.group_events
    own = events.oom_kills if events is not None else None
    return own if own is not None else sample.oom_kills or 0


def _taker(view: View, gpu: Gpu | None) -> str:
    """Return who took the most in the last minute, as the end of a sentence; empty where nobody stands out."""
    then = view.before(60.0)
    grown: list[tuple[int, str]] = []
    before = {one.pid: one for one in then.sample.foreign or ()}
    for one in view.now.sample.foreign or ():
        known = before.get(one.pid)
        size, was = (one.resident, known.resident if known else 0) if gpu is None else (
            _of_card(one.pid, gpu), _of_card(one.pid, _same(gpu, then.sample))
        )  # fmt: skip
        grown.append(((size or 0) - (was or 0), f"{one.name} (pid {one.pid})"))
    if gpu is None:
        held = {seen.record.id: seen.memory.anonymous for seen in then.sessions}
        for seen in view.now.sessions:
            grown.append(((seen.memory.anonymous or 0) - (held.get(seen.record.id) or 0), _title(seen)))
    most = max(grown, default=(0, ""))
    return f": {most[1]} took {_gib(most[0])}" if most[0] >= TOOK else ""


def _of_card(pid: int, gpu: Gpu | None) -> int | None:
    return next((size for number, size in gpu.processes if number == pid), None) if gpu is not None else None


def _same(gpu: Gpu, sample: MemorySample) -> Gpu | None:
    return next((one for one in sample.gpus if one.index == gpu.index), None)


def _stop_advice(remedy: Remedy | None) -> str:
    return "" if remedy else "stop a session, or load a smaller quant"


def _title(seen: SessionSeen) -> str:
    return clean_name(seen.record.title, 60)


def _gib(size_bytes: int | None) -> str:
    return "?" if size_bytes is None else f"{size_bytes / GIB:.1f}"
