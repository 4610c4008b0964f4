"""The suite run over the scripted engine: what is asked of whom, what is kept, and what survives."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from qtui.core.duel.measured import REPEATS
from qtui.core.duel.run import SideHappened
from qtui.core.duel.suite.checks import Check, Choice, Exact, Mark, Number, Opposite, Pattern
from qtui.core.duel.suite.judging import judge
from qtui.core.duel.suite.needle import SAMPLES
from qtui.core.duel.suite.score import Result
from qtui.core.duel.suite.task import Needle, Suite, Task
from qtui.core.duel.suite_run import (
    NO_TEMPLATE,
    NO_YARDSTICK,
    SuiteBegins,
    SuiteEnded,
    SuiteEvent,
    SuiteRun,
    TaskMarked,
    TaskRepeated,
)
from qtui.core.errors import Failure
from qtui.core.events import Failed, TextArrived
from tests.core.duel.test_run import BIG, DIED, SMALL, World
from tests.fakes import LoadScript, Reply


class PlainJudge:
    """Judges in this process, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Check] = []

    async def judge(self, check: Check, answer: str) -> Mark:
        self.asked.append(check)
        return judge(check, answer)


def suite(*tasks: Task) -> Suite:
    return Suite("mine", "Mine", tasks)


SUM = Task("sum", "logic", "What is 2 + 2?", Number(4))
SKY = Task("sky", "logic", "Colour of the sky?", Exact(("blue",)))
WET = Task("wet", "consistency", "Is water wet?", Opposite(), opposite="Is water not wet?")
PICK = Task("pick", "choice", "The sky is", Choice(0), options=(" blue", " green"), raw=True)
FORM = Task("form", "format", "A year.", Pattern(r"^\d{4}$"))


async def run(world: World, *tasks: Task, known: Sequence[Result] = (), raw: bool = False) -> list[SuiteEvent]:
    await world.put()
    try:
        return [event async for event in SuiteRun(world.duel, PlainJudge(), raw=raw).run(suite(*tasks), known)]
    finally:
        await world.duel.close()


def ended(events: list[SuiteEvent]) -> SuiteEnded:
    assert isinstance(events[-1], SuiteEnded)
    return events[-1]


def marks(events: list[SuiteEvent]) -> dict[tuple[str, str], bool | None]:
    return {(result.task, result.side): result.mark.right for result in ended(events).results}


async def test_every_task_is_put_to_both_sides_and_judged() -> None:
    world = World()
    world.engine.enqueue(Reply("It is 4."), Reply("blue"), Reply("Yes"), Reply("No"), variant=BIG)
    world.engine.enqueue(Reply("five"), Reply("green"), Reply("Yes"), Reply("yes"), variant=SMALL)
    events = await run(world, SUM, SKY, WET, PICK)
    assert marks(events) == {
        ("sum", "A"): True, ("sum", "B"): False, ("sky", "A"): True, ("sky", "B"): False,
        ("wet", "A"): True, ("wet", "B"): False, ("pick", "A"): True, ("pick", "B"): True,
    }  # fmt: skip
    told = ended(events)
    assert told.score.total.pairs.only_first == 3
    assert [group.group for group in told.score.groups] == ["logic", "consistency", "choice"]
    by_key = {(result.task, result.side): result for result in told.results}
    assert by_key["wet", "B"].mark.reason == "yes to both the question and its opposite"
    assert by_key["wet", "A"].answer == "Yes\n---\nNo"
    assert by_key["pick", "A"].answer == "blue"


async def test_each_task_is_a_conversation_of_its_own_from_an_empty_cache_with_its_own_limit() -> None:
    world = World()
    await run(world, replace(SUM, max_tokens=7), SKY)
    requests = world.engine.sessions[0].requests
    assert [len(request.messages) for request in requests] == [1, 1]
    assert [request.sampling.max_tokens for request in requests] == [7, 512]
    assert not any(request.reuse_prefix for request in requests)
    assert world.duel.sampling.max_tokens is None


async def test_each_task_has_a_seed_of_its_own_which_both_sides_share() -> None:
    world = World()
    await run(world, SUM, SKY)
    seeds = [[request.sampling.seed for request in session.requests] for session in world.engine.sessions]
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 2


async def test_the_order_of_sides_is_drawn_anew() -> None:
    world = World()
    tasks = [replace(SUM, id=f"t{number}") for number in range(16)]
    await run(world, *tasks)
    asked = [quant for what, quant in world.engine.journal if what == "ask"]
    firsts = asked[::2]
    assert set(firsts) == {"Q8_0", "Q2_K"}
    assert all({first, second} == {"Q8_0", "Q2_K"} for first, second in zip(firsts, asked[1::2], strict=True))


