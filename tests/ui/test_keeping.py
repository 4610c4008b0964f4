"""What is kept of rounds is said in the app, the first time that anything is."""

from __future__ import annotations

from pathlib import Path

from qtui.core.duel.keeper import Keeper
from qtui.services.history import HistoryFile
from qtui.services.rounds import RoundsFile
from tests.fakes import FakeHashes, ScriptedEngine
from tests.ui.stage import Stage, told, wait_until
from tests.ui.test_arena_place import both_ready
from tests.ui.test_chat import say


async def test_the_first_round_says_what_is_kept_where_and_how_to_change_that(tmp_path: Path) -> None:
    for start in range(2):
        stage = Stage()
        store = RoundsFile(HistoryFile(tmp_path / "history.sqlite3"))
        stage.keeper = Keeper(store, FakeHashes(), ScriptedEngine())
        async with stage.duel().run_test(size=(100, 30)) as pilot:
            await both_ready(pilot)
            await say(pilot, "why")
            if start == 0:
                await told(pilot, "Prompts, answers and numbers are kept in")
                await told(pilot, "history.keep = all, numbers or nothing")
            await wait_until(pilot, lambda: not any(worker.group == "ballots" for worker in pilot.app.workers))
            said = [notice for notice in pilot.app._notifications if "are kept in" in notice.message]
            assert len(said) == (start == 0)
