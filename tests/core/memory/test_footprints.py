from __future__ import annotations

import asyncio
from pathlib import Path

from qtui.core.errors import EngineError, PlanRefusedError, QtuiError
from qtui.core.library.variant import Variant
from qtui.core.memory.footprint import Footprint, Pools
from qtui.core.memory.footprints import Footprints, Key, Known
from qtui.core.memory.plan import LoadPlan
from qtui.core.origin import Origin, weakest

VARIANT = Variant(Path("/m/a.gguf"), "a", "Q4_K_M", size=10)


class CountingDryRun:
    """Answers when it is let, and counts the questions."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = asyncio.Event()
        self.error: QtuiError | None = None

    async def footprint(self, variant: Variant, plan: LoadPlan) -> Footprint:
        self.asked += 1
        await self.go.wait()
        if self.error:
            raise self.error
        return Footprint(plan, (), (), Pools(plan.ctx_size), 0, 0, 0, Origin.DRY_RUN)

    async def close(self) -> None: ...


async def test_many_askers_make_one_question_and_see_one_number() -> None:
    dry_run = CountingDryRun()
    store = Footprints(dry_run)
    heard: list[tuple[Key, Known]] = []
    unsubscribe = store.subscribe(lambda key, known: heard.append((key, known)))
    asks = [asyncio.create_task(store.ask(VARIANT, LoadPlan(ctx_size=5))) for _ in range(3)]
    await asyncio.sleep(0)
    asks[0].cancel()  # one that goes away does not take the answer from the others
    dry_run.go.set()
    results = await asyncio.gather(*asks, return_exceptions=True)
    assert dry_run.asked == 1 and isinstance(results[0], asyncio.CancelledError)
    assert results[1] is results[2] is store.peek(VARIANT, LoadPlan(ctx_size=5))
    assert [known for _, known in heard] == [results[1]]
    unsubscribe()
    await store.ask(VARIANT, LoadPlan(ctx_size=6))
    assert dry_run.asked == 2 and len(heard) == 1


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
    heard: list[tuple[Key, Known]] = []
    store.subscribe(lambda key, known: heard.append((key, known)))
    old = asyncio.create_task(store.ask(VARIANT, LoadPlan()))
    await asyncio.sleep(0)
    store.forget(VARIANT.path)
    new = asyncio.create_task(store.ask(VARIANT, LoadPlan()))
    await asyncio.sleep(0)
    dry_run.go.set()
    results = await asyncio.gather(old, new)
    assert dry_run.asked == 2 and results[0] is not results[1]
    assert store.peek(VARIANT, LoadPlan()) is results[1]
    assert [known for _, known in heard] == [results[1]]


def test_the_weakest_origin_counts() -> None:
    assert weakest([Origin.MEASURED, Origin.COMPUTED, Origin.DRY_RUN]) is Origin.COMPUTED
    assert weakest([]) is Origin.UNKNOWN
    assert [origin.sign for origin in Origin] == ["", "", "~", "°", "?"]


def test_pools_add_up_card_by_card() -> None:
    assert Pools(1, 2, (3,)) + Pools(10, 20, (30, 40)) == Pools(11, 22, (33, 40))
    assert Pools(1, 2, (3, 4)).total == 10
