"""What to take: the order, the sentences, and the answer that there is nothing to take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from qtui.core.advice.candidate import Candidate
from qtui.core.advice.frontier import apart, dominates, frontier
from qtui.core.advice.ranking import advise_on
from qtui.core.advice.scatter import scatter
from qtui.core.advice.wishes import Prefer, Use, Wishes
from qtui.core.measure.bands import Band
from qtui.core.memory.verdict import Fit
from qtui.core.origin import Origin
from tests.core.advice.make import candidate, quality

SHELF = (
    candidate("BF16", needs=16, bits=16.0, rate=3.0),
    candidate("Q8_0", level=0.0014, needs=8.5, bits=8.5, rate=6.0),
    candidate("Q6_K", level=0.0055, needs=6.6, bits=6.56, rate=7.7),
    candidate("Q5_K_M", level=0.0108, needs=5.7, bits=5.7, rate=8.8),
    candidate("Q4_K_M", level=0.0282, needs=4.9, bits=4.9, rate=10.0),
    candidate("UD-Q4_K_XL", needs=4.8, bits=4.8, rate=10.2),
    candidate("Q4_0", level=0.0719, needs=4.6, bits=4.6, rate=12.0),
    candidate("Q3_K_M", level=0.0844, needs=4.0, bits=4.0, rate=11.9, mix={"Q3_K": 1.0}, imatrix=True),
    candidate("Q2_K", level=0.3322, needs=3.1, bits=3.1, rate=15.0, mix={"Q2_K": 1.0}, imatrix=True),
)


def order(wishes: Wishes, *candidates: Candidate) -> list[str]:
    return [each.candidate.label.text for each in advise_on(candidates or SHELF, wishes).ranking]


def test_quality_first_takes_the_smallest_of_the_near_lossless() -> None:
    assert order(Wishes()) == [
        "Q5_K_M", "Q6_K", "Q8_0", "BF16", "Q4_K_M", "UD-Q4_K_XL", "Q4_0", "Q3_K_M", "Q2_K",
    ]  # fmt: skip


def test_speed_first_takes_the_fastest_whose_loss_is_accepted() -> None:
    assert order(Wishes(prefer=Prefer.SPEED))[:4] == ["Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0"]
    assert order(Wishes(prefer=Prefer.SPEED))[-1] == "Q2_K"  # the fastest of all, and only if nothing else fits


def test_rates_that_were_measured_on_a_busy_machine_sort_nothing() -> None:
    odd = replace(SHELF[2], speed=replace(SHELF[2].speed, rate=99.0, note="other programs computed"))
    assert order(Wishes(prefer=Prefer.SPEED), *SHELF[:2], odd, *SHELF[3:])[:2] == ["Q4_K_M", "Q5_K_M"]
    reason = advise_on([odd], Wishes()).ranking[0].reason
    assert "~99.0 t/s computed (other programs computed)" in reason


def test_what_it_is_for_moves_what_is_accepted() -> None:
    assert order(Wishes(Use.LONG, Prefer.SPEED))[0] == "Q5_K_M"
    bands = {each.candidate.label.text: each.band for each in advise_on(SHELF, Wishes(Use.MATHS)).ranking}
    assert bands["Q3_K_M"] is Band.STRONG and bands["Q4_K_M"] is Band.GOOD


def test_an_unknown_quality_stands_beside_the_known_one_with_fewer_bits_and_says_so() -> None:
    each = next(e for e in advise_on(SHELF, Wishes()).ranking if e.candidate.label.mark == "UD-")
    assert each.beside == "Q4_0" and each.candidate.quality.kl_divergence is None
    assert "how much it loses is not known" in each.reason and "it stands beside Q4_0" in each.reason


def test_what_fits_goes_before_what_fits_less() -> None:
    found = order(
        Wishes(),
        candidate("Q8_0", level=0.001, fit=Fit.FROM_DISK, short=2), candidate("Q6_K", level=0.005, fit=Fit.PARTIAL),
        candidate("Q5_K_M", level=0.01, fit=Fit.TIGHT, short=0.1), candidate("Q2_K", level=0.33),
        candidate("BF16", fit=Fit.TOO_BIG, short=9), candidate("Q4_0", level=0.07, fit=Fit.UNKNOWN),
    )  # fmt: skip
    assert found == ["Q2_K", "Q5_K_M", "Q6_K", "Q8_0"]


def test_the_reason_says_what_fits_costs_runs_and_comes_next() -> None:
    shelf = (SHELF[3], SHELF[4], candidate("Q6_K", level=0.0055, needs=9, bits=6.6, fit=Fit.TOO_BIG, short=1.5))
    advice = advise_on(shelf, Wishes())
    assert advice.best is not None and advice.best.candidate.label.text == "Q5_K_M"
    first, second = advice.ranking
    assert "fits at context 8192 with 9.30 GiB to spare" in first.reason
    assert "°0.011, no measurable difference (measured on LLaMA 3 8B; not your model)" in first.reason
    assert "~8.8 t/s computed" in first.reason
    assert "the next better, Q6_K, needs 3.30 GiB more and does not fit by 1.50 GiB" in first.reason
    assert "the next better, Q5_K_M, needs 819 MiB more and fits too" in second.reason
    assert advice.verdict.startswith("take Tiny Q5_K_M: it fits at context 8192")
    assert advice.left[0].reason.startswith("is 1.50 GiB short of 9.00 GiB at context 8192")


def test_a_loss_beyond_what_is_accepted_is_said_with_what_the_next_better_needs() -> None:
    shelf = (
        candidate("Q3_K_L", level=0.073, needs=4.0, bits=4.2, mix={"Q3_K": 1.0}, imatrix=True),
        candidate("IQ4_XS", level=0.036, needs=4.5, bits=4.5, fit=Fit.TIGHT, short=0.1),
    )
    verdict = advise_on(shelf, Wishes(Use.TOOLS)).verdict
    assert verdict == (
        "take Tiny Q3_K_L: it fits at context 8192 with 11.00 GiB to spare, and counts as strong loss; "
        "the next better, IQ4_XS, needs 512 MiB more and fits only tightly"
    )


def test_none_of_these_names_how_much_is_missing_and_a_size_that_would_fit() -> None:
    shelf = [
        candidate(quant, needs=needs, fit=Fit.TOO_BIG, short=needs - 15, parameters=70_000_000_000)
        for quant, needs in (("Q4_K_M", 43.0), ("IQ2_XXS", 19.1))
    ]
    advice = advise_on(shelf, Wishes())
    assert advice.best is None and advice.ranking == ()
    assert advice.verdict.startswith(
        "none of these: take a smaller model. Tiny IQ2_XXS, the nearest, is 4.10 GiB short"
    )
    assert "a model of about" in advice.verdict and "B in Q4_K_M would fit" in advice.verdict
    disk = advise_on([candidate("Q4_0", fit=Fit.FROM_DISK, short=2.0, needs=20)], Wishes())
    assert disk.best is None and "is 2.00 GiB short of 20.00 GiB" in disk.verdict
    assert advise_on([], Wishes()).verdict.startswith("none of these: there is nothing")
    assert "is not known" in advise_on([candidate(fit=Fit.UNKNOWN)], Wishes()).verdict


def test_what_does_not_load_is_no_option() -> None:
    advice = advise_on([candidate("Q4_0_4_4"), candidate("Q2_K", level=0.4)], Wishes())
    assert order(Wishes(), *[each.candidate for each in advice.ranking]) == ["Q2_K"]
    assert advice.left[0].reason.startswith("Q4_0_4_4 was removed from llama.cpp")


@pytest.mark.parametrize(
    ("bits", "prefer", "first"),
    [(2.35, Prefer.QUALITY, "Large"), (1.81, Prefer.QUALITY, "Small"), (2.35, Prefer.SPEED, "Small")],
)
def test_a_larger_model_at_fewer_bits_against_a_smaller_at_more(bits: float, prefer: Prefer, first: str) -> None:
    shelf = (
        candidate("Q8_0", level=0.0014, needs=8.5, bits=8.5, rate=9.0, model="Small", parameters=8_000_000_000),
        candidate("IQ2_XS", level=0.55, needs=20, bits=bits, rate=2.0, model="Large", parameters=70_000_000_000),
    )
    ranking = advise_on(shelf, Wishes(prefer=prefer)).ranking
    assert ranking[0].candidate.variant.model == first


def test_of_a_native_mxfp4_model_the_smallest_that_keeps_its_experts_goes_first() -> None:
    mix = {"MXFP4": 0.9, "Q8_0": 0.1}
    oss: dict[str, Any] = {"architecture": "gpt-oss"}
    shelf = (
        candidate("F16", needs=13.8, bits=5.2, mix=mix, **oss),
        candidate("Q8_0", needs=12.1, bits=4.6, mix=mix, **oss),
        candidate("Q4_K_M", needs=11.6, bits=4.5, mix=mix, **oss),
        candidate("Q2_K", level=0.3, needs=11.4, bits=4.4, mix={"Q2_K": 1.0}, **oss),
    )
    assert order(Wishes(), *shelf) == ["Q4_K_M", "Q8_0", "F16", "Q2_K"]


def test_dominated_variants_are_named_with_the_reason() -> None:
    shelf = (
        candidate("Q4_0", level=0.0719, needs=4.34, rate=10.0),
        candidate("Q4_K_S", level=0.0431, needs=4.36, rate=10.2),
        candidate("Q8_0", level=0.0014, needs=8.0, rate=6.0), candidate("UD-Q4_K_XL", needs=4.5),
    )  # fmt: skip
    points = {point.candidate.label.text: point for point in frontier(shelf)}
    assert points["Q4_0"].dominated_by == "Q4_K_S"
    worse = "and is worse by °0.029, at 10.0 against 10.2 t/s"
    assert points["Q4_0"].reason == f"needs as much as Q4_K_S (within 1 %) {worse}"
    assert not points["Q4_K_S"].dominated_by and not points["Q8_0"].dominated_by
    assert not points["UD-Q4_K_XL"].drawn and points["UD-Q4_K_XL"].reason == "nothing is known"


def test_a_faster_variant_is_not_dominated() -> None:
    slow, fast = (
        candidate("Q4_K_S", level=0.04, needs=4.4, rate=8.0),
        candidate("Q4_0", level=0.07, needs=4.4, rate=9.0),
    )
    assert not dominates(slow, fast)


def test_measured_and_published_are_not_compared() -> None:
    here = candidate("Q4_K_M", needs=4, known=quality(0.01, Origin.MEASURED, "F16/mine"))
    there = candidate("Q4_0", needs=5, level=0.07)
    elsewhere = candidate("Q4_1", needs=5, known=quality(0.09, Origin.MEASURED, "F16/other text"))
    assert not dominates(here, there) and not dominates(here, elsewhere)
    points = frontier([here, there, elsewhere])
    assert not any(point.dominated_by for point in points) and "not compared" in apart(points)
    assert apart(frontier([here])) == ""
    same = candidate("Q5_0", needs=5, known=quality(0.02, Origin.MEASURED, "F16/mine"))
    assert dominates(here, same)


def test_a_difference_within_the_doubt_dominates_nothing() -> None:
    one, other = (candidate("Q4_0", needs=4, known=replace(quality(v), stderr=0.01)) for v in (0.05, 0.06))
    assert not dominates(one, other)


@pytest.mark.parametrize(("width", "height"), [(76, 18), (40, 8), (200, 50)])
def test_the_chart_keeps_its_size_and_shows_every_point(width: int, height: int) -> None:
    points = frontier(SHELF)
    lines = scatter(points, width, height)
    texts = ["".join(piece.text for piece in line) for line in lines]
    assert len(texts) == height and max(map(len, texts)) <= width
    drawn = "".join(piece.text for line in lines for piece in line if piece.kind != "axis")
    assert len(drawn) >= 5 and set(drawn) <= {point.sign for point in points if point.drawn} | {"*"}
    assert any(piece.kind == "dominated" for line in scatter(frontier([SHELF[4], SHELF[6], candidate(
        "Q4_1", level=0.09, needs=5.5, rate=9.0)]), width, height) for piece in line)  # fmt: skip


def test_a_chart_without_room_or_points_is_none() -> None:
    assert scatter(frontier(SHELF), 10, 18) == [] and scatter(frontier([candidate("UD-Q4_K_XL")]), 76, 18) == []
    assert scatter(frontier([candidate("F16", level=0.0, needs=1)]), 76, 18) != []
