"""`monitor` and `stop`: memory and sessions of this moment or of every second, and the end of a session."""

from __future__ import annotations

import contextlib
import textwrap
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

from qtui.cli.csv_file import CsvFile
from qtui.cli.machine_verbs import memory_lines, ram_report
from qtui.cli.running import Context
from qtui.cli.tables import Table, cut
from qtui.core.errors import UsageError
from qtui.core.hardware import GroupEvents, MemorySample, Pressure
from qtui.core.monitor.alarms import Alarm, Watch, alarms_now
from qtui.core.monitor.expected import Expected
from qtui.core.monitor.history import History, Moment, blocks, cells
from qtui.core.monitor.series import Series, series
from qtui.core.monitor.session_row import gib, session_row
from qtui.core.sessions import SessionSeen, measured_total
from qtui.core.text import clean_name, duration

NARROW = 100
"""Below so many columns the table of sessions does without engine and process id."""
NAMES_WIDTH, WORDS_WIDTH = 6, 38


async def monitor(context: Context) -> int:
    """Print one sample of memory and sessions, or draw them anew every second until Ctrl-C, or write them to a file."""
    options, console = context.options, context.console
    with CsvFile(options.csv) if options.csv else contextlib.nullcontext() as table:
        if options.once:
            return await _once(context, table)
        if options.json:
            raise UsageError("qtui monitor --json gives one sample", "qtui monitor --once --json")
        drawn = console.stdout.isatty()
        if not drawn and table is None:
            raise UsageError("qtui monitor draws itself anew every second and needs a terminal", "qtui monitor --once")
        history, watch = History(), Watch()
        expected = Expected(context.services.library, context.services.rate)
        try:
            async with aclosing(_moments(context)) as moments:
                async for moment in moments:
                    history = history.add(moment)
                    expected.learn(moment.sessions)
                    watch, changes = watch.look(history, context.services.settings.margins, expected.rates)
                    for change in changes:
                        context.services.note(change.line)
                    if table is not None:
                        table.write(moment, watch.alarms)
                    if drawn:
                        console.redraw(screen_lines(history, watch.alarms, console.width or 80))
        finally:
            console.end_redraw()
    return 0


async def stop(context: Context) -> int:
    """End one session."""
    sessions, console = context.services.sessions, context.console
    seen = named(context.options.session, await sessions.list())
    console.progress(f"stopping {seen.record.title}")
    await sessions.stop(seen.record.id)
    console.json({"stopped": _session(seen, None)})
    console.print(f"stopped {seen.record.title} ({seen.record.id})")
    return 0


def named(name: str, sessions: Sequence[SessionSeen]) -> SessionSeen:
    """Return the session that an id, the beginning of one, or a process id names.

    Raises:
        UsageError: none or several fit; the hint says what there is.
    """
    exact = [seen for seen in sessions if seen.record.id == name]
    fitting = exact or [seen for seen in sessions if name and seen.record.id.startswith(name)]
    fitting = fitting or [seen for seen in sessions if str(seen.record.pid) == name]
    if len(fitting) == 1:
        return fitting[0]
    there = ", ".join(f"{seen.record.id} {seen.record.title}" for seen in (fitting or sessions)[:8])
    hint = f"there are: {there}" if there else "no session runs now"
    how_many = f"{len(fitting)} sessions begin with" if fitting else "there is no session"
    raise UsageError(f"{how_many} {clean_name(name, 80) or '(nothing)'}", hint)


async def _once(context: Context, table: CsvFile | None) -> int:
    console, services = context.console, context.services
    sample = await services.machine.sample()
    sessions, crashed = tuple(await services.sessions.list()), tuple(await services.sessions.crashed())
    moment = Moment(sample, sessions)
    alarms = alarms_now(History().add(moment), services.settings.margins)
    if table is not None:
        table.write(moment, alarms)
    console.json(
        {
            "time": sample.time,
            "ram": {
                **ram_report(sample), "anonymous": sample.anonymous, "file_cache": sample.file_cache,
                "locked": sample.locked,
            },
            "swap": {
                "total": sample.swap_total, "used": sample.swap_used, "in": sample.swap_in, "out": sample.swap_out,
            },
            "major_faults": sample.major_faults,
            "refaults": sample.refaults,
            "cpu_percent": sample.cpu_percent,
            "pressure": {"memory": _plain(sample.memory_pressure), "io": _plain(sample.io_pressure)},
            "cgroup_events": _plain(sample.group_events),
            "oom_kills": sample.oom_kills,
            "gpus": [asdict(gpu) for gpu in sample.gpus],
            "sessions": [_session(seen, sample) for seen in sessions],
            "crashed": [_crash(seen) for seen in crashed],
            "foreign": None if sample.foreign is None else [asdict(one) for one in sample.foreign],
            "alarms": [alarm.as_json() for alarm in alarms],
            "problems": list(sample.problems),
        }
    )  # fmt: skip
    for line in [*alarm_lines(alarms, sample.time), *memory_lines(sample)]:
        console.print(line)
    for line in [*_sessions_lines((*sessions, *crashed), sample, console.width), *_crash_lines(crashed, sample.time)]:
        console.print(line)
    return 0


