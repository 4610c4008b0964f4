"""What stands against making what was planned, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

from qtui.core.quantise.messages import Fallback, MatrixFit, QuantisePlanned, TypeShare
from qtui.core.quantise.obstacles import MARGIN, assurances, no_room, obstacle, remarks
from qtui.core.quantise.recipe import Recipe

PLAN = QuantisePlanned(Recipe("Q4_K_M"), (1000,), 3, 4000, 2000, (TypeShare("Q4_K", 2, 900), TypeShare("F32", 1, 100)))
FIT = MatrixFit(
    entries=5, used=3, lacking=1, unknown=2, unknown_names=("blk.9.a", "blk.9.b"), experts=8, experts_seen=6
)


def test_nothing_stands_against_a_plain_plan() -> None:
    assert obstacle(PLAN) is None
    assert remarks(PLAN) == []
    assert PLAN.bits_per_weight == 4.0


def test_a_dense_model_is_not_made_mxfp4() -> None:
    plan = replace(PLAN, recipe=Recipe("MXFP4_MOE"), mix=(TypeShare("Q8_0", 3, 1000),))
    failure = obstacle(plan)
    assert failure is not None and "would write a Q8_0 file" in failure.message
    assert obstacle(replace(plan, mix=(TypeShare("MXFP4", 2, 900),))) is None


def test_requantising_is_refused_unless_it_is_asked_for() -> None:
    plan = replace(PLAN, requantised=("Q8_0",))
    failure = obstacle(plan)
    assert failure is not None and failure.kind == "usage" and "--allow-requantize" in failure.hint
    allowed = replace(plan, recipe=Recipe("Q4_K_M", allow_requantize=True))
    assert obstacle(allowed) is None
    assert remarks(allowed) == ["quantised anew from Q8_0; the file will record it"]


def test_a_matrix_is_demanded_where_llama_cpp_demands_one() -> None:
    failure = obstacle(replace(PLAN, needs_matrix=True))
    assert failure is not None and "needs an importance matrix" in failure.message
    failure = obstacle(replace(PLAN, needs_matrix=True, matrix=FIT))
    assert failure is not None and "has nothing for some tensors" in failure.message
    failure = obstacle(replace(PLAN, matrix=replace(FIT, problem="m.gguf is of another model")))
    assert failure is not None and failure.kind == "bad_file"


def test_room_is_what_is_free_without_a_margin() -> None:
    assert no_room(1000, None, "/d") is None
    assert no_room(1000, 1000 + MARGIN, "/d") is None
    failure = no_room(1000, 999 + MARGIN, "/d")
    assert failure is not None and "/d has" in failure.message


def test_fallbacks_are_said_with_their_numbers() -> None:
    fallen = (Fallback("Q4_K", "Q5_0", 2),)
    plan = replace(PLAN, fallbacks=fallen, mix=(TypeShare("Q5_0", 2, 900), TypeShare("F32", 1, 100)))
    told = remarks(plan)
    assert told[0].startswith("2 of 3 tensors become Q5_0 instead of Q4_K")
    assert told[1].startswith("not one tensor will be Q4_K")


def test_a_copy_is_said_to_be_one_and_a_matrix_without_use_too() -> None:
    assert remarks(replace(PLAN, changed=0)) == ["every tensor has its type already: the result is a copy"]
    assert remarks(replace(PLAN, matrix=MatrixFit(5, 0, 0, 0))) == ["Q4_K_M makes no use of the matrix"]


def test_what_is_as_it_should_be_gives_no_pause() -> None:
    plan = replace(PLAN, matrix=MatrixFit(5, 5, 0, 0, experts=8, experts_seen=8))
    assert remarks(plan) == [] and assurances(PLAN) == []
    assert assurances(plan) == ["the matrix has all 5 tensors that can use one", "it has seen all 8 experts"]


def test_a_matrix_is_said_with_what_it_lacks_and_what_is_not_here() -> None:
    told = remarks(replace(PLAN, matrix=FIT))
    assert told == [
        "the matrix has 3 of the 4 tensors that can use one",
        "2 of its 5 entries are for tensors that are not here: blk.9.a, blk.9.b",
        "it has seen 6 of 8 experts (75.0 %)",
    ]
