"""Actual beside estimate: pool by pool, and unknown wherever anything is not known."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from qtui.core.memory.actual import Actual, Estimate, card_buffers, comparison, differences, reads_full_prompt
from qtui.core.memory.footprint import Pools
from qtui.core.memory.plan import LoadPlan
from qtui.core.origin import Origin
from qtui.core.text import GIB, MIB
from tests.fakes import make_footprint, make_variant

ESTIMATE = Estimate(Pools(2 * GIB, 3 * GIB), GIB, Origin.DRY_RUN)
ACTUAL = Actual(2 * GIB - 20 * MIB, 4 * GIB, 20 * MIB, 0, 0, full_prompt=True)


def test_pages_that_may_be_dropped_are_expected_to_be_there() -> None:
    assert ESTIMATE.resident == Pools(2 * GIB, 4 * GIB)
    rows = differences(ESTIMATE, ACTUAL)
    assert [(row.pool, row.percent) for row in rows] == [
        ("ram_anonymous", 0.0), ("ram_file_backed", 0.0), ("total", 0.0),
    ]  # fmt: skip


def test_the_pools_of_a_card_count_only_where_something_was_expected_there() -> None:
    on_card = Estimate(Pools(GIB, 0, (2 * GIB,)), 0, Origin.COMPUTED)
    both = Actual(GIB, 0, 0, 0, 0, (2 * GIB + 20 * MIB, 7 * GIB), ("A", "B"), full_prompt=True)
    assert [row.actual for row in differences(on_card, both)] == [GIB, 0, 2 * GIB + 20 * MIB, 3 * GIB + 20 * MIB]
    assert comparison(on_card, both) == "est ~3.00 · actual 3.02 (+0.7 %)"


def test_what_the_driver_does_not_tell_makes_the_total_unknown() -> None:
    on_card = Estimate(Pools(GIB, 0, (2 * GIB,)), 0, Origin.DRY_RUN)
    rows = differences(on_card, Actual(GIB, 0, 0, 0, 0, (None,), ("A",)))
    assert (rows[2].actual, rows[3].actual, rows[3].percent) == (None, None, None)
    assert comparison(on_card, Actual(GIB, 0, 0, 0, 0)) == "est 3.00 · actual ?"


def test_swapped_pages_are_held() -> None:
    assert differences(ESTIMATE, Actual(GIB, 4 * GIB, 0, GIB, 0))[0].percent == 0.0


@pytest.mark.parametrize(
    ("estimate", "actual", "text"),
    [
        (None, ACTUAL, "est ?"),
        (ESTIMATE, None, "est 6.00"),
        (ESTIMATE, ACTUAL, "est 6.00 · actual 6.00 (+0.0 %)"),
        (ESTIMATE, Actual(2 * GIB, 3 * GIB, 0, 0, 0), "est 6.00 · actual 5.00 (no full prompt yet)"),
        (ESTIMATE, Actual(), "est 6.00 · actual ?"),
        (
            Estimate(Pools(100 * MIB), 0, Origin.DRY_RUN),
            Actual(98 * MIB, 0, 0, 0, 0, full_prompt=True),
            "est 0.0977 · actual 0.0957 (-2.0 %)",
        ),
    ],
)
def test_the_line(estimate: Estimate | None, actual: Actual | None, text: str) -> None:
    assert comparison(estimate, actual) == text


def test_a_footprint_becomes_an_estimate_and_both_survive_json() -> None:
    footprint = make_footprint(make_variant(), LoadPlan(ctx_size=4096))
    estimate = Estimate.of(footprint)
    assert estimate.pools == footprint.pools and estimate.origin is Origin.DRY_RUN
    kept = Estimate.from_json(json.loads(json.dumps(estimate.as_json())))
    assert kept == replace(estimate, context=None)  # that part is told beside a running session, and not kept
    actual = Actual(1, 2, None, 4, 5, (6, None), ("A", "B"), full_prompt=True)
    assert Actual.from_json(json.loads(json.dumps(actual.as_json()))) == actual


def test_a_full_prompt_is_a_ubatch() -> None:
    assert reads_full_prompt(LoadPlan(ubatch_size=512), 512)
    assert not reads_full_prompt(LoadPlan(ubatch_size=512), 511)
    assert reads_full_prompt(LoadPlan(ubatch_size=512, batch_size=256), 256)


def test_what_lies_on_cards_is_told_by_name() -> None:
    buffers = (("CUDA1", 1, 2, 3), ("CUDA_Host", 50, 0, 9), ("CPU_REPACK", 70, 0, 0), ("MTL0_Mapped", 4, 0, 0))
    assert card_buffers(buffers) == (4, 6)
    assert card_buffers((("CPU", 1, 1, 1),)) == ()
