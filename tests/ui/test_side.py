from __future__ import annotations

from qtui.core.duel.conversation import Answer
from qtui.core.duel.run import SideHappened, SideUnloaded, SideWaits
from qtui.core.errors import Failure
from qtui.core.events import Answered, Failed, Loaded, LoadProgressed, PromptProgressed, SessionEvent, TextArrived
from qtui.core.hardware import ProcessMemory
from qtui.ui.side import Phase, Side
from tests.ui.stage import SMALL

LOADED = Loaded(0.5, {}, 512, "file", ProcessMemory())


def answered(reason: str = "stop") -> Answered:
    return Answered(Answer("text", "", reason, 4, 0, 7, 0.1, 100.0, 40.0, 42, ProcessMemory()))


def play(*events: SessionEvent) -> Side:
    side = Side("A").put(SMALL)
    for event in events:
        side = side.advance(SideHappened("A", event))
    return side


def test_a_side_goes_through_its_phases() -> None:
    assert Side("A").put(None).phase is Phase.EMPTY
    assert play().phase is Phase.PUT
    assert play(LoadProgressed(0.43, 1.0)).fraction == 0.43
    assert play(LOADED).phase is Phase.READY
    assert play(LOADED, PromptProgressed(512, 2048)).phase is Phase.READING
    assert play(LOADED, TextArrived("hm", thinking=True, tokens=1)).phase is Phase.THINKING
    writing = play(LOADED, TextArrived("a", tokens=3))
    assert (writing.phase, writing.done) == (Phase.ANSWERING, 3)
    assert play(LOADED, answered()).phase is Phase.ANSWERED
    assert play(LOADED, answered("cancelled")).phase is Phase.STOPPED


def test_a_failure_tells_whether_the_session_is_gone() -> None:
    failure = Failure("no", kind="engine")
    assert play(LOADED, Failed(failure)).phase is Phase.FAILED
    died = play(LOADED, Failed(failure, fatal=True))
    assert (died.phase, died.loaded, died.failure) == (Phase.DIED, None, failure)
    assert play(Failed(failure)).phase is Phase.DIED
    assert play(LoadProgressed(0.1, 0.1), Failed(Failure("", kind="cancelled"), fatal=True)).phase is Phase.STOPPED


def test_in_turn_a_side_waits_makes_room_and_keeps_its_numbers() -> None:
    side = play(LOADED, answered()).advance(SideUnloaded("A"))
    assert (side.phase, side.loaded) == (Phase.UNLOADED, None)
    assert side.answer is not None
    waiting = play(LOADED).advance(SideWaits("A", "B"))
    assert (waiting.phase, waiting.waits_for) == (Phase.WAITING, "B")
    assert waiting.advance(SideUnloaded("A")).phase is Phase.WAITING
    assert waiting.rested().phase is Phase.READY
    assert play().advance(SideWaits("A", "B")).rested().phase is Phase.PUT


def test_a_new_round_forgets_the_last_one() -> None:
    side = play(LOADED, answered()).asked()
    assert (side.answer, side.failure, side.done) == (None, None, 0)


def test_what_was_cut_off_is_stopped_when_nothing_runs() -> None:
    assert play(LOADED, PromptProgressed(1, 2)).rested().phase is Phase.STOPPED
    assert play(LOADED, answered()).rested().phase is Phase.ANSWERED
