"""The frame around all places: themes, keys, settings, notices, the question before quitting, and the last words."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import App
from textual.binding import BindingType
from textual.notifications import SeverityLevel

from qtui.core.errors import QtuiError
from qtui.core.settings import DEFAULT_THEME, Problem, Settings, with_setting
from qtui.core.text import clean
from qtui.core.themes import ThemeFile
from qtui.ui.commands import HOMES, MODAL, Where, bindings
from qtui.ui.keymap import Keymap, resolve_keys
from qtui.ui.messages import ChangeSetting, SettingsChanged, ShowTheme
from qtui.ui.panels.keys import KeysPanel
from qtui.ui.panels.palette import Entry, PalettePanel
from qtui.ui.panels.quit import QuitPanel
from qtui.ui.panels.settings import SettingsPanel
from qtui.ui.places.place import Place
from qtui.ui.themes import load_themes, variable_defaults

if TYPE_CHECKING:
    from qtui.core.ports import SettingsStore

log = logging.getLogger(__name__)


class Shell(App[None]):
    """What every place stands in. It knows settings and no other port."""

    TITLE = "qtui"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-slim"), (100, "-medium"), (120, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (15, "-low"), (20, "-high"), (30, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.EVERYWHERE)
    SETTINGS_EVERY_S: ClassVar[float] = 3.0
    """How often is looked whether another qtui, or the user, has changed the settings file."""

    def __init__(
        self, *, store: SettingsStore, theme: str = "", theme_files: Iterable[ThemeFile] = (), log_level: str = "",
        on_crash: Callable[[BaseException], str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._on_crash = on_crash
        self._store = store
        self._storing = asyncio.Lock()
        self._fixed_log_level = log_level
        self.settings: Settings = store.load()
        self.problems: tuple[Problem, ...] = tuple(store.problems())
        self.keymap = Keymap()
        self.opened = False
        """The places can be visited."""
        self._themes = load_themes(theme_files)
        for known in self._themes.themes.values():
            self.register_theme(known)
        self._theme_name = theme or self.settings.theme
        # Before the first paint: styles are parsed once, and nothing flashes in other colours.
        if self._theme_name in self._themes.themes:
            self.theme = self._theme_name
        elif DEFAULT_THEME in self._themes.themes:
            self.theme = DEFAULT_THEME

    def start_shell(self) -> None:
        """Take the user's keys, report what is amiss with settings and themes, and begin to watch the file."""
        if self._themes.themes and self._theme_name not in self._themes.themes:
            there = ", ".join(sorted(self._themes.themes))
            self.notify(f"There is no theme {self._theme_name}. There are: {there}", severity="warning")
        for failure in self._themes.failures:
            self.notify(f"{failure.message}\n{failure.hint}", severity="warning")
        self._take_keys()
        self._report_problems()
        self.set_interval(self.SETTINGS_EVERY_S, self.look_at_settings)

    def places(self) -> Sequence[Place]:
        """Return the places that are built."""
        return ()

    def take_settings(self, before: Settings, after: Settings) -> None:
        """Act on changed settings beyond theme, keys and log level."""

    # Notices and names

    def notify(
        self, message: str, *, title: str = "", severity: SeverityLevel = "information",
        timeout: float | None = None, markup: bool = False,
    ) -> None:  # fmt: skip
        """Show a notice; its text is plain unless the caller says otherwise."""
        if severity != "information":
            log.log(logging.ERROR if severity == "error" else logging.WARNING, "%s", message)
        super().notify(clean(message), title=title, severity=severity, timeout=timeout, markup=markup)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return what our own style variables are where a theme does not set them."""
        return variable_defaults()

    # Panels

    def action_go(self, place: str) -> None:
        """Go to a place."""
        if self.opened:
            self.switch_mode(place)

    def action_keys(self) -> None:
        """Show the keys."""
        first = self.screen.spots() if isinstance(self.screen, Place) else ()
        self.push_screen(KeysPanel(first, self.advice(), self.keymap.commands))

    def advice(self) -> Sequence[str]:
        """Return what is amiss here, and what to do about it."""
        return ()

    def action_palette(self) -> None:
        """Show every command by name."""
        if isinstance(self.screen, PalettePanel | QuitPanel) or not self.opened:
            return
        here = {active.binding.id for active in self.screen.active_bindings.values() if active.enabled}
        entries = [
            Entry(command, here=command.id in here)
            for command in self.keymap.commands
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
        if not isinstance(self.screen, SettingsPanel):
            self.push_screen(SettingsPanel(self.settings, self._all_problems(), self._theme_names(), self._store.path))

    async def action_quit(self) -> None:
        """Quit; ask once if something runs."""
        running = [one for place in self.places() for one in place.running()]
        if running and not isinstance(self.screen, QuitPanel):
            self.push_screen(QuitPanel(running), self._quit_if)
        else:
            self.exit()

    def _quit_if(self, wanted: bool | None) -> None:
        if wanted:
            self.exit()

    # Settings

    @on(ChangeSetting)
    def change_setting(self, event: ChangeSetting) -> None:
        """Save one setting."""
        self._save(event.key, event.value)

    @work(group="settings")
    async def _save(self, key: str, value: object) -> None:
        failure = ""
        settings, problems = self.settings, self.problems
        async with self._storing:
            try:
                settings = await asyncio.to_thread(self._store.save, with_setting(self.settings, key, value))
                problems = tuple(self._store.problems())
            except QtuiError as error:
                failure = f"{error.message}. {error.hint}"
        self.post_message(SettingsChanged(settings, problems, failure))

    @work(group="settings")
    async def look_at_settings(self) -> None:
        """Take the settings when the file is another one than was read last."""
        if self._storing.locked():
            return
        async with self._storing:
            if not await asyncio.to_thread(self._store.changed):
                return
            settings = await asyncio.to_thread(self._store.load)
            problems = tuple(self._store.problems())
        self.post_message(SettingsChanged(settings, problems))

    @on(SettingsChanged)
    def take_changed(self, event: SettingsChanged) -> None:
        """Act on other settings, and show them where they are shown."""
        before, news = self.settings, event.problems != self.problems
        self.settings, self.problems = event.settings, event.problems
        if event.failure:
            self.notify(event.failure, severity="error")
        if before.theme != event.settings.theme:
            self._theme_name = event.settings.theme
        self.show_theme(ShowTheme())
        self._take_keys()
        if before != event.settings:
            self.take_settings(before, event.settings)
        shown = [screen for screen in self.screen_stack if isinstance(screen, SettingsPanel)]
        for panel in shown:
            panel.show_settings(event.settings, self._all_problems())
        if news and not shown:
            self._report_problems()

    @on(ShowTheme)
    def show_theme(self, event: ShowTheme) -> None:
        """Show a theme, for a look or for good."""
        name = event.name or self._theme_name
        if name in self._themes.themes and name != self.theme:
            self.theme = name

    def _take_keys(self) -> None:
        self.keymap = resolve_keys(self.settings.keys)
        self.set_keymap(self.keymap.for_textual())
        for place in self.places():
            place.show_commands(self.keymap.commands)
        if not self._fixed_log_level:
            logging.getLogger("qtui").setLevel(self.settings.log_level.value.upper())

    def _all_problems(self) -> tuple[Problem, ...]:
        return (*self.problems, *self.keymap.problems)

    def _report_problems(self) -> None:
        problems = self._all_problems()
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            self.notify(f"Settings: {problems[0].line}{more}. The settings (,) show all.", severity="warning")

    def _theme_names(self) -> tuple[str, ...]:
        return tuple(sorted(self._themes.themes))

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
