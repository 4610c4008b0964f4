"""Candidates for tests: everything that a rule may ask for, given by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qtui.core.advice.candidate import Candidate
from qtui.core.advice.evidence import Setting
from qtui.core.advice.loss import Loss
from qtui.core.gguf.facts import Experts, MixRow
from qtui.core.memory.guard import Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.speed import Speed
from qtui.core.memory.verdict import Fit, Headroom, Verdict
from qtui.core.origin import Origin
from qtui.core.text import GIB
from tests.fakes import make_facts, make_footprint, make_variant

SETTING = Setting("LLaMA 3 8B", "WikiText-2 raw, test", 512, "F16")


def quality(level: float | None, origin: Origin = Origin.PUBLISHED, against: Setting | str = SETTING) -> Loss:
    if level is None:
        return Loss(note="nothing is known")
    words = against.words if isinstance(against, Setting) else against
    return Loss(origin, level, 0.0, None, against, words)


def candidate(
    quant: str = "Q4_K_M", *, level: float | None = None, needs: float = 4.0, fit: Fit = Fit.FITS, short: float = 0.0,
    rate: float | None = None, model: str = "Tiny", mix: dict[str, float] | None = None, imatrix: bool = False,
    parameters: int = 8_000_000_000, bits: float | None = None, gpu: bool = False, simulated: bool = False,
    experts: bool = False, known: Loss | None = None, **fields: Any,
) -> Candidate:  # fmt: skip
    """Return a candidate; sizes in GiB. `mix` are shares of tensor types; None: the header was not read."""
    variant = make_variant(
        model, quant, size=int(needs * GIB), parameters=parameters, bits_per_weight=bits, **fields
    )  # fmt: skip
    plan = LoadPlan(ctx_size=8192, n_gpu_layers=12 if gpu else 0)
    footprint = make_footprint(variant, plan, total=int(needs * GIB))
    if gpu:
        pools = replace(footprint.pools, ram_anonymous=0, ram_file_backed=0, vram=(int(needs * GIB),))
        footprint = replace(footprint, pools=pools)
    room = Headroom(16 * GIB, (8 * GIB,) if gpu else (), GIB, (GIB,) if gpu else (), simulated=simulated)
    reason = {Fit.FITS: "fits", Fit.TOO_BIG: "too big"}.get(fit, fit.value)
    weighing = Weighing(plan, footprint, room, Verdict(fit, "ram", int(short * GIB), reason))
    facts = None
    if mix is not None:
        rows = tuple(
            MixRow(at, name, 1, 1, int(share * 1_000_000)) for at, (name, share) in enumerate(mix.items())
        )  # fmt: skip
        facts = make_facts(
            variant, mix=rows, imatrix={"file": "m"} if imatrix else {}, parameters=parameters, bits_per_weight=bits,
            experts=Experts(32, 4) if experts else None,
        )  # fmt: skip
    speed = Speed(rate, Origin.COMPUTED if rate else Origin.UNKNOWN)
    return Candidate(variant, weighing, facts, known or quality(level), speed)
