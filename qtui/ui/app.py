"""The app: paints its frame at once, then builds places as they are visited, and passes between them what they tell."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on, work
from textual.events import Key
from textual.screen import Screen

from qtui.core.errors import QtuiError
from qtui.core.settings import Settings
from qtui.core.text import clean
from qtui.core.themes import ThemeFile
from qtui.ui.making import Making
from qtui.ui.messages import (
    ArenaChanged,
    ChooseForSide,
    PutOnSide,
    TakeRemedy,
)
from qtui.ui.parts import ArenaStart, Parts
from qtui.ui.places.opening import Opening
from qtui.ui.places.place import Place
from qtui.ui.present.top_line import advice
from qtui.ui.vitals import Vitals

if TYPE_CHECKING:  # what places need is imported after the first paint
    from qtui.core.current_plan import CurrentPlan
    from qtui.core.duel.run import Duel
    from qtui.core.library.variant import Variant
    from qtui.core.ports import SettingsStore
    from qtui.ui.places.models import ModelsPlace
    from qtui.ui.present.models import Standing

log = logging.getLogger(__name__)

KEEPING_S = 20.0
"""How long it stands there what is kept: it is said only once."""


class QtuiApp(Making):
    """qtui in the terminal. Its sessions end with it, however it ends."""

    def __init__(
        self, parts: Callable[[], Parts], *, store: SettingsStore, start: ArenaStart | None = None, theme: str = "",
        theme_files: Iterable[ThemeFile] = (), log_level: str = "",
        on_crash: Callable[[BaseException], str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(store=store, theme=theme, theme_files=theme_files, log_level=log_level, on_crash=on_crash)
        self._make_parts = parts
        self._start = start or ArenaStart()
        self._vitals = Vitals()
        self._places: dict[str, Place] = {}
        self._duel: Duel | None = None
        self._standing: Standing
        self._models: ModelsPlace | None = None

    def get_default_screen(self) -> Screen[None]:
        """Begin with the frame of the first place, before anything that it shows is there."""
        return Opening(self._vitals, "arena" if self._start.sides else "models")

    def on_mount(self) -> None:
        """Leave everything that takes time until the frame is on the screen."""
        self.screen.call_after_refresh(self._open)

    @work(group="open")
    async def _open(self) -> None:
        """Make the parts, open the first place and begin to watch the machine."""
        try:
            self._parts = await asyncio.to_thread(self._make_parts)
        except QtuiError as error:
            self.exit(return_code=1, message=Text(clean(f"qtui: {error.message}\nhint: {error.hint}")))
            return
        from qtui.core.duel.run import Duel
        from qtui.ui.present.models import Standing

        self._duel = Duel(self._parts.engine, self._parts.guard)
        if self._parts.keeper is not None:
            self._parts.keeper.tell = self._tell_keeping
        self._standing = Standing(sides=dict(self._start.sides))
        self.start_planning(self._show_plan)
        self.add_mode("models", self._built("models", self._build_models))
        self.add_mode("arena", self._built("arena", self._build_arena))
        if self._parts.hub is not None:
            self.add_mode("hub", self._built("hub", lambda: self.build_hub(self._seen_standing(), self._variants_here)))
        self.add_mode("monitor", self._built("monitor", self._build_monitor))
        self.start_watching()
        self.start_downloading()
        self.more_problems = self._parts.problems
        self.start_following()
        self.clear_leftovers()
        opening = self.screen
        await self.switch_mode("arena" if self._start.sides else "models")
        self.opened = True
        for key in opening.typed if isinstance(opening, Opening) else ():
            self.post_message(Key(key.key, key.character))

    async def on_unmount(self) -> None:
        """End all sessions and downloads, also after a crash."""
        await self.stop_downloading()
        if self._duel is not None:
            await self._duel.close()

    def _tell_keeping(self, line: str) -> None:
        """Say what is kept, and where, when that is done for the first time; or why it is not."""
        self.notify(f"{line[:1].upper()}{line[1:]}.", timeout=KEEPING_S, markup=False)

    # Places

    def places(self) -> Sequence[Place]:
        """Return the places that are built."""
        return tuple(self._places.values())

    def _built(self, name: str, build: Callable[[], Place]) -> Callable[[], Screen[None]]:
        def factory() -> Screen[None]:
            place = self._places[name] = build()
            place.show_commands(self.keymap.commands)
            return place

        return factory

    def _build_models(self) -> Place:
        from qtui.ui.places.models import ModelsPlace

        parts = self._parts
        self._models = ModelsPlace(
            library=parts.library, guard=parts.guard, footprints=parts.footprints, current=self.current,
            folders=parts.models_dirs, vitals=self._vitals, standing=self._seen_standing(), dated=parts.dated,
            forecast=parts.forecast, keeping=parts.keeping, losses=parts.losses,
            votes=parts.votes,
        )  # fmt: skip
        return self._models

    def _build_arena(self) -> Place:
        from qtui.core.duel.steps import Steps
        from qtui.ui.places.arena import ArenaPlace

        assert self._duel is not None
        self._arena = ArenaPlace(
            duel=self._duel, current=self.current, sides=self._standing.sides, vitals=self._vitals,
            prompt=self._start.prompt, keeper=self._parts.keeper,
            steps=Steps(self._duel, self._find_variants, self._parts.forecast),
        )  # fmt: skip
        return self._arena

    def _variants_here(self) -> Sequence[Variant]:
        return tuple(self._models.shelf.variants.values()) if self._models is not None else ()

    async def _find_variants(self) -> Sequence[Variant]:
        """Return the variants of this machine, also where Models was not visited yet."""
        parts = self._parts
        return self._variants_here() or [one async for one in parts.library.scan(parts.models_dirs)]

    def _build_monitor(self) -> Place:
        from qtui.ui.places.monitor import MonitorPlace

        return MonitorPlace(sessions=self._parts.sessions, labels=self._labels, vitals=self._vitals)

    def _labels(self) -> Mapping[str, str]:
        """Return the sides of the Arena by the ids of their sessions."""
        duel = self._duel
        if duel is None:
            return {}
        sessions = [(label, duel.session(label)) for label in duel.labels]
        return {session.id: label for label, session in sessions if session is not None}

    def advice(self) -> Sequence[str]:
        """Return what is amiss with machine and engine, and what to do about it."""
        return advice(self._vitals)

    def take_settings(self, before: Settings, after: Settings) -> None:
        """Look into other folders, and keep other margins."""
        super().take_settings(before, after)
        self._parts.apply(after)
        for place in self.places():
            place.settings_changed(before, after)

    # What places ask for and tell

    @on(PutOnSide)
    async def put_on_side(self, event: PutOnSide) -> None:
        """Put a variant on a side, and open the Arena where that was asked for."""
        if event.variant is not None and event.variant.address:
            self.notify(f"{event.variant.title} is on the Hub and not here: fetch it first.", severity="warning")
            return
        sides = {label: variant for label, variant in self._standing.sides.items() if label != event.side}
        if event.variant:
            sides[event.side] = event.variant
        await self._stand(replace(self._standing, sides=sides))
        if event.then_open:
            self.switch_mode("arena")

    async def put_on_sides(self, sides: Mapping[str, Variant]) -> None:
        """Put these variants on the sides, and nothing else."""
        await self._stand(replace(self._standing, sides=dict(sides)))

    @on(ChooseForSide)
    async def choose_for_side(self, event: ChooseForSide) -> None:
        """Go to Models to choose for a side."""
        await self.switch_mode("models")
        if self._models is not None:
            self._models.choose_for(event.side)

    @on(ArenaChanged)
    def note_arena(self, event: ArenaChanged) -> None:
        """Show in Models what the Arena has loaded and measured."""
        self._standing = replace(self._standing, loaded=event.loaded, rates=event.rates, plans=event.plans)
        if event.covered != self._vitals.covered:
            self.show_vitals(replace(self._vitals, covered=event.covered))
        self._show_standing()

    async def _stand(self, standing: Standing) -> None:
        self._standing = standing
        self._show_standing()
        if self._arena is not None:
            await self._arena.show_sides(standing.sides)

    def _seen_standing(self) -> Standing:
        """Return what the places but the Arena may show of it."""
        return self._standing.covered() if self._vitals.covered else self._standing

    def _show_standing(self) -> None:
        if self._models is not None:
            self._models.show_standing(self._seen_standing())
        if self.hub_place is not None:
            self.hub_place.show_standing(self._seen_standing())

    def _show_plan(self, current: CurrentPlan) -> None:
        if self._models is not None:
            self._models.show_plan(current)
        if self.hub_place is not None:
            self.hub_place.show_plan(current)
        if self._arena is not None:
            self._arena.show_plan(current)

    @on(TakeRemedy)
    async def take_remedy(self, event: TakeRemedy) -> None:
        """Load the session of an alarm anew, under the plan that would end the alarm."""
        label = self._labels().get(event.remedy.session_id)
        if label is None or self._arena is None:
            self.notify(
                f"That session belongs to another qtui: stop it (s), and load it there with {event.remedy.words}.",
                severity="warning",
            )
            return
        await self._arena.reload(label, event.remedy.plan)
