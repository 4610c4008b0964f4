"""The app: builds places when they are first visited, and passes between them what they tell each other."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import App
from textual.binding import BindingType
from textual.notifications import SeverityLevel
from textual.screen import Screen

from qtui.core.duel.run import Duel
from qtui.core.errors import QtuiError
from qtui.core.library.variant import Variant
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadPlan
from qtui.core.monitor.history import Moment
from qtui.core.ports import Engine, Library, Machine, Sessions
from qtui.core.settings import DEFAULT_THEME
from qtui.core.text import clean
from qtui.core.themes import ThemeFile
from qtui.ui.commands import Where, bindings
from qtui.ui.messages import ArenaChanged, ChooseForSide, EngineAnswered, MachineSampled, PutOnSide
from qtui.ui.panels.keys import KeysPanel
from qtui.ui.places.arena import ArenaPlace
from qtui.ui.places.models import ModelsPlace
from qtui.ui.places.place import Place
from qtui.ui.present.models import Standing
from qtui.ui.present.top_line import advice
from qtui.ui.themes import load_themes, variable_defaults
from qtui.ui.vitals import Vitals


@dataclass(frozen=True, slots=True)
class ArenaStart:
    """How to open the app in the Arena: variants by side, and a prompt that is sent at once."""

    sides: Mapping[str, Variant] = field(default_factory=dict)
    prompt: str = ""


class QtuiApp(App[None]):
    """qtui in the terminal. Its sessions end with it, however it ends."""

    TITLE = "qtui"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-slim"), (100, "-medium"), (120, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (15, "-low"), (20, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.EVERYWHERE)

    def __init__(
        self, *, library: Library, machine: Machine, engine: Engine, guard: Guard, footprints: Footprints,
        sessions: Sessions, plan: LoadPlan, models_dirs: tuple[Path, ...] = (), start: ArenaStart | None = None, theme: str = "",
        theme_files: Iterable[ThemeFile] = (), on_crash: Callable[[BaseException], str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._on_crash = on_crash
        self._library = library
        self._machine = machine
        self._engine = engine
        self._guard = guard
        self._footprints = footprints
        self._sessions = sessions
        self._plan = plan
        self._models_dirs = models_dirs
        self._start = start or ArenaStart()
        self._themes = load_themes(theme_files)
        for known in self._themes.themes.values():
            self.register_theme(known)
        self._theme_name = theme or DEFAULT_THEME
        # Before the first paint: styles are parsed once, and nothing flashes in other colours.
        if self._theme_name in self._themes.themes:
            self.theme = self._theme_name
        elif DEFAULT_THEME in self._themes.themes:
            self.theme = DEFAULT_THEME
        self._vitals = Vitals()
        self._standing = Standing(sides=dict(self._start.sides))
        self._duel = Duel(engine, guard)
        self._places: dict[str, Place] = {}

    def on_mount(self) -> None:
        """Open the first place and begin to watch the machine."""
        self._report_themes()
        self.add_mode("models", self._built("models", self._build_models))
        self.add_mode("arena", self._built("arena", self._build_arena))
        self.add_mode("monitor", self._built("monitor", self._build_monitor))
        self._watch_machine()
        self._ask_engine()
        self.switch_mode("arena" if self._start.sides else "models")

    async def on_unmount(self) -> None:
        """End all sessions, also after a crash."""
        await self._duel.close()

    def notify(
        self, message: str, *, title: str = "", severity: SeverityLevel = "information",
        timeout: float | None = None, markup: bool = False,
    ) -> None:  # fmt: skip
        """Show a notice; its text is plain unless the caller says otherwise."""
        super().notify(clean(message), title=title, severity=severity, timeout=timeout, markup=markup)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return what our own style variables are where a theme does not set them."""
        return variable_defaults()

    def _report_themes(self) -> None:
        if self._themes.themes and self._theme_name not in self._themes.themes:
            there = ", ".join(sorted(self._themes.themes))
            self.notify(f"There is no theme {self._theme_name}. There are: {there}", severity="warning")
        for failure in self._themes.failures:
            self.notify(f"{failure.message}\n{failure.hint}", severity="warning")

    # Places

    def _built(self, name: str, build: Callable[[], Place]) -> Callable[[], Screen[None]]:
        def factory() -> Screen[None]:
            self._places[name] = build()
            return self._places[name]

        return factory

    def _build_models(self) -> Place:
        return ModelsPlace(
            library=self._library, guard=self._guard, footprints=self._footprints, plan=self._plan,
            folders=self._models_dirs, vitals=self._vitals, standing=self._standing,
        )  # fmt: skip

    def _build_arena(self) -> Place:
        return ArenaPlace(
            duel=self._duel, plan=self._plan, sides=self._standing.sides, vitals=self._vitals,
            prompt=self._start.prompt,
        )  # fmt: skip

    def _build_monitor(self) -> Place:
        from qtui.ui.places.monitor import MonitorPlace

        return MonitorPlace(sessions=self._sessions, labels=self._sides_by_session, vitals=self._vitals)

    def _sides_by_session(self) -> Mapping[str, str]:
        sessions = {label: self._duel.session(label) for label in self._duel.labels}
        return {session.id: label for label, session in sessions.items() if session}

    def action_go(self, place: str) -> None:
        """Go to a place."""
        self.switch_mode(place)

    def action_keys(self) -> None:
        """Show the keys."""
        first = self.screen.spots() if isinstance(self.screen, Place) else ()
        self.push_screen(KeysPanel(first, advice(self._vitals)))

    # What places ask for and tell

    @on(PutOnSide)
    async def put_on_side(self, event: PutOnSide) -> None:
        """Put a variant on a side, and open the Arena where that was asked for."""
        sides = {label: variant for label, variant in self._standing.sides.items() if label != event.side}
        if event.variant:
            sides[event.side] = event.variant
        await self._stand(replace(self._standing, sides=sides))
        if event.then_open:
            self.switch_mode("arena")

    @on(ChooseForSide)
    async def choose_for_side(self, event: ChooseForSide) -> None:
        """Go to Models to choose for a side."""
        await self.switch_mode("models")
        models = self._places["models"]
        if isinstance(models, ModelsPlace):
            models.choose_for(event.side)

    @on(ArenaChanged)
    def note_arena(self, event: ArenaChanged) -> None:
        """Show in Models what the Arena has loaded and measured."""
        self._standing = replace(self._standing, loaded=event.loaded, rates=event.rates)
        models = self._places.get("models")
        if isinstance(models, ModelsPlace):
            models.show_standing(self._standing)

    async def _stand(self, standing: Standing) -> None:
        self._standing = standing
        for place in self._places.values():
            if isinstance(place, ModelsPlace):
                place.show_standing(standing)
            elif isinstance(place, ArenaPlace):
                await place.show_sides(standing.sides)

    # Machine and engine

    @work(group="machine")
    async def _watch_machine(self) -> None:
        async for sample in self._machine.samples():
            self.post_message(MachineSampled(sample, await self._sessions.list()))

    @work(group="engine")
    async def _ask_engine(self) -> None:
        try:
            self.post_message(EngineAnswered(await self._engine.info()))
        except QtuiError as error:
            self.notify(f"{error.message}\n{error.hint}", severity="error")

    @on(MachineSampled)
    def note_sample(self, event: MachineSampled) -> None:
        """Show a new sample everywhere."""
        history = self._vitals.history.add(Moment(event.sample, tuple(event.sessions)))
        self._show_vitals(replace(self._vitals, sample=event.sample, history=history))

    @on(EngineAnswered)
    def note_engine(self, event: EngineAnswered) -> None:
        """Show the engine everywhere."""
        self._show_vitals(replace(self._vitals, engine=event.engine))

    def _show_vitals(self, vitals: Vitals) -> None:
        self._vitals = vitals
        for place in self._places.values():
            place.show_vitals(vitals)

    def _fatal_error(self) -> None:
        """End with a plain message: Textual's own prints the locals of every frame."""
        self.bell()
        if self._on_crash and self._exception:  # it keeps the traceback elsewhere, and returns what to say
            self._exit_renderables.append(Text(clean(self._on_crash(self._exception))))
            self._close_messages_no_wait()
            return
        text = clean(traceback.format_exc())
        last = text.strip().rpartition("\n")[2]
        self._exit_renderables.append(Text(f"qtui crashed: {last}\n\n{text}"))
        self._close_messages_no_wait()
