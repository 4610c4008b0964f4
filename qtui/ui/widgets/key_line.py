"""The line of keys at the foot of a place: what can be done now."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.style import Style

from qtui.ui.command import MODAL, Command, Where
from qtui.ui.widgets.fitted import Fitted

GAP = "   "


def key_line(commands: Sequence[Command], width: int) -> Content:
    """Return as many commands as fit; those for everywhere, and the way out of a panel, stay at the end."""
    parts = [_one(command) for command in commands if not _stays(command)]
    tail = [_one(command) for command in commands if _stays(command)]
    while parts and len(Content(GAP).join([*parts, *tail])) > width - 1:
        parts.pop()
    return Content(" ") + Content(GAP).join([*parts, *tail])


def _stays(command: Command) -> bool:
    return command.where is Where.EVERYWHERE or (command.where in MODAL and command.shown_key == "esc")


def _one(command: Command) -> Content:
    text = Content.assemble((command.shown_key, "bold $text-accent"), " ", (command.label, "$foreground-muted"))
    if not command.bound:
        return text
    spot = "app" if command.where is Where.EVERYWHERE else "screen"
    return text.stylize(Style.from_meta({"@click": f"{spot}.{command.action}"}))


class KeyLine(Fitted):
    """Shows the commands of the moment."""

    _commands: Sequence[Command] | None = None

    def show_commands(self, commands: Sequence[Command]) -> None:
        """Show other commands."""
        if commands != self._commands:
            self._commands = commands
            self.show(lambda width: (key_line(commands, width),))
