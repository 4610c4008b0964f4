"""The frame around all places: panels that open everywhere, the question before quitting, and the last words."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import BindingType

from qtui.core.text import clean
from qtui.core.themes import ThemeFile
from qtui.ui.command import HOMES, MODAL, Command, Where
from qtui.ui.commands import bindings
from qtui.ui.following import Following
from qtui.ui.places.place import Place
from qtui.ui.running import Running

if TYPE_CHECKING:  # the app paints before what panels need is imported
    from qtui.core.ports import SettingsStore


class Shell(Following):
    """What every place stands in. It knows settings and no other port."""

    TITLE = "qtui"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-slim"), (100, "-medium"), (120, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (15, "-low"), (20, "-high"), (30, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.EVERYWHERE)

    def __init__(
        self, *, store: SettingsStore, theme: str = "", theme_files: Iterable[ThemeFile] = (), log_level: str = "",
        on_crash: Callable[[BaseException], str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(store=store, theme=theme, theme_files=theme_files, log_level=log_level)
        self._on_crash = on_crash
        self._asking_to_quit = False
        self.opened = False
        """The places can be visited."""

    def action_go(self, place: str) -> None:
        """Go to a place."""
        if self.opened and place in self._modes:
            self.switch_mode(place)
        elif self.opened:
            self.notify("There is no such place here.", severity="warning")

    def action_keys(self) -> None:
        """Show the keys."""
        from qtui.ui.panels.keys import KeysPanel

        first = self.screen.spots() if isinstance(self.screen, Place) else ()
        self.push_screen(KeysPanel(first, self.advice(), self._worded_commands()))

    def _worded_commands(self) -> Sequence[Command]:
        """Return all commands in the words that hold where the user is."""
        commands = self.keymap.commands
        return self.screen.worded(commands) if isinstance(self.screen, Place) else commands

    def advice(self) -> Sequence[str]:
        """Return what is amiss here, and what to do about it."""
        return ()

    def at_stake(self) -> Sequence[Running]:
        """Return what runs besides what the places run."""
        return ()

    def action_palette(self) -> None:
        """Show every command by name."""
        from qtui.ui.panels.palette import Entry, PalettePanel

        if isinstance(self.screen, PalettePanel) or self._asking_to_quit or not self.opened:
            return
        here = {active.binding.id for active in self.screen.active_bindings.values() if active.enabled}
        entries = [
            Entry(command, here=command.id in here)
            for command in self._worded_commands()
            if command.bound and command.id != "palette" and (command.id in here or command.where not in MODAL)
        ]
        self.push_screen(PalettePanel(entries), self._run_command)

    async def _run_command(self, command_id: str | None) -> None:
        command = next((c for c in self.keymap.commands if c.id == command_id), None)
        if command is None or await self._run_here(command.id):
            return
        home = HOMES.get(command.where, "")
        if home:
            await self.switch_mode(home)
        if not await self._run_here(command.id):
            self.notify(f"{command.where.value}: {command.shown_keys or 'no key'}: {command.help}")

    async def _run_here(self, command_id: str) -> bool:
        for active in self.screen.active_bindings.values():
            if active.binding.id == command_id and active.enabled:
                await self.run_action(active.binding.action, active.node)
                return True
        return False

    def action_settings(self) -> None:
        """Show the settings."""
        from qtui.ui.panels.settings import SettingsPanel

        if not isinstance(self.screen, SettingsPanel):
            self.clear_notifications()  # the panel says it too
            self.push_screen(SettingsPanel(self.settings, self.all_problems(), self.theme_names(), self._store.path))

    def show_settings(self) -> bool:
        """Show the settings in the panel; tell whether it is open."""
        from qtui.ui.panels.settings import SettingsPanel

        shown = [screen for screen in self.screen_stack if isinstance(screen, SettingsPanel)]
        for panel in shown:
            panel.show_settings(self.settings, self.all_problems())
        return bool(shown)

    async def action_quit(self) -> None:
        """Quit; ask once if something runs."""
        running = [*(one for place in self.places() for one in place.running()), *self.at_stake()]
        if not running or self._asking_to_quit:
            self.exit()
            return
        from qtui.ui.panels.quit import QuitPanel

        self._asking_to_quit = True
        self.push_screen(QuitPanel(running), self._quit_if)

    def _quit_if(self, wanted: bool | None) -> None:
        self._asking_to_quit = False
        if wanted:
            self.exit()

    def _fatal_error(self) -> None:
        """End with a plain message: Textual's own prints the locals of every frame."""
        self.bell()
        if self._on_crash and self._exception:  # it keeps the traceback elsewhere, and returns what to say
            self._exit_renderables.append(Text(clean(self._on_crash(self._exception))))
        else:
            text = clean(traceback.format_exc())
            last = text.strip().rpartition("\n")[2]
            self._exit_renderables.append(Text(f"qtui crashed: {last}\n\n{text}"))
        self._close_messages_no_wait()