def _crash(seen: SessionSeen) -> dict[str, Any]:
    """Return a session that has crashed; nothing of it can be measured any more."""
    record = seen.record
    return {
        "id": record.id, "pid": record.pid, "parent_pid": record.parent_pid, "title": record.title,
        "file": record.path, "engine": record.engine, "since": record.since, "crashed": record.crashed,
        "reason": record.reason, "plan": record.plan, "estimated_total": record.estimate, "log": record.log or None,
    }  # fmt: skip


def _crash_lines(crashed: Sequence[SessionSeen], now: float) -> list[str]:
    """Return why each session that is gone is gone, and since when."""
    return [
        f"{clean_name(seen.record.title)} ({seen.record.id}) crashed {duration(max(0.0, now - seen.record.crashed))} "
        f"ago: {clean_name(seen.record.reason, 300)}"
        for seen in crashed
    ]  # fmt: skip


def alarm_lines(alarms: Sequence[Alarm], now: float) -> list[str]:
    """Return each alarm as a line: what happens, for how long, and what would end it."""
    lines = []
    for alarm in alarms:
        age = f", for {alarm.age(now)}" if now - alarm.since >= 1 else ""
        end = f"reload with {alarm.remedy.words}" if alarm.remedy is not None else alarm.advice
        lines.append(f"! {alarm.message}{age}{f'. {end[0].upper()}{end[1:]}' if end else ''}")
    return lines


def _plain(value: Pressure | GroupEvents | None) -> dict[str, Any] | None:
    return None if value is None else asdict(value)


async def _moments(context: Context) -> AsyncGenerator[Moment, None]:
    async for sample in context.services.machine.samples():
        yield Moment(sample, tuple(await context.services.sessions.list()))


def screen_lines(history: History, alarms: Sequence[Alarm], width: int) -> list[str]:
    """Return all lines of the live view; the history has at least one moment."""
    latest = history.latest
    assert latest is not None
    clock = time.strftime("%H:%M:%S", time.localtime(latest.time))
    lines = [f"qtui monitor   {clock}   the last minute   Ctrl-C ends", ""]
    told = [part for line in alarm_lines(alarms, latest.time) for part in textwrap.wrap(line, max(40, width - 1))]
    lines += [*told, ""] if told else []
    lines += [_series_line(line, width) for line in series(history)]
    return [*lines, "", *_sessions_lines(latest.sessions, latest.sample, width)]


def _series_line(line: Series, width: int) -> str:
    room = max(10, min(60, width - NAMES_WIDTH - WORDS_WIDTH - 2))
    drawn = blocks(cells(line.points, room), line.top)[0]
    return f"{cut(line.name, NAMES_WIDTH):<{NAMES_WIDTH}}{drawn}  {line.now}"


def _sessions_lines(sessions: Sequence[SessionSeen], sample: MemorySample, width: int | None) -> list[str]:
    others = sample.foreign or ()
    if not sessions and not others:
        return ["no sessions"]
    wide = width is None or width >= NARROW
    heads = ["SESSION", "ID", "STATE", ">RAM", ">VRAM", ">NEEDS", ">OFF BY", ">T/S", ">CTX"]
    table = Table([*heads, "ENGINE", ">PID"] if wide else heads)
    for seen in sessions:
        row = session_row(seen, sample.gpus)
        texts = [row.title, row.id, row.state, row.ram, row.vram, row.needs, row.apart, row.rate, row.context]
        table.add(*texts, *([row.engine, row.pid] if wide else []))
    for one in others:
        what = f"{one.name}: {PurePath(one.file).name}" if one.file else one.name
        texts = [what, "–", "not ours", gib(one.resident), gib(one.vram) if sample.gpus else "–", "?", "?", "?", "?"]
        table.add(*texts, *(["not ours", str(one.pid)] if wide else []))
    lines = [] if sessions else ["no sessions of qtui"]
    return [
        *lines, *table.lines(width), "sizes in GiB; OFF BY: measured against the estimate, known after a full prompt",
    ]  # fmt: skip


def _session(seen: SessionSeen, sample: MemorySample | None) -> dict[str, Any]:
    record = seen.record
    return {
        "id": record.id, "pid": record.pid, "parent_pid": record.parent_pid, "title": record.title,
        "file": record.path, "engine": record.engine, "state": record.state.value, "since": record.since,
        "progress": record.progress, "rate": record.rate, "context_used": record.context_used,
        "context_size": record.context_size, "plan": record.plan, "endpoint": record.endpoint or None,
        "memory": asdict(seen.memory),
        "estimated_total": record.estimate, "reclaimable": record.estimated_reclaimable,
        "full_prompt": record.full_prompt,
        "measured_total": measured_total(seen, sample.gpus) if sample is not None else None,
    }  # fmt: skip
