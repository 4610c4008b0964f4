"""The one table of commands: it makes the bindings, the line of keys under each place, and the `?` panel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from textual.binding import Binding, BindingType


class Where(StrEnum):
    """Where a command can be given; the values are the headings of the `?` panel."""

    EVERYWHERE = "Everywhere"
    MODELS = "Models"
    FILTER = "Models, in the filter"
    ARENA = "Arena, outside the field"
    THOUGHT = "Arena, on folded thinking"
    FIELD = "Arena, in the field"
    MONITOR = "Monitor"
    PANEL = "In a panel"


@dataclass(frozen=True, slots=True)
class Command:
    """One command."""

    id: str
    """Unique; what a keymap of the user's names."""
    keys: str
    """Textual's key names, separated by commas; the first one is shown."""
    action: str
    label: str
    """One or two words, for the line of keys; empty: not shown there."""
    where: Where
    help: str
    """What it does, for the `?` panel."""
    bound: bool = True
    """False: the widget that has the focus handles the key itself."""

    @property
    def shown_key(self) -> str:
        """Return its first key as a hand knows it."""
        return key_name(self.keys.split(",")[0])


_C = Command
_W = Where
COMMANDS: tuple[Command, ...] = (
    _C("models.chat", "enter", "choose", "chat", _W.MODELS, "chat with it: put it on side A, load it, open the Arena"),
    _C("models.a", "a", "put('A')", "side A", _W.MODELS, "put it on side A, or take it off again"),
    _C("models.b", "b", "put('B')", "side B", _W.MODELS, "put it on side B, or take it off again"),
    _C("models.filter", "slash", "filter", "filter", _W.MODELS, "show only rows that hold all the words you type"),
    _C("models.rescan", "R", "rescan", "rescan", _W.MODELS, "look for files again"),
    _C("models.down", "down,j", "cursor(1)", "", _W.MODELS, "next row (up, k: the one before)"),
    _C("models.up", "up,k", "cursor(-1)", "", _W.MODELS, "the row before"),
    _C("models.page_down", "pagedown", "page(1)", "", _W.MODELS, "a page down"),
    _C("models.page_up", "pageup", "page(-1)", "", _W.MODELS, "a page up"),
    _C("models.first", "g,home", "edge(-1)", "", _W.MODELS, "first row"),
    _C("models.last", "G,end", "edge(1)", "", _W.MODELS, "last row"),
    _C("models.back", "escape", "back", "", _W.MODELS, "clear the filter; stop choosing for a side"),
    _C("filter.done", "enter", "", "to the rows", _W.FILTER, "to the rows that are left", bound=False),
    _C("filter.down", "down", "leave_filter", "", _W.FILTER, "to the rows that are left"),
    _C("filter.clear", "escape", "clear_filter", "clear", _W.FILTER, "clear the filter"),
    _C("arena.write", "i,enter", "write", "write", _W.ARENA, "to the prompt field"),
    _C("arena.again", "r", "again", "again", _W.ARENA, "ask the last prompt again; a side that died is loaded again"),
    _C("arena.zoom", "z", "zoom", "zoom", _W.ARENA, "only the side that has the focus, or both again"),
    _C("arena.stop", "escape", "stop", "stop", _W.ARENA, "stop what loads or answers"),
    _C("arena.a", "A", "choose('A')", "change A", _W.ARENA, "choose another variant for side A"),
    _C("arena.b", "B", "choose('B')", "change B", _W.ARENA, "choose another variant for side B"),
    _C("arena.down", "j", "scroll(1)", "", _W.ARENA, "scroll the side that has the focus down"),
    _C("arena.up", "k", "scroll(-1)", "", _W.ARENA, "scroll the side that has the focus up"),
    _C("arena.first", "g", "scroll_edge(-1)", "", _W.ARENA, "to the beginning of the transcript"),
    _C("arena.last", "G", "scroll_edge(1)", "", _W.ARENA, "to the end of the transcript, and follow it"),
    _C("thought.toggle", "space", "fold", "fold", _W.THOUGHT, "unfold or fold what the model thought"),
    _C("field.send", "enter", "", "send", _W.FIELD, "send the prompt to all sides", bound=False),
    _C("field.newline", "ctrl+j", "newline", "new line", _W.FIELD, "a new line in the prompt"),
    _C("field.next", "tab", "", "side", _W.FIELD, "to the transcripts", bound=False),
    _C("field.escape", "escape", "escape", "stop, then keys", _W.FIELD, "stop what runs; once more: leave the field"),
    _C("monitor.log", "enter", "log", "log", _W.MONITOR, "what the engine of the session said last"),
    _C("monitor.stop", "s", "stop", "stop", _W.MONITOR, "stop the session, of this or any other qtui; asks first"),
    _C("monitor.down", "down,j", "cursor(1)", "", _W.MONITOR, "next session (up, k: the one before)"),
    _C("monitor.up", "up,k", "cursor(-1)", "", _W.MONITOR, "the session before"),
    _C("monitor.page_down", "pagedown", "page(1)", "", _W.MONITOR, "a page down"),
    _C("monitor.page_up", "pageup", "page(-1)", "", _W.MONITOR, "a page up"),
    _C("monitor.first", "g,home", "edge(-1)", "", _W.MONITOR, "first session"),
    _C("monitor.last", "G,end", "edge(1)", "", _W.MONITOR, "last session"),
    _C("monitor.back", "escape", "back", "leave it", _W.MONITOR, "leave the session as it is"),
    _C("panel.close", "escape,question_mark,q", "dismiss", "close", _W.PANEL, "close it"),
    _C("go.models", "1", "go('models')", "", _W.EVERYWHERE, "Models: what is on this machine"),
    _C("go.arena", "3", "go('arena')", "", _W.EVERYWHERE, "Arena: chat with one, compare two"),
    _C("go.monitor", "4", "go('monitor')", "", _W.EVERYWHERE, "Monitor: sessions, memory, the last minute"),
    _C("keys", "question_mark", "keys", "keys", _W.EVERYWHERE, "these keys, and what is amiss with the engine"),
    _C("quit", "ctrl+q", "quit", "quit", _W.EVERYWHERE, "quit: every model is unloaded, nothing keeps running"),
)

_KEY_NAMES = {
    "question_mark": "?", "slash": "/", "escape": "esc", "pagedown": "pgdn", "pageup": "pgup",
}  # fmt: skip


def key_name(key: str) -> str:
    """Return a key of Textual's as it is written on screen."""
    return _KEY_NAMES.get(key, key)


def bindings(where: Where) -> list[BindingType]:
    """Return the bindings of everything that can be done in one spot. Only quitting works from any spot."""
    return [
        Binding(c.keys, c.action, c.label or c.help, id=c.id, show=False, priority=c.id == "quit")
        for c in COMMANDS
        if c.where is where and c.bound
    ]


def shown(spots: Iterable[Where], hidden: frozenset[str] = frozenset()) -> list[Command]:
    """Return the commands for a line of keys, in the table's order, without those whose ids are `hidden`."""
    wanted = set(spots)
    return [c for c in COMMANDS if c.where in wanted and c.label and c.id not in hidden]
