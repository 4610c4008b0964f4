"""How a blind round and the history look. `pytest --snapshot-update` takes new pictures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from qtui.core.duel.ballot import Vote
from qtui.core.duel.blind import Blinding
from tests.fakes import Reply
from tests.ui.stage import LARGE, SMALL, Stage, sees
from tests.ui.test_blind import SIZES, blind
from tests.ui.test_chat import say
from tests.ui.test_history_panel import a_record, kept_in, opened


@pytest.mark.parametrize("size", SIZES)
def test_a_blind_round_before_the_vote(
    snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(Blinding, "draw", staticmethod(lambda: Blinding(True)))
    stage = Stage()
    stage.engine.enqueue(Reply("It is **blue** because air scatters short waves more."), variant=SMALL)
    stage.engine.enqueue(Reply("It looks blue."), variant=LARGE)

    async def settle(pilot: Pilot[None]) -> None:
        await blind(pilot)
        await say(pilot, "Why is the sky blue?")
        await sees(pilot, "looks blue")

    assert snap_compare(stage.duel(), terminal_size=size, run_before=settle)


@pytest.mark.parametrize("size", SIZES)
def test_the_history(
    snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: tuple[int, int]
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    stage = Stage()
    first = replace(a_record(1, "What is 17 times 3?", "51", "It is 51."), vote=Vote.TIE)
    last = replace(
        a_record(90_000, "Why is the sky blue?", "Air scatters short waves more.", "It is not."),
        vote=Vote.A, blind=True,
    )  # fmt: skip
    asyncio.run(kept_in(stage, tmp_path, first, last))

    async def settle(pilot: Pilot[None]) -> None:
        await opened(pilot)
        await sees(pilot, "short waves")

    assert snap_compare(stage.app(), terminal_size=size, run_before=settle)
    monkeypatch.undo()
    time.tzset()
