from __future__ import annotations

from pathlib import Path

import pytest

from qtui.core.library.filter import LibraryRow
from qtui.core.library.grouping import group_models
from qtui.core.library.order import SortKey, sort_models
from qtui.core.memory.plan import LoadPlan
from tests.fakes import make_footprint, make_variant

A4 = make_variant("alpha", "Q4", size=40, bits_per_weight=4.5)
A8 = make_variant("alpha", "Q8", size=80, bits_per_weight=8.5)
B6 = make_variant("Beta", "Q6", size=60, bits_per_weight=None)
C2 = make_variant("Gamma", "Q2", size=20, bits_per_weight=2.6)
MODELS = group_models([C2, A4, B6, A8]).models
ROWS: dict[Path, LibraryRow] = {
    A4.path: LibraryRow(A4, footprint=make_footprint(A4, LoadPlan(), total=10**9), rate=9.0),
    A8.path: LibraryRow(A8, footprint=make_footprint(A8, LoadPlan(), total=3 * 10**9)),
    B6.path: LibraryRow(B6, footprint=make_footprint(B6, LoadPlan(), total=2 * 10**9), rate=7.0),
}


@pytest.mark.parametrize(
    ("key", "reverse", "order"),
    [
        (SortKey.NAME, False, "Q8 Q4 Q6 Q2"),
        (SortKey.NAME, True, "Q2 Q6 Q8 Q4"),
        (SortKey.SIZE, False, "Q2 Q4 Q8 Q6"),
        (SortKey.SIZE, True, "Q8 Q4 Q6 Q2"),
        (SortKey.BPW, False, "Q2 Q4 Q8 Q6"),
        (SortKey.BPW, True, "Q8 Q4 Q2 Q6"),
        (SortKey.NEEDS, False, "Q4 Q8 Q6 Q2"),
        (SortKey.NEEDS, True, "Q8 Q4 Q6 Q2"),
        (SortKey.RATE, False, "Q6 Q4 Q8 Q2"),
        (SortKey.RATE, True, "Q4 Q8 Q6 Q2"),
    ],
)
def test_models_stand_where_their_first_variant_does(key: SortKey, reverse: bool, order: str) -> None:
    ordered = sort_models(MODELS, key, reverse, ROWS)
    assert [variant.quant for model in ordered for variant in model.variants] == order.split()


def test_equal_ones_keep_their_order_by_name() -> None:
    same = group_models([make_variant(name, "Q4", size=1) for name in ("c", "a", "b")]).models
    for reverse in (False, True):
        assert [model.name for model in sort_models(same, SortKey.SIZE, reverse)] == ["a", "b", "c"]


def test_nothing_is_lost_without_rows() -> None:
    assert sort_models([], SortKey.RATE) == ()
    assert {model.name for model in sort_models(MODELS, SortKey.RATE)} == {"alpha", "Beta", "Gamma"}
