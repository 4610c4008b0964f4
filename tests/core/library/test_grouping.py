"""Variants grouped into models."""

from __future__ import annotations

from qtui.core.library.grouping import group_models, name_key
from qtui.core.library.report import library_report
from qtui.core.library.variant import Role
from tests.fakes import make_variant


def test_names_that_differ_in_case_and_separators_are_one_model_largest_first() -> None:
    small = make_variant("qwen3_8b", "Q4_K_M", size=5)
    large = make_variant("Qwen3-8B", "Q8_0", size=9)
    middle = make_variant("Qwen3 8B", "Q6_K", size=7)
    (model,) = group_models([small, large, middle]).models
    assert model.name == "Qwen3-8B"
    assert model.variants == (large, middle, small)
    assert model.parameters == 9


def test_one_name_with_two_architectures_is_two_models() -> None:
    shelves = group_models([make_variant("X", architecture="llama"), make_variant("X", architecture="qwen3")])
    assert [model.architecture for model in shelves.models] == ["llama", "qwen3"]


def test_models_are_in_the_order_of_their_names() -> None:
    shelves = group_models([make_variant("b"), make_variant("C"), make_variant("A")])
    assert [model.name for model in shelves.models] == ["A", "b", "C"]


def test_other_roles_are_apart() -> None:
    projector = make_variant("X", role=Role.MMPROJ)
    embedder = make_variant("E", role=Role.EMBEDDING)
    shelves = group_models([projector, make_variant("X"), embedder])
    assert shelves.other == (projector,)
    assert [model.name for model in shelves.models] == ["E", "X"]


def test_a_damaged_file_joins_the_model_of_its_name() -> None:
    damaged = make_variant("x", "Q2_K", architecture="", problem="truncated", size=1)
    for order in ([damaged, make_variant("X")], [make_variant("X"), damaged]):
        (model,) = group_models(order).models
        assert (model.architecture, len(model.variants)) == ("llama", 2)
    (alone,) = group_models([damaged]).models
    assert alone.architecture == ""


def test_an_incomplete_set_does_not_say_how_many_parameters() -> None:
    half = make_variant("X", complete=False, parameters=99)
    (model,) = group_models([half, make_variant("X", "Q4_0", size=7)]).models
    assert model.parameters == 7


def test_names_of_signs_only_are_not_thrown_together() -> None:
    assert name_key("--") != name_key("__")
    assert name_key("模型-7B") == name_key("模型 7b")


def test_nothing() -> None:
    shelves = group_models([])
    assert shelves.models == ()
    assert shelves.other == ()
    assert library_report([]) == {"variants": []}
