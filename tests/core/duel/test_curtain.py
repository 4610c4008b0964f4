"""The curtain of blind rounds: what comes through it, and when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qtui.core.duel.ballot import Vote
from qtui.core.duel.blind import Blinding
from qtui.core.duel.curtain import Curtain
from qtui.core.duel.run import Duel, DuelEvent, RoundEnded, SideHappened
from qtui.core.events import Answered, Failed, LoadProgressed, TextArrived
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadPlan
from tests.fakes import FakeDryRun, FakeMachine, Reply, ScriptedEngine, make_variant

SMALL, LARGE = make_variant(quant="Q4_K_M"), make_variant(quant="Q8_0")


async def a_round(*replies: Reply) -> list[DuelEvent]:
    engine = ScriptedEngine()
    for reply, variant in zip(replies, (SMALL, LARGE), strict=True):
        engine.enqueue(reply, variant=variant)
    duel = Duel(engine, Guard(Footprints(FakeDryRun()), FakeMachine(), engine))
    await duel.put("A", SMALL, LoadPlan())
    await duel.put("B", LARGE, LoadPlan())
    return [event async for event in duel.ask("why")]


def lowered(monkeypatch: pytest.MonkeyPatch, *, swapped: bool) -> Curtain:
    monkeypatch.setattr(Blinding, "draw", staticmethod(lambda: Blinding(swapped)))
    curtain = Curtain()
    curtain.lower()
    return curtain


async def test_while_it_is_up_everything_passes_at_once() -> None:
    curtain = Curtain()
    for event in await a_round(Reply("one"), Reply("two")):
        assert curtain.pass_on(event) == (event,)
    assert curtain.lift() == ()


async def test_both_answers_come_out_together_with_the_end_of_the_round(monkeypatch: pytest.MonkeyPatch) -> None:
    curtain = lowered(monkeypatch, swapped=True)
    events = await a_round(Reply("one"), Reply("two"))
    *before, last = [curtain.pass_on(event) for event in events]
    assert not any(before)
    kept = [e for e in events if not (isinstance(e, SideHappened) and isinstance(e.event, LoadProgressed))]
    assert [event for event in last if event in kept] == list(last)
    assert [e.event.answer.text for e in last if isinstance(e, SideHappened) and isinstance(e.event, Answered)] == [
        "one", "two"
    ]  # fmt: skip
    assert isinstance(last[-1], RoundEnded)
    assert curtain.down


async def test_a_round_that_cannot_be_voted_on_is_seen_only_when_it_is_lifted(monkeypatch: pytest.MonkeyPatch) -> None:
    curtain = lowered(monkeypatch, swapped=False)
    events = await a_round(Reply("one"), Reply("two"))
    end = events[-1]
    assert isinstance(end, RoundEnded)
    halved = replace(end, sides=(end.sides[0], replace(end.sides[1], answer=None)))
    for event in events[:-1]:
        assert curtain.pass_on(event) == ()
    assert curtain.pass_on(halved) == (halved,)
    assert any(isinstance(e, SideHappened) and isinstance(e.event, TextArrived) for e in curtain.lift())
    assert not curtain.down


async def test_asking_again_forgets_the_round_that_nobody_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    curtain = lowered(monkeypatch, swapped=False)
    for event in (await a_round(Reply("one"), Reply("two")))[:-1]:
        curtain.pass_on(event)
    curtain.begin_round()
    left = [event.event for event in curtain.lift() if isinstance(event, SideHappened)]
    assert left
    assert not any(isinstance(event, TextArrived | Answered | Failed) for event in left)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_vote_for_a_place_is_one_for_the_side_that_stands_there(
    monkeypatch: pytest.MonkeyPatch, swapped: bool
) -> None:
    curtain = lowered(monkeypatch, swapped=swapped)
    assert curtain.vote(Vote.A) is (Vote.B if swapped else Vote.A)
    assert curtain.vote(Vote.TIE) is Vote.TIE
    curtain.lift()
    assert curtain.vote(Vote.A) is Vote.A
