"""What other qtui processes can read of a session while it works."""

from __future__ import annotations

from dataclasses import replace

from qtui.core.duel.conversation import Answer
from qtui.core.errors import Failure
from qtui.core.events import Answered, Failed, Loaded, LoadProgressed, PromptProgressed, TextArrived
from qtui.core.hardware import ProcessMemory
from qtui.core.sessions import SessionRecord, SessionState
from qtui.services.engine.bulletin import Bulletin
from qtui.services.engine.sessions import Registry

FIRST = SessionRecord("abc1", 5, 1, 4, "Tiny Q8_0", "/m/tiny.gguf")
LOADED = Loaded(0.5, {"ctx_size": 64}, 512, "file", ProcessMemory())


class Written(Registry):
    """Keeps what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[SessionRecord] = []
        self.dropped: list[str] = []

    def put(self, record: SessionRecord) -> None:
        self.records.append(record)

    def drop(self, session_id: str) -> None:
        self.dropped.append(session_id)


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def bulletin() -> tuple[Bulletin, Written, Clock]:
    registry, clock = Written(), Clock()
    return Bulletin(registry, FIRST, clock), registry, clock


def answered(rate: float | None) -> Answered:
    return Answered(Answer("hi", "", "stop", 30, 10, 12, 0.1, 30.0, rate, 42, ProcessMemory()))


def test_progress_is_written_twice_a_second_and_states_at_once() -> None:
    written, registry, clock = bulletin()
    for step in range(1, 101):
        clock.now = 100.0 + step / 100
        written.note(LoadProgressed(step / 100, step / 100))
    assert [record.progress for record in registry.records] == [None, 0.5, 1.0]
    written.note(LOADED)
    assert registry.records[-1] == written.record
    assert (written.record.state, written.record.progress) == (SessionState.READY, None)
    assert (written.record.plan, written.record.context_used) == ({"ctx_size": 64}, 0)


def test_an_answer_from_the_prompt_to_its_end() -> None:
    written, registry, clock = bulletin()
    written.note(LOADED)
    written.asked()
    assert (registry.records[-1].doing, registry.records[-1].rate) == ("reading 0 %", None)
    clock.now += 1
    written.note(PromptProgressed(15, 30))
    assert (registry.records[-1].doing, registry.records[-1].context_used) == ("reading 50 %", 15)
    written.note(PromptProgressed(30, 30))
    written.note(TextArrived("a", tokens=1))
    assert registry.records[-1].doing == "answering"  # at once: it is another state
    assert (registry.records[-1].context_used, registry.records[-1].rate) == (31, None)
    for tokens in range(2, 32):  # twenty a second
        clock.now += 0.05
        written.note(TextArrived("a", tokens=tokens))
    assert registry.records[-1].rate is not None and abs(registry.records[-1].rate - 20) < 0.01
    assert len(registry.records) < 12
    written.note(answered(19.5))
    assert (registry.records[-1].state, registry.records[-1].rate) == (SessionState.READY, 19.5)
    assert registry.records[-1].context_used == 42


def test_the_rate_is_that_of_the_last_moments() -> None:
    written, _, clock = bulletin()
    written.asked()
    written.note(TextArrived("a", tokens=1))
    rates = []
    for tokens in (101, 201, 206, 211):
        clock.now += 1
        written.note(TextArrived("a", tokens=tokens))
        rates.append(written.record.rate)
    assert rates == [100.0, 100.0, 5.0, 5.0]


def test_an_answer_too_short_for_a_rate_leaves_what_was_measured() -> None:
    written, _, _ = bulletin()
    written.asked()
    written.note(answered(None))
    assert "rate=None" in repr(written.record)
    written.note(answered(8.0))
    written.note(Failed(Failure("the context is full")))
    assert (written.record.rate, written.record.state) == (8.0, SessionState.READY)


def test_a_prompt_that_fills_a_ubatch_is_remembered() -> None:
    written, _, _ = bulletin()
    written.note(replace(LOADED, plan={"ubatch_size": 512, "batch_size": 2048}))
    for read, full in ((511, False), (512, True), (10, True)):
        answer = replace(answered(8.0).answer, prompt_tokens=read + 10)
        written.note(Answered(answer))
        assert written.record.full_prompt is full


def test_nothing_is_written_after_the_end() -> None:
    written, registry, _ = bulletin()
    written.end()
    count = len(registry.records)
    written.note(LOADED)
    written.asked()
    assert (len(registry.records), registry.dropped) == (count, ["abc1"])
