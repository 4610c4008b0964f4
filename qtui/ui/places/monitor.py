"""Monitor: the sessions of this machine, what they hold against what was estimated, and the last minutes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.content import Content
from textual.events import DescendantFocus, Resize, ScreenResume
from textual.widget import Widget
from textual.widgets import Static

from qtui.core.errors import QtuiError
from qtui.core.hardware import Foreign, Gpu
from qtui.core.monitor.alarms import Alarm
from qtui.core.monitor.chart import SPANS_S, other_span
from qtui.core.monitor.series import Series, series
from qtui.core.ports import Sessions
from qtui.core.sessions import SessionSeen
from qtui.ui.command import Where
from qtui.ui.commands import COMMANDS, bindings
from qtui.ui.messages import SessionStopped, TakeRemedy
from qtui.ui.panels.log import LogPanel
from qtui.ui.places.place import Place
from qtui.ui.present import blind
from qtui.ui.present.alarms import MOST_LINES, alarm_lines, remedy_question
from qtui.ui.present.chart import series_lines
from qtui.ui.present.monitor import (
    COLUMNS,
    EMPTY,
    MARK_WIDTH,
    detail_lines,
    foreign_key,
    foreign_lines,
    foreign_rows,
    question_lines,
    rows,
)
from qtui.ui.present.monitor_heights import history_height, strip_height
from qtui.ui.vitals import Vitals
from qtui.ui.widgets.fitted import Fitted
from qtui.ui.widgets.grouped_table import GroupedTable
from qtui.ui.widgets.history_lines import HistoryLines

OWN_COMMANDS = frozenset(c.id for c in COMMANDS if c.where in (Where.MONITOR, Where.SESSION, Where.SERIES))
"""All that can be done here."""


class MonitorPlace(Place):
    """Shows every session with its state, memory and rate, and a line of history for each series."""

    NAME = "monitor"
    CSS_PATH = "monitor.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Where.SESSION), *bindings(Where.SERIES), *bindings(Where.MONITOR),
    ]  # fmt: skip
    """Of two for one key the first that may be given is taken: the cursor stands on a session or on a line."""

    def __init__(self, *, sessions: Sessions, labels: Callable[[], Mapping[str, str]], vitals: Vitals) -> None:
        super().__init__(vitals)
        self._sessions = sessions
        self._labels = labels
        """Gives the sides of the Arena by session id."""
        self._seen: tuple[SessionSeen, ...] = ()
        self._asking = ""
        """The id of the session that shall be stopped, while that is asked."""
        self._stopping: frozenset[str] = frozenset()
        self._remedy: Alarm | None = None
        """The alarm whose remedy shall be taken, while that is asked."""
        self._span_s = SPANS_S[0]
        self._lines: tuple[Series, ...] = ()
        self._unmoved = True
        """The cursor stands where it was put, not where it was moved to: it goes to the first session that comes."""

    def compose_body(self) -> Iterable[Widget]:
        """What is wrong, sessions or what stands in for them, the strip about one, the lines."""
        yield Fitted(self._alarm_lines, classes="alarms")
        yield GroupedTable(COLUMNS, MARK_WIDTH)
        yield Static(Content(EMPTY), classes="empty")
        yield Fitted(self._detail_lines, classes="detail")
        yield HistoryLines()

    def on_mount(self) -> None:
        """Show what is known."""
        self.set_focus(self.query_one(GroupedTable))
        self._take_vitals()

    def show_vitals(self, vitals: Vitals) -> None:
        """Show a new moment."""
        super().show_vitals(vitals)
        if self.is_mounted and self.is_current:
            self._take_vitals()

    def spots(self) -> tuple[Where, ...]:
        """Return where the keys go now."""
        return (Where.SERIES if self._on_lines else Where.SESSION, Where.MONITOR, Where.EVERYWHERE)

    def hidden_commands(self) -> frozenset[str]:
        """What was asked is answered first; only a session can be stopped and has a log; a chart is one already."""
        if self.vitals.covered:
            return OWN_COMMANDS
        hidden = set() if self._offered() is not None else {"monitor.remedy"}
        if self._remedy is not None or self._asking:
            hidden = {"monitor.log", "monitor.copy", "monitor.chart", "monitor.longer", "monitor.shorter"}
            return frozenset(hidden | ({"monitor.stop"} if self._remedy is not None else {"monitor.remedy"}))
        hidden |= {"monitor.chart"} if self._charted else {"monitor.back"}
        seen = self._under_cursor()
        if seen is None:
            hidden |= {"monitor.log", "monitor.stop"}
        if seen is None or not seen.record.endpoint:
            hidden |= {"monitor.copy"}
        hidden |= {"monitor.longer"} if self._span_s == SPANS_S[-1] else set()
        hidden |= {"monitor.shorter"} if self._span_s == SPANS_S[0] else set()
        return frozenset(hidden)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let keys of sessions and of lines be theirs while the cursor is; none work while these must not be seen."""
        if self.vitals.covered and action in (
            "log",
            "stop",
            "copy",
            "remedy",
            "chart",
            "span",
            "cursor",
            "page",
            "edge",
        ):
            return False
        if action in ("log", "stop", "copy"):
            return not self._on_lines
        return action != "chart" or self._on_lines

    @property
    def _on_lines(self) -> bool:
        """Tell whether the cursor stands on a line of history, not on a session."""
        return isinstance(self.focused, HistoryLines)

    @property
    def _charted(self) -> bool:
        """Tell whether one line is a chart."""
        return any(lines.charted for lines in self.query(HistoryLines))

    # What can be done

    def action_log(self) -> None:
        """Show the log of the session under the cursor."""
        seen = self._under_cursor()
        if seen is not None:
            wanted = seen.record.id
            self.app.push_screen(LogPanel(seen.record.title, lambda: self._sessions.log(wanted)))

    def action_stop(self) -> None:
        """Ask whether to stop the session under the cursor; asked already, stop it."""
        seen = self._under_cursor()
        if seen is None or seen.record.id in self._stopping:
            return
        if self._asking == seen.record.id or seen.record.crashed:
            self._stopping |= {seen.record.id}
            self._ask("")
            self._draw()
            self._stop(seen)
        else:
            self._ask(seen.record.id)

    def action_copy(self) -> None:
        """Copy where other programs reach the session under the cursor."""
        seen = self._under_cursor()
        if seen is not None and seen.record.endpoint:
            self.app.copy_to_clipboard(seen.record.endpoint)
            self.notify(f"Copied {seen.record.endpoint}", markup=False)

    def action_remedy(self) -> None:
        """Ask whether to load the session of the newest alarm anew; asked already, do it."""
        alarm, asked = self._offered(), self._remedy
        self._ask("")
        if asked is not None and asked.remedy is not None:
            self.post_message(TakeRemedy(asked.remedy))
        elif alarm is not None:
            self._remedy = alarm
            self.set_class(True, "asking")
            self._draw()

    def action_back(self) -> None:
        """Leave the session as it is, or else show all lines again."""
        if self._asking or self._remedy is not None:
            self._ask("")
        else:
            self._show_chart(False)

    def action_chart(self) -> None:
        """Draw the line under the cursor as a chart."""
        self._show_chart(True)

    def action_span(self, step: int) -> None:
        """Show more time, or less."""
        self._span_s = other_span(self._span_s, step)
        self._draw()

    def action_cursor(self, step: int) -> None:
        """Move the cursor, over the sessions first and then over the lines."""
        self._move(lambda table: table.move(step), step, enter=-step)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self._move(lambda table: table.move_page(pages), pages * len(self._lines), enter=-pages)

    def action_edge(self, direction: int) -> None:
        """Move the cursor to the first or last session or line; from there to that of the others."""
        self._move(lambda table: table.move_edge(direction), direction * len(self._lines), enter=direction)

    def _move(self, in_table: Callable[[GroupedTable], None], in_lines: int, *, enter: int) -> None:
        """Move the cursor where it is. Where it cannot go on, it enters the other of sessions and lines at an edge."""
        self._unmoved = False
        table, lines = self.query_one(GroupedTable), self.query_one(HistoryLines)
        if self._on_lines:
            if not lines.move(in_lines) and in_lines < 0 and table.rows and not self._charted:
                table.move_edge(enter)
                self.set_focus(table)
            return
        before = table.key
        in_table(table)
        if table.key == before and in_lines > 0 and self._lines:
            lines.move(enter * len(self._lines))
            self.set_focus(lines)

    # What happened

    @on(ScreenResume)
    def catch_up(self) -> None:
        """Show what happened while another place was on screen."""
        self._take_vitals()

    @on(Resize)
    def fit(self) -> None:
        """Share the height anew, once the screen knows whether it is low."""
        self.call_later(self._share_height)

    @on(GroupedTable.Highlighted)
    def show_detail(self, event: GroupedTable.Highlighted) -> None:
        """Show the session under the cursor; a question about another one is withdrawn."""
        if self._asking and event.key != self._asking:
            self._ask("")
        self.query_one(".detail", Fitted).refresh()
        self.refresh_keys()

    @on(HistoryLines.Highlighted)
    def show_series(self) -> None:
        """Show the line under the cursor; a question about a session is withdrawn."""
        if self._asking:
            self._ask("")
        self.query_one(".detail", Fitted).refresh()

    @on(HistoryLines.Chosen)
    def chart_clicked(self) -> None:
        """A second click is `enter`."""
        self.action_chart()

    @on(DescendantFocus)
    def leave_chart(self, event: DescendantFocus) -> None:
        """Show all lines again when the cursor goes back to the sessions; say what it stands on now."""
        if isinstance(event.widget, GroupedTable) and self._charted:
            self._show_chart(False)
        self.query_one(".detail", Fitted).refresh()

    @on(GroupedTable.Chosen)
    def log_clicked(self) -> None:
        """A second click is `enter`."""
        self.action_log()

    @on(SessionStopped)
    def end_stop(self, event: SessionStopped) -> None:
        """Show the sessions that are left."""
        self._stopping -= {event.session_id}
        if event.problem:
            self.notify(event.problem, severity="error", markup=False)
        else:
            self._seen = tuple(seen for seen in self._seen if seen.record.id != event.session_id)
        self._draw()

    @work(group="stop")
    async def _stop(self, seen: SessionSeen) -> None:
        problem = ""
        try:
            await self._sessions.stop(seen.record.id)
        except QtuiError as error:
            problem = f"{error.message}\n{error.hint}"
        self.post_message(SessionStopped(seen.record.id, problem))

    # Drawing

    def _ask(self, session_id: str) -> None:
        self._asking, self._remedy = session_id, None
        self.set_class(bool(session_id), "asking")
        self.query_one(".detail", Fitted).refresh()
        self._share_height()
        self.refresh_keys()

    def _show_chart(self, charted: bool) -> None:
        self._unmoved = False
        self.query_one(HistoryLines).show_chart(charted)
        self._draw()

    def _take_vitals(self) -> None:
        latest = self.vitals.history.latest
        self._seen = (*(latest.sessions if latest else ()), *self.vitals.crashed)
        if self.vitals.covered:
            self._ask("")
            self.query_one(HistoryLines).show_chart(False)
        self.set_class(self.vitals.covered, "covered")
        self.query_one(".empty", Static).update(Content(blind.MONITOR if self.vitals.covered else EMPTY))
        self._draw()

    def _draw(self) -> None:
        alarms = self.query_one(".alarms", Fitted)
        alarms.display = bool(self.vitals.alarms)
        alarms.styles.height = min(MOST_LINES, len(self.vitals.alarms)) or 1
        alarms.refresh()
        table = self.query_one(GroupedTable)
        labels = self._labels()
        shown = rows(self._seen, self._cards(), labels, self._stopping) + foreign_rows(self._foreign(), self._cards())
        self.set_class(not shown, "without-sessions")
        if shown != table.rows:
            table.show(shown)
        if self._asking and table.key != self._asking:
            self._ask("")
        self._lines = series(self.vitals.history, labels, self._span_s)
        self.query_one(HistoryLines).show(self._lines, self._span_s)
        self.set_class(self._charted, "charted")
        self._settle_cursor()
        self.query_one(".detail", Fitted).refresh()
        self._share_height()
        self.refresh_keys()

    def _settle_cursor(self) -> None:
        """Put the cursor on a line while there is no session, and on the first that comes unless it was moved."""
        table, lines = self.query_one(GroupedTable), self.query_one(HistoryLines)
        if self.vitals.covered:
            return
        if not table.rows and not self._on_lines:
            self._unmoved = True
            self.set_focus(lines)
        elif table.rows and (self.focused is None or (self._on_lines and self._unmoved)):
            self.set_focus(table)

    def _share_height(self) -> None:
        """Give the lines what sessions and strip leave, but no more than they can use; a chart can use all."""
        asking, low = bool(self._asking or self._remedy), self.has_class("-low")
        alarms = min(MOST_LINES, len(self.vitals.alarms))
        free = self.size.height - alarms - strip_height(asking=asking, low=low, charted=self._charted)
        rows = len(self._seen) + len(self._foreign())
        height = history_height(free, rows=rows, lines=len(self._lines), charted=self._charted)
        self.query_one(HistoryLines).styles.height = height

    def _cards(self) -> tuple[Gpu, ...]:
        sample = self.vitals.sample
        return sample.gpus if sample else ()

    def _foreign(self) -> tuple[Foreign, ...]:
        sample = self.vitals.sample
        return (sample.foreign or ()) if sample else ()

    def _offered(self) -> Alarm | None:
        """Return the newest alarm, when its remedy can be taken: it names a session that is here."""
        alarm = self.vitals.alarms[0] if self.vitals.alarms else None
        return alarm if alarm is not None and alarm.remedy is not None else None

    def _alarm_lines(self, width: int) -> Sequence[Content]:
        latest = self.vitals.history.latest
        return alarm_lines(self.vitals.alarms, latest.time if latest else 0.0, width)

    def _under_cursor(self) -> SessionSeen | None:
        """Return the session that the cursor stands on; None on another's process, and on a line."""
        key = self.query_one(GroupedTable).key
        return None if self._on_lines else next((seen for seen in self._seen if seen.record.id == key), None)

    def _detail_lines(self, width: int) -> Sequence[Content]:
        if self._remedy is not None and self._remedy.remedy is not None:
            wanted = self._remedy.remedy.session_id
            titles = [seen.record.title for seen in self._seen if seen.record.id == wanted]
            return remedy_question(self._remedy, titles[0] if titles else "the session")
        seen = self._under_cursor()
        if seen is not None and self._asking == seen.record.id:
            return question_lines(seen)
        return [Content(" ") + line for line in self._told(seen, width - 2)]

    def _told(self, seen: SessionSeen | None, width: int) -> Sequence[Content]:
        """Return what the strip says of a session, or of what else the cursor stands on."""
        current = self.query_one(HistoryLines).current
        if self._on_lines:
            return series_lines(current, self._span_s, width) if current is not None else ()
        if seen is None:
            key = self.query_one(GroupedTable).key
            return next((foreign_lines(o, self._cards(), width) for o in self._foreign() if foreign_key(o) == key), ())
        latest = self.vitals.history.latest
        return detail_lines(seen, self._cards(), latest.time if latest else 0.0, width)
