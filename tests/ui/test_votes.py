"""Votes in the Arena: keys once both have answered, the sentence that follows, and what is kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

from qtui.core.duel.ballot import Vote
from qtui.core.duel.conversation import DUEL_SAMPLING
from qtui.core.duel.keeper import Keeper
from qtui.core.duel.records import RoundRecord
from qtui.core.duel.run import RoundEnded
from qtui.core.library.variant import Variant
from qtui.services.history import HistoryFile
from qtui.services.rounds import RoundsFile
from qtui.ui.places.ballots import Ballots
from tests.core.duel.test_curtain import a_round
from tests.fakes import FakeHashes, Reply, ScriptedEngine
from tests.ui.stage import LARGE, SMALL, Stage, arena, told, wait_until
from tests.ui.test_chat import rested, say


def two_answers(stage: Stage, rounds: int = 1) -> None:
    for number in range(rounds):
        stage.engine.enqueue(Reply(f"one {number}"), variant=SMALL)
        stage.engine.enqueue(Reply(f"two {number}"), variant=LARGE)


async def test_a_vote_is_one_key_and_tells_what_follows() -> None:
    stage = Stage()
    two_answers(stage, 2)
    async with stage.duel(A=SMALL, B=LARGE).run_test(size=(120, 36)) as pilot:
        await say(pilot, "why")
        await pilot.press("a")
        await told(pilot, f"1 of 1 for A {SMALL.quant}: not enough to tell; 5 more in a row for it would be")
        await pilot.press("b")  # a round has one vote
        await say(pilot, "and")
        await pilot.press("=")
        await told(pilot, "counted apart: 1 tie")


async def test_identical_answers_and_single_chats_ask_for_no_vote() -> None:
    stage = Stage()
    async with stage.duel(A=SMALL, B=LARGE).run_test(size=(120, 36)) as pilot:
        await say(pilot, "why")
        assert not arena(pilot)._ballots.open
        await pilot.press("x")
        await rested(pilot)
        assert not any("both were bad" in notice.message for notice in pilot.app._notifications)


async def test_rounds_and_votes_of_the_arena_are_kept(tmp_path: Path) -> None:
    stage = Stage()
    store = RoundsFile(HistoryFile(tmp_path / "history.sqlite3"))
    two_answers(stage)
    async with stage.duel(A=SMALL, B=LARGE).run_test(size=(120, 36)) as pilot:
        await rested(pilot)
        arena(pilot)._ballots = Ballots(Keeper(store, FakeHashes(), ScriptedEngine()))
        await say(pilot, "why")
        await pilot.press("b")
        kept: list[RoundRecord] = []

        async def look() -> bool:
            kept[:] = await store.rounds()
            return bool(kept and kept[0].vote)

        for _ in range(200):
            await pilot.pause()
            if await look():
                break
        assert [(record.prompt, record.vote) for record in kept] == [("why", Vote.B)]
        assert [side.text for side in kept[0].sides] == ["one 0", "two 0"]
        await wait_until(pilot, lambda: not arena(pilot)._ballots.open)


async def test_a_vote_is_kept_also_where_the_next_round_comes_before_the_record() -> None:
    begun, hold, voted = asyncio.Event(), asyncio.Event(), list[tuple[str, Vote]]()

    class SlowHashes(FakeHashes):
        async def hash(self, variant: Variant) -> str:
            begun.set()
            await hold.wait()
            return await super().hash(variant)

    class Votes(Keeper):
        async def keep(self, record: RoundRecord) -> bool:
            return True

        async def vote(self, round_id: str, vote: Vote) -> None:
            voted.append((round_id, vote))

    ended = (await a_round(Reply("one"), Reply("two")))[-1]
    assert isinstance(ended, RoundEnded)
    ballots = Ballots(Votes(RoundsFile(HistoryFile(Path("/nowhere"))), SlowHashes(), ScriptedEngine()))
    ballots.take(ended)
    keeping = asyncio.create_task(ballots.keep(ended, DUEL_SAMPLING, ""))
    await begun.wait()
    await ballots.vote(Vote.B)
    ballots.forget()
    hold.set()
    await keeping
    assert [vote for _, vote in voted] == [Vote.B]
