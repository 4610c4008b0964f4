"""Alarms in words: the line in every place, the lines of Monitor, and the question before a remedy is taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from qtui.core.text import clean_name

if TYPE_CHECKING:  # the app paints before there are alarms
    from qtui.core.monitor.alarms import Alarm

LONGEST = 300
MOST_LINES = 3


def alarm_line(alarms: Sequence[Alarm], width: int) -> Content:
    """Return the newest alarm for the top line, and how many more there are; empty without any."""
    if not alarms:
        return Content()
    alarm = alarms[0]
    more = f"  and {len(alarms) - 1} more" if len(alarms) > 1 else ""
    end = f"  4 then t: {alarm.remedy.words}" if alarm.remedy is not None else ""
    said = Content.styled(f" ! {clean_name(alarm.message, LONGEST)}", "bold $text-error")
    rest = Content.styled(f"{end}{more} ", "$text-warning")
    room = max(10, width - rest.cell_length)
    return said.truncate(room, ellipsis=True) + rest


def alarm_lines(alarms: Sequence[Alarm], now: float, width: int) -> list[Content]:
    """Return what Monitor shows: the newest first, each with its age and what would end it."""
    lines = []
    for index, alarm in enumerate(alarms[:MOST_LINES]):
        key = "t: " if index == 0 and alarm.remedy is not None else ""
        end = f"{key}{alarm.remedy.words}" if alarm.remedy is not None else clean_name(alarm.advice, LONGEST)
        tail = Content.styled(f", for {alarm.age(now)}", "$foreground-muted")
        if end:
            tail += Content.styled(f"  {end}", "$text-warning" if key else "$foreground-muted")
        said = Content.styled(f" ! {clean_name(alarm.message, LONGEST)}", "bold $text-error")
        lines.append(said.truncate(max(20, width - tail.cell_length - 1), ellipsis=True) + tail)
    if len(alarms) > MOST_LINES:
        lines[-1] += Content.styled(f"  and {len(alarms) - MOST_LINES} more", "$foreground-muted")
    return lines


def remedy_question(alarm: Alarm, title: str) -> list[Content]:
    """Return the question before a session is loaded anew; the first line is enough by itself."""
    words = alarm.remedy.words if alarm.remedy is not None else ""
    return [
        Content.styled(f" Load {clean_name(title, 40)} anew with {words}? What it answers now is cut off. ", "reverse"),
        Content.assemble(" ", ("t", "bold $text-accent"), " load it   ", ("esc", "bold $text-accent"), " leave it"),
    ]
