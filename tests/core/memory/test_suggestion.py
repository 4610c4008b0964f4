from __future__ import annotations

from dataclasses import replace

from qtui.core.duel.remedy import plan_that_fits
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.suggestion import suggest
from qtui.core.memory.verdict import Fit
from tests.core.memory.fit.test_propose import guarded, variant


async def test_a_plan_that_fits_is_suggested_in_words() -> None:
    guard, _ = guarded(8)
    subject, plan = variant("gemma3-27b"), LoadPlan()
    weighing = await guard.weigh(subject, plan)
    found = await suggest(guard, subject, plan, weighing)
    assert found is not None and found.plan is not None and "layers on the GPU" in found.words
    assert found.plan.n_gpu_layers == found.weighing.plan.n_gpu_layers and found.plan.ctx_size == 0
    assert (await guard.weigh(subject, found.plan)).verdict.fit is Fit.FITS


async def test_a_smaller_context_is_suggested_where_the_context_is_what_is_too_much() -> None:
    guard, _ = guarded(ram=9)
    subject, plan = variant("llama3.1-8b"), LoadPlan(ctx_size=131072)
    found = await suggest(guard, subject, plan, await guard.weigh(subject, plan))
    assert found is not None and found.plan is not None and found.words.startswith("ctx ")
    assert 1024 <= found.plan.ctx_size < 131072 and found.plan.ctx_size % 256 == 0


async def test_what_fits_needs_no_suggestion_and_what_never_fits_gets_a_smaller_variant() -> None:
    guard, _ = guarded(ram=9)
    llama, big = replace(variant("llama3.1-8b"), size=5), replace(variant("gemma3-27b"), size=15)
    plan = LoadPlan()
    fits, over = await guard.weigh(llama, plan), await guard.weigh(big, plan)
    assert await suggest(guard, llama, plan, fits) is None
    found = await suggest(guard, big, plan, over, [(llama, fits)])
    assert found is not None and found.variant is llama and found.plan is None
    given = await suggest(guard, big, None, over, [(llama, fits)])  # its own preset gives the plan
    assert given is not None and given.variant is llama
    assert await suggest(guard, big, plan, over) is None


async def test_a_refused_side_is_offered_the_plan_that_fits() -> None:
    guard, _ = guarded(8)
    subject = variant("gemma3-27b")
    refused = await guard.weigh(subject, LoadPlan())
    offered = await plan_that_fits(guard, subject, refused)
    assert offered is not None and offered.verdict.fit is Fit.FITS and offered.plan.n_gpu_layers < 63
    hopeless, _ = guarded(ram=3)
    assert await plan_that_fits(hopeless, subject, await hopeless.weigh(subject, LoadPlan())) is None