async def test_where_both_do_not_fit_one_side_does_all_and_then_the_other() -> None:
    world = World()
    world.fits_one()
    events = await run(world, SUM, SKY, PICK)
    assert world.computing() == [
        "load Q8_0", "ask Q8_0", "answered Q8_0", "ask Q8_0", "answered Q8_0", "close Q8_0",
        "load Q2_K", "ask Q2_K", "answered Q2_K", "ask Q2_K", "answered Q2_K", "close Q2_K",
    ]  # fmt: skip
    assert len(ended(events).results) == 6


async def test_a_session_that_dies_is_loaded_again_and_the_task_repeated() -> None:
    world = World()
    world.engine.enqueue(Reply("4"), Reply("half", failure=DIED, fatal=True), Reply("blue"), variant=SMALL)
    events = await run(world, SUM, SKY)
    assert [(event.task, event.side) for event in events if isinstance(event, TaskRepeated)] == [("sky", "B")]
    assert marks(events)["sky", "B"] is True
    asked = [quant for what, quant in world.engine.journal if what == "ask"]
    assert asked.count("Q8_0") == 2


async def test_a_task_that_kills_its_session_again_and_again_is_not_judged_and_the_rest_runs() -> None:
    world = World()
    world.engine.enqueue(*[Reply(failure=DIED, fatal=True)] * (REPEATS + 1), Reply("blue"), variant=SMALL)
    events = await run(world, SUM, SKY)
    assert marks(events)["sum", "B"] is None
    assert marks(events)["sky", "B"] is True
    assert ended(events).score.groups[0].not_judged == 1
    assert ended(events).failure is None


async def test_options_are_weighed_again_by_a_fresh_session_when_one_died() -> None:
    world = World()
    deaths = [Failed(DIED, fatal=True)]

    def scorer(_prompt: str, options: Sequence[str]) -> Sequence[float] | Failed:
        return deaths.pop() if deaths else [-2.0, -1.0]

    world.engine.scorers[SMALL.path] = scorer
    events = await run(world, PICK)
    assert marks(events) == {("pick", "A"): True, ("pick", "B"): False}
    assert any(isinstance(event, TaskRepeated) for event in events)
    wrong = next(result for result in ended(events).results if result.side == "B")
    assert wrong.mark.reason == "finds “green” the likeliest"


async def test_a_prompt_beyond_the_context_is_not_judged_and_said() -> None:
    world = World()
    beyond = Failure("the prompt has 9000 tokens and the context 4096", "load it with more", "prompt")
    world.engine.enqueue(Reply("", failure=beyond), variant=BIG)
    events = await run(world, SUM, SKY)
    first = next(result for result in ended(events).results if (result.task, result.side) == ("sum", "A"))
    assert first.mark == Mark(None, "not answered: the prompt has 9000 tokens and the context 4096")
    assert not any(isinstance(event, TaskRepeated) for event in events)


async def test_a_model_without_a_template_is_asked_only_what_continues_a_text() -> None:
    world = World()
    world.engine.loads[SMALL.path] = LoadScript(template="chatml")
    world.engine.enqueue(Reply("4"), variant=BIG)
    events = await run(world, SUM, PICK)
    assert marks(events)["sum", "B"] is None
    assert marks(events)["pick", "B"] is True
    assert next(r for r in ended(events).results if r.mark.right is None).mark.reason == NO_TEMPLATE
    assert marks(await run_raw())["sum", "B"] is True


async def run_raw() -> list[SuiteEvent]:
    world = World()
    world.engine.loads[SMALL.path] = LoadScript(template="chatml")
    world.engine.default = Reply("4")
    events = await run(world, SUM, raw=True)
    assert {request.raw for session in world.engine.sessions for request in session.requests} == {SUM.prompt}
    return events


async def test_a_run_is_taken_up_where_it_was_left() -> None:
    world = World()
    known = [Result("sum", "logic", "A", Mark(True)), Result("sum", "logic", "B", Mark(False)),
             Result("sky", "logic", "A", Mark(True)), Result("gone", "logic", "A", Mark(True))]  # fmt: skip
    world.engine.default = Reply("blue")
    events = await run(world, SUM, SKY, known=known)
    assert events[0] == SuiteBegins(2, ("A", "B"), 3)
    assert [quant for what, quant in world.engine.journal if what == "ask"] == ["Q2_K"]
    assert marks(events) == {("sum", "A"): True, ("sum", "B"): False, ("sky", "A"): True, ("sky", "B"): True}


async def test_what_is_complete_loads_nothing() -> None:
    world = World()
    known = [Result("sum", "logic", side, Mark(True)) for side in "AB"]
    events = await run(world, SUM, known=known)
    assert world.engine.journal == []
    assert ended(events).score.total.scores == (10.0, 10.0)


