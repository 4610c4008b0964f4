"""Alarms: what is wrong with machine and sessions, since when, and the one change that would end it.

`Watch` is the memory between two looks, as a value: a reason must hold for some seconds and over several moments
before it is an alarm, and be over for longer before the alarm goes, so that nothing flickers and no jump of the clock
raises one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from qtui.core.memory.verdict import Margins
from qtui.core.monitor.history import History
from qtui.core.monitor.remedies import Remedy
from qtui.core.monitor.rules import AlarmKind, Condition, View, conditions
from qtui.core.text import clean, duration

LEAST_MOMENTS = 3
"""A reason must be seen so often: time alone may have jumped."""
CLEAR_S = 10.0

Key = tuple[AlarmKind, str]


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something is wrong now."""

    kind: AlarmKind
    subject: str
    """`ram`, `gpu0`, or the id of a session."""
    since: float
    """Seconds since the epoch."""
    message: str
    """What happens and why; clean, one line."""
    remedy: Remedy | None = None
    advice: str = ""
    """What would help where no change of a plan does."""

    @property
    def key(self) -> Key:
        """Return what tells one alarm from another."""
        return (self.kind, self.subject)

    def age(self, now: float) -> str:
        """Return for how long it has been so, in whole seconds at least: `8 s`, `2 min 05 s`."""
        seconds = max(0.0, now - self.since)
        return f"{seconds:.0f} s" if seconds < 10 else duration(seconds)

    def as_json(self) -> dict[str, Any]:
        """Return it as `qtui monitor --once --json` prints it."""
        remedy = self.remedy
        return {
            "kind": self.kind.value, "subject": self.subject, "since": self.since, "message": self.message,
            "advice": self.advice,
            "remedy": None if remedy is None else {
                "session": remedy.session_id, "change": remedy.words, "plan": remedy.plan.as_json(),
            },
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """An alarm was raised, or is over."""

    alarm: Alarm
    raised: bool
    time: float

    @property
    def line(self) -> str:
        """Return the line of the log."""
        alarm = self.alarm
        if not self.raised:
            return clean(f"alarm over after {alarm.age(self.time)}: {alarm.message}")
        end = alarm.remedy.words if alarm.remedy is not None else alarm.advice
        return clean(f"alarm: {alarm.message}{f'. Would help: {end}' if end else ''}")


@dataclass(frozen=True, slots=True)
class _Track:
    """One reason over time."""

    first: float
    """When it was seen first."""
    last: float
    """When it was seen last."""
    seen: int = 1
    alarm: Alarm | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """What has been noticed so far."""

    _tracks: Mapping[Key, _Track] = field(default_factory=dict)

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """Return what is wrong now, the newest first."""
        raised = [track.alarm for track in self._tracks.values() if track.alarm is not None]
        weight = list(AlarmKind)
        return tuple(sorted(raised, key=lambda alarm: (-alarm.since, weight.index(alarm.kind), alarm.subject)))

    def look(
        self, history: History, margins: Margins = Margins(), expected: Mapping[str, float] | None = None
    ) -> tuple[Watch, tuple[Change, ...]]:
        """Look at the newest moment; returns what is noticed now, and what has begun or ended with it."""
        if history.latest is None:
            return self, ()
        now = history.latest.time
        standing = frozenset(key for key, track in self._tracks.items() if track.alarm is not None)
        found = {
            (one.kind, one.subject): one for one in conditions(View(history, margins, expected or {}, standing))
        }  # fmt: skip
        tracks: dict[Key, _Track] = {}
        changes: list[Change] = []
        for key in (*found, *(key for key in self._tracks if key not in found)):
            before, condition = self._tracks.get(key), found.get(key)
            track = _seen(before, condition, now) if condition else _unseen(before, now)
            if track is not None:
                tracks[key] = track
            was, alarm = before.alarm if before else None, track.alarm if track else None
            if (was is None) != (alarm is None):
                changed = alarm or was
                assert changed is not None
                changes.append(Change(changed, alarm is not None, now))
        return Watch(tracks), tuple(changes)


def alarms_now(
    history: History, margins: Margins = Margins(), expected: Mapping[str, float] | None = None
) -> tuple[Alarm, ...]:
    """Return what is wrong at the newest moment, however short it has been so: for a single look."""
    if history.latest is None:
        return ()
    now = history.latest.time
    return tuple(_alarm(one, now) for one in conditions(View(history, margins, expected or {})))


def _seen(before: _Track | None, condition: Condition, now: float) -> _Track:
    # A clock that was set back must not make a reason older than it is.
    track = _Track(now, now) if before is None else replace(before, last=now, seen=before.seen + 1)
    track = replace(track, first=min(track.first, now))
    if track.alarm is not None:
        return replace(track, alarm=_alarm(condition, track.alarm.since))
    if condition.patience_s == 0 or (track.seen >= LEAST_MOMENTS and now - track.first >= condition.patience_s):
        return replace(track, alarm=_alarm(condition, track.first))
    return track


def _unseen(before: _Track | None, now: float) -> _Track | None:
    """Keep an alarm for a while after its reason was seen last; a reason that was none yet is forgotten at once."""
    if before is None or before.alarm is None:
        return None
    last = min(before.last, now)
    return replace(before, last=last) if now - last < CLEAR_S else None


def _alarm(condition: Condition, since: float) -> Alarm:
    began = condition.since if condition.since is not None else since
    return Alarm(condition.kind, condition.subject, began, condition.message, condition.remedy, condition.advice)
