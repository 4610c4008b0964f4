"""How the panels of the frame look. `pytest --snapshot-update` takes new pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from qtui.core.settings import Problem, Settings
from qtui.core.text import GIB
from tests.fakes import FakeSettings, Reply
from tests.ui.stage import Stage, rows_of, sees, wait_until

SETTINGS = Settings(models_dirs=(Path("~/models"), Path("/mnt/big disk/gguf")), margin_ram=2 * GIB, theme="light")
WRONG = Problem("them", "is not known to this version of qtui; it is kept. Is it meant to be theme?")


def test_settings_beside_models(snap_compare: Callable[..., bool]) -> None:
    async def settle(pilot: Pilot[None]) -> None:
        await sees(pilot, "6 files")
        await wait_until(pilot, lambda: not any("asking" in row for row in rows_of(pilot)))
        await pilot.press("comma")
        await sees(pilot, "keep free RAM")
        await pilot.press("j", "j", "j", "j", "j", "j", "enter")
        await sees(pilot, "ONE OF")

    stage = Stage(settings=FakeSettings(SETTINGS, WRONG))
    assert snap_compare(stage.app(), terminal_size=(120, 36), run_before=settle)


def test_palette(snap_compare: Callable[..., bool]) -> None:
    async def settle(pilot: Pilot[None]) -> None:
        await sees(pilot, "6 files")
        await wait_until(pilot, lambda: not any("asking" in row for row in rows_of(pilot)))
        await pilot.press("ctrl+p", *"side take off")
        await sees(pilot, "put it on side B")

    assert snap_compare(Stage().app(), terminal_size=(80, 24), run_before=settle)


def test_the_question_before_quitting(snap_compare: Callable[..., bool]) -> None:
    stage = Stage()

    async def settle(pilot: Pilot[None]) -> None:
        await sees(pilot, "answering")
        await pilot.press("ctrl+q")
        await sees(pilot, "stops:")

    stage.engine.enqueue(Reply("It is blue because air scatters short waves more", hold=asyncio.Event(), hold_after=6))
    assert snap_compare(stage.duel("Why is the sky blue?"), terminal_size=(80, 24), run_before=settle)
