"""Our numbers against llama-perplexity's, and files of logits both ways, on two really trained models."""

from __future__ import annotations

import asyncio
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from qtui.core.measure.messages import ChunkMeasured, MeasureJob, Task
from qtui.core.measure.scores import Scores, scores_of
from qtui.core.memory.plan import LoadPlan
from qtui.core.quantise.recipe import Recipe
from qtui.services.engine.measure import ChildMeasurer
from qtui.services.engine.quantise import quantise
from qtui.services.texts import SHIPPED

pytestmark = [pytest.mark.oracle, pytest.mark.slow]
TEXT = SHIPPED / "demo.txt"
CHUNKS = 4
PLAN = LoadPlan(ctx_size=512, batch_size=512, ubatch_size=512, threads=2, threads_batch=2).as_json()
_ESTIMATE = re.compile(r"Final estimate: PPL = ([\d.]+) \+/- ([\d.]+)")


@dataclass(frozen=True)
class Family:
    """A model with its quants, the first of which is the reference."""

    files: dict[str, Path]

    @property
    def reference(self) -> Path:
        return next(iter(self.files.values()))


def family(source: Path, name: str, kinds: tuple[str, ...], folder: Path) -> Family:
    files = {name: source, **{kind: folder / f"{kind}.gguf" for kind in kinds}}

    async def make() -> None:
        for kind in kinds:
            async for _ in quantise(source, files[kind], Recipe(kind)):
                pass

    asyncio.run(make())
    return Family(files)


@pytest.fixture(scope="module", params=["demo", "stories"])
def them(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Family:
    folder = tmp_path_factory.mktemp("quants")
    if request.param == "demo":
        return family(request.getfixturevalue("demo_f16"), "F16", ("Q8_0", "Q4_K_M", "Q2_K"), folder)
    return family(request.getfixturevalue("stories"), "F32", ("Q8_0", "Q5_0", "Q4_0"), folder)


def perplexity(oracle: Path, end: str, *arguments: str) -> str:
    """Return what the tool prints; on a busy machine it sometimes ends before its log's last lines are out."""
    for _ in range(100):
        done = subprocess.run(
            [oracle / "llama-perplexity", "-t", "2", *arguments], capture_output=True, text=True, check=True, timeout=60
        )
        if end in done.stdout + done.stderr:
            return done.stdout + done.stderr
    raise AssertionError(f"no {end!r}: {done.stdout[-2000:]}")


def number(text: str, name: str) -> float:
    found = re.search(rf"{re.escape(name)}\s*:\s*(-?[\d.]+)", text)
    assert found, text[-3000:]
    return float(found[1])


async def measured(job: MeasureJob) -> Scores:
    chunks = [event.scores async for event in ChildMeasurer().run(job) if isinstance(event, ChunkMeasured)]
    told = scores_of(chunks)
    assert told is not None
    return told


async def ours(model: Path, base: Path) -> Scores:
    return await measured(MeasureJob(Task.COMPARE, str(model), n_ctx=512, plan=PLAN, base=str(base)))


def agree(mine: Scores, said: str) -> None:
    """Compare with what llama-perplexity printed: 1e-4 relative for perplexity, 1e-4 for divergence."""
    divergence, same = mine.kl_divergence, mine.same_top
    assert divergence and same and mine.log_ratio and mine.reference_perplexity and mine.rms_p
    assert mine.perplexity.value == pytest.approx(number(said, "Mean PPL(Q)"), rel=1e-4)
    assert mine.reference_perplexity.value == pytest.approx(number(said, "Mean PPL(base)"), rel=1e-4)
    assert mine.log_ratio.value == pytest.approx(number(said, "Mean ln(PPL(Q)/PPL(base))"), abs=1e-4)
    assert divergence.mean == pytest.approx(number(said, "Mean    KLD"), abs=1e-4)
    assert divergence.median == pytest.approx(number(said, "Median  KLD"), abs=1e-4)
    assert divergence.p99 == pytest.approx(number(said, "99.0%   KLD"), abs=2e-4)
    assert divergence.max == pytest.approx(number(said, "Maximum KLD"), abs=1e-3)
    assert 100 * same.value == pytest.approx(number(said, "Same top p"), abs=0.0006)  # printed to 0.001
    assert 100 * mine.rms_p.value == pytest.approx(number(said, "RMS Δp"), abs=0.002)
    errors = re.findall(r"±\s*([\d.]+)", said[said.index("Mean PPL(Q) ") :])
    assert mine.perplexity.stderr == pytest.approx(float(errors[0]), rel=1e-3)
    ratio = re.search(r"Mean ln\(PPL\(Q\)/PPL\(base\)\)\s*:\s*\S+ ±\s*([\d.]+)", said)
    kld = re.search(r"Mean    KLD:\s*\S+ ±\s*([\d.]+)", said)
    assert ratio and mine.log_ratio.stderr == pytest.approx(float(ratio[1]), abs=2e-5)
    assert kld and divergence.stderr == pytest.approx(float(kld[1]), abs=2e-5)


async def test_every_number_is_llama_perplexitys(them: Family, oracle: Path, tmp_path: Path) -> None:
    theirs, mine = tmp_path / "theirs.kld", tmp_path / "ours.kld"
    said = perplexity(
        oracle,
        "Final estimate",
        "-m",
        str(them.reference),
        "-f",
        str(TEXT),
        "--chunks",
        str(CHUNKS),
        "--save-all-logits",
        str(theirs),
    )
    told = await measured(MeasureJob(Task.REFERENCE, str(them.reference), str(TEXT), 512, CHUNKS, PLAN, str(mine)))
    estimate = _ESTIMATE.search(said)
    assert estimate and told.perplexity.value == pytest.approx(float(estimate[1]), rel=1e-4)
    assert told.perplexity.stderr == pytest.approx(float(estimate[2]), rel=1e-3)
    assert theirs.stat().st_size == mine.stat().st_size
    differing = sum(a != b for a, b in zip(theirs.read_bytes(), mine.read_bytes(), strict=True))
    assert differing < theirs.stat().st_size / 100_000  # last bits of exp
    for file in them.files.values():
        # Ours over their file, theirs over ours.
        printed = perplexity(
            oracle, "Same top p: ", "-m", str(file), "--kl-divergence", "--kl-divergence-base", str(mine)
        )
        agree(await ours(file, theirs), printed)
