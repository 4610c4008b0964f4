"""Monitor: the sessions of this machine, what they hold against what was estimated, and the last minute."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.content import Content
from textual.events import Resize, ScreenResume
from textual.widget import Widget
from textual.widgets import Static

from qtui.core.errors import QtuiError
from qtui.core.hardware import Foreign, Gpu
from qtui.core.monitor.alarms import Alarm
from qtui.core.monitor.series import series
from qtui.core.ports import Sessions
from qtui.core.sessions import SessionSeen
from qtui.ui.commands import Where, bindings
from qtui.ui.messages import SessionStopped, TakeRemedy
from qtui.ui.panels.log import LogPanel
from qtui.ui.places.place import Place
from qtui.ui.present import blind
from qtui.ui.present.alarms import MOST_LINES, alarm_lines, remedy_question
from qtui.ui.present.monitor import COLUMNS, EMPTY, MARK_WIDTH, detail_lines, foreign_rows, question_lines, rows
from qtui.ui.vitals import Vitals
from qtui.ui.widgets.fitted import Fitted
from qtui.ui.widgets.grouped_table import GroupedTable
from qtui.ui.widgets.history_lines import TALLEST, HistoryLines

FRAME = 2 + 1
"""Lines of the screen that belong to the top line and the keys."""
BORDER = 1
LEAST_ROWS, MOST_ROWS, EMPTY_ROWS = 3, 12, 5
"""Lines that the sessions keep at least, that they take before the series grow taller, and without any session."""


class MonitorPlace(Place):
    """Shows every session with its state, memory and rate, and a line of history for each series."""

    NAME = "monitor"
    CSS_PATH = "monitor.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.MONITOR)

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

    def compose_body(self) -> Iterable[Widget]:
        """What is wrong, sessions or what stands in for them, the strip about one, the lines."""
        yield Fitted(self._alarm_lines, classes="alarms")
        yield GroupedTable(COLUMNS, MARK_WIDTH)
        yield Static(Content(EMPTY), classes="empty")
        yield Fitted(self._detail_lines, classes="detail")
        yield HistoryLines()

    def on_mount(self) -> None:
        """Show what is known."""
        self.query_one(GroupedTable).focus()
        self._take_vitals()

    def show_vitals(self, vitals: Vitals) -> None:
        """Show a new moment."""
        super().show_vitals(vitals)
        if self.is_mounted and self.is_current:
            self._take_vitals()

    def spots(self) -> tuple[Where, ...]:
        """Return where the keys go now."""
        return (Where.MONITOR, Where.EVERYWHERE)

    def hidden_commands(self) -> frozenset[str]:
        """Without sessions there is nothing to stop; what was asked is answered first."""
        if self.vitals.covered:
            return frozenset({"monitor.log", "monitor.stop", "monitor.remedy", "monitor.back"})
        remedy = frozenset() if self._offered() is not None else frozenset({"monitor.remedy"})
        if not self._seen:
            return remedy | {"monitor.log", "monitor.stop", "monitor.back"}
        if self._remedy is not None:
            return frozenset({"monitor.log", "monitor.stop"})
        return remedy | ({"monitor.log"} if self._asking else {"monitor.back"})

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
        if self._asking == seen.record.id:
            self._stopping |= {seen.record.id}
            self._ask("")
            self._draw()
            self._stop(seen)
        else:
            self._ask(seen.record.id)

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
        """Leave the session as it is."""
        self._ask("")

    def action_cursor(self, step: int) -> None:
        """Move the cursor."""
        self.query_one(GroupedTable).move(step)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self.query_one(GroupedTable).move_page(pages)

    def action_edge(self, direction: int) -> None:
        """Move the cursor to the first or last row."""
        self.query_one(GroupedTable).move_edge(direction)

    # What happened

    @on(ScreenResume)
    def catch_up(self) -> None:
        """Show what happened while another place was on screen."""
        self._take_vitals()

    @on(Resize)
    def fit(self) -> None:
        """Share the height anew."""
        self._share_height()

    @on(GroupedTable.Highlighted)
    def show_detail(self, event: GroupedTable.Highlighted) -> None:
        """Show the session under the cursor; a question about another one is withdrawn."""
        if self._asking and event.key != self._asking:
            self._ask("")
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
        self.refresh_keys()

    def _take_vitals(self) -> None:
        latest = self.vitals.history.latest
        self._seen = latest.sessions if latest else ()
        if self.vitals.covered:
            self._ask("")
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
        self.query_one(".detail", Fitted).refresh()
        self.query_one(HistoryLines).show(series(self.vitals.history, labels))
        self._share_height()
        self.refresh_keys()

    def _share_height(self) -> None:
        """Give the lines what sessions and strip leave, but no more than they can use."""
        detail = self.query_one(".detail", Fitted)
        strip = detail.outer_size.height if detail.display else 0
        alarms = min(MOST_LINES, len(self.vitals.alarms))
        free = self.size.height - FRAME - strip - BORDER - alarms
        there = len(self._seen) + len(self._foreign())
        table = min(there + 1, MOST_ROWS) if there else EMPTY_ROWS
        lines = max(1, len(series(self.vitals.history, self._labels())))
        rows_each = max(1, min(TALLEST, (free - table) // lines))
        self.query_one(HistoryLines).styles.height = BORDER + max(1, min(rows_each * lines, free - LEAST_ROWS))

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

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave sessions alone while they must not be seen."""
        covered = self.vitals.covered and action in ("log", "stop", "remedy")
        return False if covered else super().check_action(action, parameters)

    def _under_cursor(self) -> SessionSeen | None:
        key = self.query_one(GroupedTable).key
        return next((seen for seen in self._seen if seen.record.id == key), None)

    def _detail_lines(self, width: int) -> Sequence[Content]:
        if self._remedy is not None and self._remedy.remedy is not None:
            wanted = self._remedy.remedy.session_id
            titles = [seen.record.title for seen in self._seen if seen.record.id == wanted]
            return remedy_question(self._remedy, titles[0] if titles else "the session")
        seen = self._under_cursor()
        if seen is not None and self._asking == seen.record.id:
            return question_lines(seen)
        latest = self.vitals.history.latest
        lines = detail_lines(seen, self._cards(), latest.time if latest else 0.0, width - 2)
        return [Content(" ") + line for line in lines]
