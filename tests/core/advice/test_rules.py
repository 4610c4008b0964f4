"""Every rule of the table: when it holds, when not, what it says, and that its numbers are published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qtui.core.advice.candidate import Candidate
from qtui.core.advice.evidence import Evidence
from qtui.core.advice.rules import CONVENTION, RULES, Effect, Rule, Situation, rules_of
from qtui.core.advice.rules_page import rules_table
from qtui.core.advice.wishes import Prefer, Use, Wishes
from qtui.services.evidence import EvidenceFiles
from tests.core.advice.make import candidate

MX, Q8, Q4 = {"MXFP4": 0.9, "Q8_0": 0.1}, {"Q8_0": 1.0}, {"Q4_K": 0.9, "Q6_K": 0.1}
SMALL = candidate("Q8_0", model="Small", parameters=8_000_000_000, bits=8.5)
OSS: dict[str, Any] = {"architecture": "gpt-oss"}


def large(quant: str, bits: float) -> Candidate:
    return candidate(quant, model="Large", parameters=70_000_000_000, bits=bits)


CASES: dict[str, tuple[tuple[Candidate, Wishes], tuple[Candidate, Wishes]]] = {
    "does not load": ((candidate("Q4_0_4_4"), Wishes()), (candidate("Q4_0"), Wishes())),
    "native MXFP4": (
        (candidate("Q8_0", mix=MX, experts=True, **OSS), Wishes()), (candidate("MXFP4_MOE", mix=MX), Wishes())
    ),
    "native MXFP4, converted": (
        (candidate("Q4_K_M", mix=Q4, **OSS), Wishes()), (candidate("Q8_0", mix=MX, **OSS), Wishes())
    ),
    "MXFP4 elsewhere": (
        (candidate("MXFP4_MOE", mix=MX), Wishes()), (candidate("MXFP4_MOE", mix=MX, **OSS), Wishes())
    ),
    "MXFP4 in name only": (
        (candidate("MXFP4_MOE", mix=Q8), Wishes()), (candidate("MXFP4_MOE", mix=MX), Wishes())
    ),
    "retired recipe": (
        (candidate("UD-Q4_K_XL", mix={"MXFP4": 0.5, "Q8_0": 0.5}), Wishes()),
        (candidate("UD-Q4_K_XL", mix=Q4), Wishes()),
    ),
    "no importance matrix below 4 bits": (
        (candidate("Q3_K_M", model="mradermacher", repository="mradermacher/X-GGUF"), Wishes()),
        (candidate("Q3_K_M", mix=Q4, imatrix=True), Wishes()),
    ),
    "importance matrix not noted": (
        (candidate("Q2_K"), Wishes()), (candidate("IQ2_XXS"), Wishes())
    ),
    "maths": ((candidate("Q3_K_L"), Wishes(Use.MATHS)), (candidate("Q4_K_S"), Wishes(Use.MATHS))),
    "exact forms": ((candidate("Q3_K_S"), Wishes(Use.TOOLS)), (candidate("Q3_K_S"), Wishes(Use.CHAT))),
    "long documents": ((candidate("Q4_K_M"), Wishes(Use.LONG)), (candidate("Q5_K_M"), Wishes(Use.LONG))),
    "i-quants on the processor": ((candidate("IQ4_XS"), Wishes()), (candidate("IQ4_XS", gpu=True), Wishes())),
    "larger model first": (
        (large("IQ2_XS", 2.35), Wishes()), (large("IQ2_XS", 2.35), Wishes(prefer=Prefer.SPEED))
    ),
    "larger model, too few bits": ((large("IQ1_M", 1.81), Wishes()), (large("IQ2_XS", 2.35), Wishes())),
    "no measurable difference": (
        (candidate("Q6_K", level=0.0055), Wishes()), (candidate("Q5_K_S", level=0.017), Wishes())
    ),
    "pruned": (
        (candidate("Q4_K_M", model="GLM-4.7-REAP-218B-A32B"), Wishes()), (candidate("Q4_K_M", model="Reaper"), Wishes())
    ),
    "a publisher's own mix": ((candidate("Q4_K_L"), Wishes()), (candidate("i1-Q4_K_M"), Wishes())),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_holds_where_it_should_and_only_there(rule: Rule) -> None:
    for holds, (subject, wishes) in zip((True, False), CASES[rule.name], strict=True):
        names = {found.name for found in rules_of(subject, Situation(wishes, (subject, SMALL)))}
        assert (rule.name in names) is holds, subject.variant.title


def test_every_rule_says_something_and_where_it_is_from() -> None:
    assert set(CASES) == {rule.name for rule in RULES}
    for rule in RULES:
        subject = CASES[rule.name][0][0]
        said = rule.said(subject)
        assert said and "{" not in said and said == said.strip() and "\n" not in said
        assert rule.source == CONVENTION or rule.source.startswith("https://")
        assert isinstance(rule.effect, Effect)


def test_the_figures_that_rules_quote_are_published() -> None:
    evidence, _ = EvidenceFiles(Path("/nowhere")).load()
    by = _values(evidence)
    gsm = by["arxiv-2601.14277", "F16", "gsm8k"]
    said = {rule.name: rule.sentence for rule in RULES}
    assert f"Q3_K_M by {gsm - by['arxiv-2601.14277', 'Q3_K_M', 'gsm8k']:.1f}" in said["maths"]
    assert f"Q3_K_S by {gsm - by['arxiv-2601.14277', 'Q3_K_S', 'gsm8k']:.1f}" in said["maths"]
    fell = by["arxiv-2601.14277", "F16", "ifeval"] - by["arxiv-2601.14277", "Q3_K_S", "ifeval"]
    assert f"{fell:.1f} points" in said["exact forms"]
    plain, mx, q4 = (by["localai-mxfp4", quant, "perplexity"] for quant in ("BF16", "MXFP4", "Q4_K_M"))
    assert f"{100 * (mx / plain - 1):.1f} %" in said["MXFP4 elsewhere"]
    assert f"{100 * (q4 / plain - 1):.1f} %" in said["MXFP4 elsewhere"]
    q2 = {
        f.imatrix: f.values["kl_divergence"] for f in reversed(evidence.of_quant("Q2_K")) if f.source.id == SCOREBOARD
    }
    assert f"{100 * (1 - q2[True] / q2[False]):.0f} %" in said["no importance matrix below 4 bits"]
    assert f"{by['matt-c1', 'IQ2_XS', 'mmlu']:.1f}" in said["larger model first"]
    assert f"{by['matt-c1', 'F16', 'mmlu']:.1f}" in said["larger model first"]
    assert f"{by['matt-c1', 'IQ1_M', 'mmlu']:.1f}" in said["larger model, too few bits"]
    for quant, level in (("UD-Q4_K_XL", "0.0524"), ("Q4_K_M", "0.0102")):
        assert by["reddit-1rfds1h", quant, "kl_divergence"] == float(level) and level in said["retired recipe"]


def test_the_page_shows_the_table() -> None:
    page = (Path(__file__).parents[3] / "docs" / "advice.md").read_text()
    assert f"-->\n{rules_table()}\n<!-- end" in page, "run: python -m qtui.core.advice.rules_page"


SCOREBOARD = "llamacpp-ppl-llama3"


def _values(evidence: Evidence) -> dict[tuple[str, str, str], float]:
    return {
        (figure.source.id, figure.quant, metric): value
        for figure in evidence.figures for metric, value in figure.values.items()
    }  # fmt: skip
