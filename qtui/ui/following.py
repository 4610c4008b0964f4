"""An app that follows the user's settings: theme, keys and log level, also when they change while it runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import App
from textual.notifications import SeverityLevel

from qtui.core.errors import QtuiError
from qtui.core.settings import DEFAULT_THEME, Problem, Settings, with_setting
from qtui.core.text import clean
from qtui.core.themes import ThemeFile
from qtui.ui.keymap import Keymap, resolve_keys
from qtui.ui.messages import ChangeSetting, SettingsChanged, ShowTheme
from qtui.ui.notices import Noticing
from qtui.ui.themes import load_themes, variable_defaults

if TYPE_CHECKING:  # the app paints before what places need is imported
    from qtui.core.ports import SettingsStore
    from qtui.ui.places.place import Place

log = logging.getLogger(__name__)


class Following(Noticing):
    """Takes the settings at its start, and again whenever another qtui or the user's editor has written them."""

    SETTINGS_EVERY_S: ClassVar[float] = 3.0
    """How often is looked whether the settings file is another one."""

    def __init__(
        self, *, store: SettingsStore, theme: str = "", theme_files: Iterable[ThemeFile] = (), log_level: str = ""
    ) -> None:
        super().__init__()
        self._store = store
        self._storing = asyncio.Lock()
        self._fixed_log_level = log_level
        self.settings: Settings = store.load()
        self._stored = self.settings
        """What the store holds; `settings` follow it when the message arrives."""
        self.problems: tuple[Problem, ...] = tuple(store.problems())
        self.more_problems: tuple[Problem, ...] = ()
        """What of the settings cannot be used for other reasons than how the file is written."""
        self.keymap = Keymap()
        self._themes = load_themes(theme_files)
        for known in self._themes.themes.values():
            self.register_theme(known)
        self._theme_name = theme or self.settings.theme
        first = self._theme_name if self._theme_name in self._themes.themes else DEFAULT_THEME
        if first in self._themes.themes:
            self._begin_with(first)

    def _begin_with(self, theme: str) -> None:
        """Set the theme of the first frame: nothing flashes in other colours, and styles are parsed once.

        Textual parses all styles anew when a theme is set, though none has been parsed before it runs.
        """
        if self._themes.themes[theme].ansi:  # Textual then changes more than styles
            self.theme = theme
        else:
            self.set_reactive(App.theme, theme)

    def start_following(self) -> None:
        """Take the user's keys, report what is amiss with settings and themes, and begin to watch the file."""
        if self._themes.themes and self._theme_name not in self._themes.themes:
            there = ", ".join(self.theme_names())
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

    def show_settings(self) -> bool:
        """Show the settings where they are on the screen; tell whether they are."""
        return False

    def theme_names(self) -> tuple[str, ...]:
        """Return the themes that can be chosen: ours and the user's."""
        return tuple(sorted(self._themes.themes))

    def all_problems(self) -> tuple[Problem, ...]:
        """Return what of the settings is not used as it stands in the file."""
        return (*self.problems, *self.keymap.problems, *self.more_problems)

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

    @on(ChangeSetting)
    def change_setting(self, event: ChangeSetting) -> None:
        """Save one setting."""
        self._save(event.key, event.value)

    @work(group="settings")
    async def _save(self, key: str, value: object) -> None:
        failure = ""
        async with self._storing:
            problems = self.problems
            try:
                self._stored = await asyncio.to_thread(self._store.save, with_setting(self._stored, key, value))
                problems = tuple(self._store.problems())
            except QtuiError as error:
                failure = f"{error.message}. {error.hint}"
        self.post_message(SettingsChanged(self._stored, problems, failure))

    @work(group="settings")
    async def look_at_settings(self) -> None:
        """Take the settings when the file is another one than was read last."""
        if self._storing.locked():
            return
        async with self._storing:
            if not await asyncio.to_thread(self._store.changed):
                return
            self._stored = await asyncio.to_thread(self._store.load)
            problems = tuple(self._store.problems())
        self.post_message(SettingsChanged(self._stored, problems))

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
        if not self.show_settings() and news:
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

    def _report_problems(self) -> None:
        problems = self.all_problems()
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            self.notify(f"Settings: {problems[0].line}{more}\nThe settings (,) show all.", severity="warning")