async def test_a_stop_keeps_what_is_judged_and_leaves_the_rest_for_later() -> None:
    world = World()
    await world.put()
    hold = asyncio.Event()
    world.engine.enqueue(Reply("4"), Reply("blue and more", hold=hold), variant=BIG)
    world.engine.enqueue(Reply("4"), Reply("blue and more", hold=hold), variant=SMALL)
    events: list[SuiteEvent] = []
    begun = 0
    async for event in SuiteRun(world.duel, PlainJudge()).run(suite(SUM, SKY)):
        events.append(event)
        begun += isinstance(event, SideHappened) and isinstance(event.event, TextArrived)
        if begun == 3:
            begun += 1
            await world.duel.stop()
    await world.duel.close()
    assert ended(events).stopped
    assert marks(events) == {("sum", "A"): True, ("sum", "B"): True}


async def test_time_left_is_what_the_groups_took_so_far() -> None:
    ticks = iter(range(0, 10_000, 10))
    world = World()
    await world.put()
    tasks = [replace(SUM, id=f"t{number}") for number in range(4)]
    events = [
        event async for event in SuiteRun(world.duel, PlainJudge(), clock=lambda: float(next(ticks))).run(suite(*tasks))
    ]
    await world.duel.close()
    left = [event.left_s for event in events if isinstance(event, TaskMarked)]
    assert left == [35.0, 30.0, 25.0, 20.0, 15.0, 10.0, 5.0, 0.0]
    assert [event.done for event in events if isinstance(event, TaskMarked)] == list(range(1, 9))


async def test_a_side_that_cannot_be_loaded_ends_it_with_its_reason() -> None:
    world = World()
    world.engine.loads[SMALL.path] = LoadScript(failure=Failure("no such file", kind="bad_file"))
    events = await run(world, SUM)
    assert ended(events).failure == Failure("no such file", kind="bad_file")
    assert ended(events).results == ()


async def test_long_documents_are_made_for_the_smaller_context() -> None:
    world = World()
    task = Task(
        "n", "long", "Which bird?", Exact(("heron",)), needle=Needle("The bird is a heron.", 0.5, 0.5), max_tokens=20
    )
    world.engine.enqueue(Reply("x"), Reply("heron"), variant=BIG)
    world.engine.enqueue(Reply("heron"), variant=SMALL)
    events = await run(world, task)
    assert marks(events) == {("n", "A"): True, ("n", "B"): True}
    first = world.engine.sessions[0].requests
    assert first[0].raw is not None
    assert first[0].sampling.max_tokens == 1
    said = first[1].messages[0].content
    assert "The bird is a heron." in said
    # The scripted tokenizer has four characters a token, and the context is 4096.
    assert 0.45 < len(said) / 4 / 4096 < 0.55
    assert said == world.engine.sessions[1].requests[0].messages[0].content


NEEDLE = Task("n", "long", "Which bird?", Exact(("heron",)), needle=Needle("The bird is a heron.", 0.5, 0.5))
BEYOND = Failure("the prompt has 600 tokens and the context 512", "load it with more", "prompt")


async def test_where_the_context_is_small_fewer_sentences_are_counted() -> None:
    world = World()
    world.engine.enqueue(Reply("", failure=BEYOND), Reply("x"), Reply("heron"), variant=BIG)
    world.engine.enqueue(Reply("heron"), variant=SMALL)
    events = await run(world, NEEDLE)
    assert marks(events) == {("n", "A"): True, ("n", "B"): True}
    counted = [str(request.raw).count(".") for request in world.engine.sessions[0].requests[:2]]
    assert counted == list(SAMPLES)
    assert "The bird is a heron." in world.engine.sessions[1].requests[0].messages[0].content


async def test_a_document_that_cannot_be_made_is_not_asked_without() -> None:
    world = World()
    world.engine.enqueue(*[Reply("", failure=BEYOND)] * len(SAMPLES), variant=BIG)
    events = await run(world, NEEDLE, SUM)
    told = [result.mark for result in ended(events).results if result.task == "n"]
    assert told == [Mark(None, NO_YARDSTICK)] * 2
    assert set(marks(events)) == {("n", "A"), ("n", "B"), ("sum", "A"), ("sum", "B")}


async def test_what_fails_while_it_is_stopped_is_left_for_later() -> None:
    world = World()
    await world.put()
    hold = asyncio.Event()
    world.engine.enqueue(Reply("4", hold=hold, failure=Failure("cut off", kind="cancelled")), variant=BIG)
    world.engine.enqueue(Reply("4", hold=hold, failure=Failure("its pipe broke", kind="io")), variant=SMALL)
    events: list[SuiteEvent] = []
    async for event in SuiteRun(world.duel, PlainJudge()).run(suite(SUM)):
        events.append(event)
        if isinstance(event, SideHappened) and isinstance(event.event, TextArrived):
            await world.duel.stop()
            hold.set()
    await world.duel.close()
    assert ended(events).stopped
    assert ended(events).results == ()


async def test_what_may_loop_is_judged_elsewhere() -> None:
    world = World()
    await world.put()
    judges = PlainJudge()
    world.engine.default = Reply("2024")
    async for _ in SuiteRun(world.duel, judges).run(suite(SUM, FORM)):
        pass
    await world.duel.close()
    assert judges.asked == [FORM.check, FORM.check]
