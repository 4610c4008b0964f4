from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from qtui.core.errors import BadFileError, EngineError, PlanRefusedError, QtuiError
from qtui.core.library.variant import Variant
from qtui.core.memory.fit.scale import Probe
from qtui.core.memory.footprint import Footprint, Pools
from qtui.core.memory.footprints import Footprints, Known, difference_line
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.turns import Urgency
from qtui.core.origin import Origin, weakest

VARIANT = Variant(Path("/m/a.gguf"), "a", "Q4_K_M", size=10)


class CountingDryRun:
    """Answers when it is let, and counts the questions."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = asyncio.Event()
        self.error: QtuiError | None = None
        self.order: list[tuple[str, int]] = []
        self.remembered: dict[tuple[Path, int], Footprint] = {}
        self.remembered_error: QtuiError | None = None

    async def footprint(self, variant: Variant, plan: LoadPlan) -> Footprint:
        self.asked += 1
        self.order.append((variant.model, plan.ctx_size))
        await self.go.wait()
        if self.error:
            raise self.error
        return Footprint(plan, (), (), Pools(plan.ctx_size), 0, 0, 0, Origin.DRY_RUN)

    async def recall(self, variant: Variant, plan: LoadPlan) -> Footprint | None:
        if self.remembered_error is not None:
            raise self.remembered_error
        return self.remembered.get((variant.path, plan.ctx_size))

    async def close(self) -> None: ...


async def test_many_askers_make_one_question_and_see_one_number() -> None:
    dry_run = CountingDryRun()
    store = Footprints(dry_run)
    asks = [asyncio.create_task(store.ask(VARIANT, LoadPlan(ctx_size=5))) for _ in range(3)]
    await asyncio.sleep(0)
    asks[0].cancel()  # one that goes away does not take the answer from the others
    dry_run.go.set()
    results = await asyncio.gather(*asks, return_exceptions=True)
    assert dry_run.asked == 1 and isinstance(results[0], asyncio.CancelledError)
    assert results[1] is results[2] is store.peek(VARIANT, LoadPlan(ctx_size=5))
    await store.ask(VARIANT, LoadPlan(ctx_size=6))
    assert dry_run.asked == 2


OTHER = Variant(Path("/m/b.gguf"), "b", "Q4_K_M", size=10)


async def queued(store: Footprints, *questions: tuple[Variant, int, Urgency]) -> list[asyncio.Task[Known]]:
    """Ask in this order; the first one is with llama.cpp when this returns, the others wait."""
    tasks = []
    for variant, context, urgency in questions:
        tasks.append(asyncio.create_task(store.ask(variant, LoadPlan(ctx_size=context), urgency)))
        for _ in range(5):
            await asyncio.sleep(0)
    return tasks


async def test_the_most_urgent_question_is_put_first_and_then_one_of_the_loaded_model() -> None:
    dry_run = CountingDryRun()
    store = Footprints(dry_run)
    tasks = await queued(
        store,
        (VARIANT, 1, Urgency.AHEAD), (OTHER, 2, Urgency.AHEAD), (VARIANT, 3, Urgency.AHEAD),
        (OTHER, 4, Urgency.SCREEN), (VARIANT, 5, Urgency.SCREEN), (OTHER, 6, Urgency.NOW),
    )  # fmt: skip
    assert dry_run.order == [("a", 1)]
    dry_run.go.set()
    await asyncio.gather(*tasks)
    assert dry_run.order == [("a", 1), ("b", 6), ("b", 4), ("a", 5), ("a", 3), ("b", 2)]


async def test_a_question_that_is_asked_again_becomes_as_urgent_as_the_second_time() -> None:
    dry_run = CountingDryRun()
    store = Footprints(dry_run)
    tasks = await queued(
        store,
        (VARIANT, 1, Urgency.NOW), (VARIANT, 2, Urgency.SCREEN), (VARIANT, 3, Urgency.AHEAD),
        (VARIANT, 3, Urgency.NOW), (VARIANT, 2, Urgency.AHEAD),
    )  # fmt: skip
    dry_run.go.set()
    await asyncio.gather(*tasks)
    assert [context for _, context in dry_run.order] == [1, 3, 2]


async def test_what_nobody_waits_for_any_more_is_not_asked() -> None:
    dry_run = CountingDryRun()
    store = Footprints(dry_run)
    now = Urgency.NOW
    tasks = await queued(
        store, (VARIANT, 1, now), (VARIANT, 2, now), (VARIANT, 2, now), (VARIANT, 3, now), (VARIANT, 4, now)
    )
    for index in (1, 2, 3):
        tasks[index].cancel()
    again = await queued(store, (VARIANT, 3, now))  # wanted again after it was dropped
    tasks[0].cancel()  # llama.cpp is at it: its answer is kept
    dry_run.go.set()
    await asyncio.gather(tasks[4], *again)
    assert [context for _, context in dry_run.order] == [1, 4, 3]
    for context, known in ((1, True), (2, False)):
        assert (store.peek(VARIANT, LoadPlan(ctx_size=context)) is not None) is known


async def test_what_is_remembered_comes_while_another_question_is_on_its_way() -> None:
    dry_run = CountingDryRun()
    store = Footprints(dry_run)
    plan = LoadPlan(ctx_size=7)
    remembered = Footprint(plan, (), (), Pools(7), 0, 0, 0, Origin.DRY_RUN)
    dry_run.remembered[VARIANT.path, 7] = remembered
    waiting = await queued(store, (VARIANT, 1, Urgency.NOW))
    assert (await store.ask(VARIANT, plan, Urgency.AHEAD)).footprint is remembered
    assert dry_run.order == [("a", 1)]
    dry_run.go.set()
    await asyncio.gather(*waiting)
    dry_run.remembered_error = PlanRefusedError("refused the last time")
    assert (await store.ask(VARIANT, LoadPlan(ctx_size=8))).error is dry_run.remembered_error
    assert dry_run.order == [("a", 1)]


async def test_a_refusal_is_remembered_and_a_missing_engine_is_asked_again() -> None:
    dry_run = CountingDryRun()
    dry_run.go.set()
    store = Footprints(dry_run)
    for error, questions in ((EngineError("gone"), 2), (PlanRefusedError("no"), 3)):
        dry_run.error = error
        assert (await store.ask(VARIANT, LoadPlan())).error is error
        await store.ask(VARIANT, LoadPlan())
        assert dry_run.asked == questions
    store.forget(VARIANT.path)
    assert store.peek(VARIANT, LoadPlan()) is None


async def test_an_answer_about_a_file_that_changed_meanwhile_is_not_kept() -> None:
    dry_run = CountingDryRun()
    store = Footprints(dry_run)
    old = asyncio.create_task(store.ask(VARIANT, LoadPlan()))
    await asyncio.sleep(0)
    store.forget(VARIANT.path)
    new = asyncio.create_task(store.ask(VARIANT, LoadPlan()))
    await asyncio.sleep(0)
    dry_run.go.set()
    results = await asyncio.gather(old, new)
    assert dry_run.asked == 2 and results[0] is not results[1]
    assert store.peek(VARIANT, LoadPlan()) is results[1]


class Computing:
    """A closed form that answers at once."""

    def __init__(self, total: int = 5) -> None:
        self.asked = 0
        self.total = total
        self.error: QtuiError | None = None

    async def footprint(self, variant: Variant, plan: LoadPlan) -> Footprint:
        self.asked += 1
        if self.error:
            raise self.error
        return Footprint(plan, (), (), Pools(self.total), 0, 0, 0, Origin.COMPUTED, notes=("a note",))

    async def bind(self, variant: Variant, plan: LoadPlan) -> Probe:
        raise BadFileError("nothing to bind")


async def test_the_closed_form_comes_first_and_the_dry_run_replaces_it() -> None:
    dry_run, formula = CountingDryRun(), Computing()
    store = Footprints(dry_run, formula)
    plan = LoadPlan(ctx_size=6)
    task = asyncio.create_task(store.ask(VARIANT, plan))
    while not dry_run.asked:
        await asyncio.sleep(0)
    shown = store.peek(VARIANT, plan)
    assert shown and shown.footprint and shown.footprint.origin is Origin.COMPUTED
    assert await store.estimate(VARIANT, plan) is shown and formula.asked == 1
    dry_run.go.set()
    known = await task
    assert known.footprint and (known.footprint.total, known.footprint.origin) == (6, Origin.DRY_RUN)
    assert store.peek(VARIANT, plan) is known is await store.estimate(VARIANT, plan)
    computed = store.computed(VARIANT, plan)
    assert computed and computed.total == 5
    store.forget(VARIANT.path)
    assert store.peek(VARIANT, plan) is None and store.computed(VARIANT, plan) is None


async def test_an_estimate_asks_no_engine() -> None:
    dry_run, formula = CountingDryRun(), Computing()
    store = Footprints(dry_run, formula)
    for _ in range(2):
        assert (await store.estimate(VARIANT, LoadPlan())).footprint
    assert (dry_run.asked, formula.asked) == (0, 1)
    assert await Footprints(dry_run).estimate(VARIANT, LoadPlan()) == Known()


async def test_without_an_engine_the_closed_form_stays_and_says_so() -> None:
    dry_run, formula = CountingDryRun(), Computing()
    dry_run.go.set()
    dry_run.error = EngineError("no helper can be started")
    store = Footprints(dry_run, formula)
    known = await store.ask(VARIANT, LoadPlan())
    assert known.error is None and known.footprint is not None
    assert known.footprint.notes == ("a note", "computed only: no helper can be started")
    dry_run.error = None
    known = await store.ask(VARIANT, LoadPlan())
    assert known.footprint is not None and known.footprint.origin is Origin.DRY_RUN


async def test_what_llama_cpp_refuses_counts_whatever_was_computed() -> None:
    dry_run, formula = CountingDryRun(), Computing()
    dry_run.go.set()
    dry_run.error = PlanRefusedError("no")
    assert (await Footprints(dry_run, formula).ask(VARIANT, LoadPlan())).error is dry_run.error
    dry_run.error, formula.error = None, PlanRefusedError("wrongly refused")
    store = Footprints(dry_run, formula)
    assert (await store.estimate(VARIANT, LoadPlan())).error is formula.error
    assert (await store.ask(VARIANT, LoadPlan())).footprint is not None


@pytest.mark.parametrize(("computed", "told"), [(97, 0), (103, 0), (96, 1), (104, 1)])
async def test_a_difference_of_more_than_three_percent_is_told(computed: int, told: int) -> None:
    dry_run = CountingDryRun()
    dry_run.go.set()
    store = Footprints(dry_run, Computing(computed))
    lines: list[str] = []
    stop = store.subscribe_differences(lambda *what: lines.append(difference_line(*what)))
    await store.ask(VARIANT, LoadPlan(ctx_size=100))
    assert len(lines) == told
    assert all("4.0 % off" in line and "a Q4_K_M" in line for line in lines)
    stop()
    await store.ask(VARIANT, LoadPlan(ctx_size=1000))
    assert len(lines) == told


def test_the_weakest_origin_counts() -> None:
    assert weakest([Origin.MEASURED, Origin.COMPUTED, Origin.DRY_RUN]) is Origin.COMPUTED
    assert weakest([]) is Origin.UNKNOWN
    assert [origin.sign for origin in Origin] == ["", "", "~", "°", "?"]


def test_pools_add_up_card_by_card() -> None:
    assert Pools(1, 2, (3,)) + Pools(10, 20, (30, 40)) == Pools(11, 22, (33, 40))
    assert Pools(1, 2, (3, 4)).total == 10
