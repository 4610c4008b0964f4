"""Proposals over the guard: confirmed by the dry run, searched again where it says more, taken into open plans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.errors import BadFileError, PlanRefusedError, QtuiError
from qtui.core.hardware import Gpu
from qtui.core.library.variant import Variant
from qtui.core.memory.closed_form.formula import ClosedForm
from qtui.core.memory.closed_form.table import ModelTable
from qtui.core.memory.fit.propose import plan_options, propose, taken
from qtui.core.memory.footprint import Footprint, Pools
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard, refusal
from qtui.core.memory.plan import ALL_LAYERS, LoadPlan
from qtui.core.memory.side_files import SideFile
from qtui.core.memory.verdict import Fit
from qtui.core.origin import Origin
from qtui.core.text import GIB, MIB
from tests.core.memory.closed_form.headers import AVX512, header_table, with_cards
from tests.fakes import FakeMachine, ScriptedEngine


class Headers:
    """Tables of shipped headers by file name."""

    async def table(self, variant: Variant) -> ModelTable:
        if variant.path.stem == "broken":
            raise BadFileError("broken")
        return header_table(variant.path.stem)

    async def side_file(self, path: str) -> SideFile:
        raise BadFileError(path)


class ComputedDryRun:
    """Says what the closed form says, and `more` bytes besides."""

    def __init__(self, formula: ClosedForm, more: Pools = Pools()) -> None:
        self._formula = formula
        self.more = more
        self.asked: list[LoadPlan] = []
        self.error: QtuiError | None = None

    async def footprint(self, variant: Variant, plan: LoadPlan) -> Footprint:
        self.asked.append(plan)
        if self.error:
            raise self.error
        computed = await self._formula.footprint(variant, plan)
        return replace(computed, origin=Origin.DRY_RUN, pools=computed.pools + self.more)

    async def recall(self, variant: Variant, plan: LoadPlan) -> Footprint | None:
        return None

    async def close(self) -> None: ...


def variant(name: str) -> Variant:
    table = header_table(name)
    trained = table.hyper.trained_context if table.hyper else None
    return Variant(Path(f"/m/{name}.gguf"), name, "Q4_K_M", size=1, layers=table.layers, context_length=trained)


def guarded(*cards: int, ram: int = 32, more: Pools = Pools()) -> tuple[Guard, ComputedDryRun]:
    """A machine with this much free; GiB, of which 1 (RAM: 1.6) is kept free."""
    engine, machine = ScriptedEngine(), FakeMachine()
    engine.engine_info = with_cards(*cards) if cards else AVX512
    machine.set(
        available=ram * GIB, gpus=tuple(Gpu(i, "A card", free * GIB, free * GIB) for i, free in enumerate(cards))
    )
    formula = ClosedForm(Headers(), engine)
    dry_run = ComputedDryRun(formula, more)
    return Guard(Footprints(dry_run, formula), machine, engine), dry_run


async def test_one_dry_run_confirms_what_the_closed_form_found() -> None:
    guard, dry_run = guarded(8)
    proposal = await propose(guard, variant("llama3.1-8b"), LoadPlan(ctx_size=65536))
    assert proposal.fits and proposal.notes == () and len(dry_run.asked) == 1
    footprint = proposal.weighing.footprint
    assert footprint is not None and footprint.origin is Origin.DRY_RUN
    assert proposal.weighing.verdict.fit is Fit.FITS and proposal.weighing.plan == dry_run.asked[0]


async def test_where_llama_cpp_needs_more_the_search_goes_on_with_less_room() -> None:
    computed = await propose(guarded(8)[0], variant("gemma3-27b"), LoadPlan())
    guard, dry_run = guarded(8, more=Pools(vram=(900 * MIB,)))
    proposal = await propose(guard, variant("gemma3-27b"), LoadPlan())
    assert proposal.fits and 1 < len(dry_run.asked) <= 3
    assert "llama.cpp needs" in proposal.notes[0] and "GPU0" in proposal.notes[0]
    assert proposal.weighing.plan.n_gpu_layers < computed.weighing.plan.n_gpu_layers


async def test_what_fits_nowhere_and_what_cannot_be_read_is_told_of_the_plan_asked() -> None:
    guard, _ = guarded(ram=3)
    proposal = await propose(guard, variant("gemma3-27b"), LoadPlan())
    assert not proposal.fits and proposal.weighing.plan.ctx_size == 8192
    assert proposal.weighing.verdict.fit in (Fit.TOO_BIG, Fit.FROM_DISK)
    guard, dry_run = guarded()
    dry_run.error = BadFileError("broken")
    broken = replace(variant("llama3.1-8b"), path=Path("/m/broken.gguf"))
    assert (await propose(guard, broken, LoadPlan())).weighing.error is not None
    dry_run.error = PlanRefusedError("not this")
    refused = await propose(guard, variant("llama3.1-8b"), LoadPlan())
    assert not refused.fits and refused.weighing.error is dry_run.error


async def test_a_plan_takes_only_what_was_chosen_otherwise() -> None:
    guard, _ = guarded(8)
    subject = variant("gemma3-27b")
    plan = LoadPlan(threads=3, preset="mine")
    asked = await guard.resolve(subject, plan)
    proposal = await propose(guard, subject, plan)
    chosen = taken(plan, proposal.weighing.plan, asked)
    assert (chosen.ctx_size, chosen.threads, chosen.preset) == (0, 3, "")
    assert await guard.resolve(subject, chosen) == replace(proposal.weighing.plan, preset="")
    assert taken(plan, asked, asked) is plan
    options = plan_options(proposal.weighing.plan).split()
    assert options[:4] == ["--ctx-size", "8192", "--n-gpu-layers", str(chosen.n_gpu_layers)]


@pytest.mark.parametrize(
    ("name", "words"), [("gemma3-27b", "of 63 layers on the GPU"), ("gpt-oss-20b", "the experts of")]
)
async def test_what_would_fit_with_other_places_is_partial_and_names_them(name: str, words: str) -> None:
    guard, _ = guarded(10)
    for weigh in (guard.estimate, guard.weigh):
        weighing = await weigh(variant(name), LoadPlan(ctx_size=4096))
        assert weighing.verdict.fit is Fit.PARTIAL and weighing.fitting is not None
        assert weighing.verdict.reason.startswith("fits with") and words in weighing.verdict.reason
        assert (await guard.weigh(variant(name), weighing.fitting)).verdict.fit is Fit.FITS
    failure = refusal(variant(name), weighing)  # as planned it would not fit, so it is not loaded so
    assert failure is not None and failure.kind == "memory" and failure.hint.startswith("--n-")


async def test_partial_counts_what_llama_cpp_needs_beyond_the_closed_form() -> None:
    guard, _ = guarded(10, more=Pools(vram=(GIB,)))
    weighing = await guard.weigh(variant("gemma3-27b"), LoadPlan(ctx_size=4096))
    assert weighing.fitting is not None
    assert (await guard.weigh(variant("gemma3-27b"), weighing.fitting)).verdict.fit is Fit.FITS


async def test_what_fits_as_planned_or_not_at_all_is_not_partial() -> None:
    for cards, ram, name, fit in (((24,), 32, "llama3.1-8b", Fit.FITS), ((2,), 6, "gemma3-27b", Fit.TOO_BIG)):
        guard, _ = guarded(*cards, ram=ram)
        weighing = await guard.weigh(variant(name), LoadPlan(n_gpu_layers=ALL_LAYERS))
        assert weighing.verdict.fit is fit and weighing.fitting is None
    guard, _ = guarded(10)
    beside = await guard.weigh(variant("gemma3-27b"), LoadPlan(), beside=Pools(0, 0, (GIB,)))
    assert beside.verdict.fit is Fit.TOO_BIG  # the question there is whether both fit as planned
