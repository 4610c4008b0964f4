"""The panels of advice, frontier and help: what they show, what their keys do, and how they look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from qtui.core.advice.loss import Losses
from qtui.core.help_pages import HelpPage
from qtui.core.settings import Problem, Settings
from qtui.core.text import GIB
from qtui.services.evidence import EvidenceFiles
from qtui.services.help_pages import read_help
from qtui.services.themes import read_themes
from qtui.ui.app import QtuiApp
from qtui.ui.panels.advice import AdvicePanel
from qtui.ui.panels.frontier import FrontierPanel
from qtui.ui.panels.help import HelpPanel
from qtui.ui.places.models import ModelsPlace
from qtui.ui.widgets.grouped_table import GroupedTable
from tests.fakes import FakeSettings, make_variant
from tests.ui.readable import hard_to_read, mixed_colours
from tests.ui.stage import Stage, models, screen_text, sees, wait_until
from tests.ui.test_hostile import HOSTILE, check_screen

QUANTS = {
    "BF16": (16.0, 16.0), "Q8_0": (8.5, 8.5), "Q5_K_M": (5.7, 5.7), "Q4_K_M": (4.9, 4.9), "UD-Q4_K_XL": (4.8, 4.8),
    "Q4_0": (5.0, 4.6), "IQ2_XXS": (2.4, 2.4),
}  # fmt: skip
SHELF = tuple(
    make_variant(
        "Alpha", quant, size=int(size * GIB), bits_per_weight=bits, parameters=8_000_000_000, context_length=32768
    )
    for quant, (size, bits) in QUANTS.items()
)  # fmt: skip


def losses(*problems: Problem) -> tuple[Losses, Sequence[Problem]]:
    return Losses(EvidenceFiles(Path("/nowhere")).load()[0]), problems


def app_on(
    *problems: Problem, pages: Callable[[], Sequence[HelpPage]] = read_help, settings: FakeSettings | None = None
) -> QtuiApp:
    stage = Stage(variants=SHELF, settings=settings or FakeSettings())
    stage.losses, stage.help_pages = lambda: losses(*problems), pages
    return stage.app()


async def opened(pilot: Pilot[None], key: str, text: str) -> None:
    await sees(pilot, "7 files, 1 model")
    await wait_until(pilot, lambda: "asking" not in screen_text(pilot))
    await pilot.press(key)
    await sees(pilot, text)


def shows(pilot: Pilot[None], kind: type[Screen[Any]]) -> bool:
    return isinstance(pilot.app.screen, kind)


def rows(pilot: Pilot[None]) -> list[str]:
    return [str(row.cells[0]) for row in pilot.app.screen.query_one(GroupedTable).rows if row.heading is None]


async def test_advice_ranks_says_why_and_goes_to_the_variant() -> None:
    async with app_on().run_test(size=(120, 36)) as pilot:
        await opened(pilot, "V", "take Alpha Q5_K_M")
        assert isinstance(pilot.app.screen, AdvicePanel)
        await wait_until(pilot, lambda: len(rows(pilot)) == 7)
        assert rows(pilot)[0] == "Q5_K_M"
        await sees(pilot, "not your model")
        await pilot.press("enter")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, AdvicePanel))
        subject = models(pilot).subject()
        assert subject is not None and subject.quant == "Q5_K_M"


async def test_the_four_fields_are_changed_by_keys_and_kept_for_the_next_time() -> None:
    async with app_on().run_test(size=(120, 36)) as pilot:
        await opened(pilot, "V", "take Alpha")
        await pilot.press("u", "u", "f", "right", "m")
        for text in ("for maths", "speed first", "context 16384", "leave free: 512 MiB"):
            await sees(pilot, text)
        await pilot.press("right", "right", "right")
        await sees(pilot, "context 32768")
        await pilot.press("escape")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, AdvicePanel))
        await pilot.press("V")
        await sees(pilot, "for maths")


async def test_the_frontier_is_drawn_and_dominated_variants_say_by_what() -> None:
    async with app_on().run_test(size=(120, 36)) as pilot:
        await opened(pilot, "F", "up: KL divergence, logarithmic")
        assert isinstance(pilot.app.screen, FrontierPanel)
        await wait_until(pilot, lambda: len(rows(pilot)) == 7)
        table = pilot.app.screen.query_one(GroupedTable)
        table.move_to_key(next(str(variant.path) for variant in SHELF if variant.quant == "Q4_0"))
        await sees(pilot, "more than Q4_K_M and is worse by °0.041")
        await pilot.press("escape")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, FrontierPanel))


async def test_problems_of_ones_own_figures_are_told() -> None:
    async with app_on(Problem("line 3: figure 1.x", "is not known", "/f.toml")).run_test(size=(120, 36)) as pilot:
        await opened(pilot, "V", "take Alpha")
        told = [notice.message for notice in pilot.app._notifications]
        assert told == ["A file of figures: /f.toml: line 3: figure 1.x is not known"]


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 15)])
async def test_panels_fit_every_size(size: tuple[int, int]) -> None:
    async with app_on().run_test(size=size) as pilot:
        await wait_until(pilot, lambda: "BF16" in screen_text(pilot))
        for key, kind in (("V", AdvicePanel), ("F", FrontierPanel), ("H", HelpPanel)):
            await pilot.press(key)
            await wait_until(pilot, partial(shows, pilot, kind))
            await sees(pilot, {"V": "which of Alpha", "F": "Frontier of Alpha", "H": "What the names mean"}[key])
            await pilot.press("escape")
            await wait_until(pilot, partial(shows, pilot, ModelsPlace))


async def test_help_pages_turn_and_scroll() -> None:
    async with app_on().run_test(size=(80, 24)) as pilot:
        await opened(pilot, "H", "Types and mixes")
        await pilot.press("right")
        await sees(pilot, "The size of a file is only the first line of what it needs")
        await pilot.press("left", "left")
        await sees(pilot, "What circulates about quants")
        await pilot.press("G")
        await sees(pilot, "huggingface_hub, release 1.0")


@pytest.mark.parametrize("theme", [file.name for file in read_themes(Path("/nowhere")) if file.shipped])
async def test_panels_can_be_read_in_every_theme(theme: str) -> None:
    async with app_on(settings=FakeSettings(Settings(theme=theme))).run_test(size=(80, 24)) as pilot:
        for key, text in (("V", "take Alpha"), ("F", "up: KL"), ("H", "Types and mixes")):
            await opened(pilot, key, text)
            colours = mixed_colours if pilot.app.current_theme.ansi else hard_to_read
            assert colours(pilot) == set(), key
            await pilot.press("escape")


async def test_hostile_names_and_figures_do_nothing() -> None:
    shelf = tuple(
        make_variant("Alpha", "Q4_K_M", size=(number + 1) * GIB, path=Path(f"/models/{number}.gguf"))
        for number in range(len(HOSTILE))
    )
    shelf = tuple(replace(one, quant=text) for one, text in zip(shelf, HOSTILE.values(), strict=True))
    wrong = tuple(Problem(text, text, text) for text in HOSTILE.values())
    stage = Stage(variants=shelf, losses=lambda: losses(*wrong))
    async with stage.app().run_test(size=(80, 24), notifications=True) as pilot:
        await sees(pilot, f"{len(shelf)} files")
        await wait_until(pilot, lambda: "asking" not in screen_text(pilot))
        await pilot.press("g")
        for key in ("V", "F"):
            await pilot.press(key)
            await wait_until(pilot, lambda: len(rows(pilot)) == len(shelf))
            for _ in range(len(shelf)):
                await pilot.press("j")
                check_screen(pilot)
            await pilot.press("escape")
            await wait_until(pilot, partial(shows, pilot, ModelsPlace))
