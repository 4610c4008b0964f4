"""What a header says that a name does not."""

from __future__ import annotations

import pytest

from qtui.core.gguf.facts import Facts, facts_of
from qtui.core.gguf.reader import read_header
from qtui.core.gguf.types import TYPE_IDS
from qtui.core.hub.flags import header_flags, name_flags
from tests.builders.gguf import Scalar, Tensor, Typed, build
from tests.hub.model_repository import RECIPES, Shape, model_repository

TOKENIZER: dict[str, Typed | Scalar] = {"tokenizer.ggml.model": "gpt2", "tokenizer.chat_template": "x"}


def facts(mix: dict[str, int], architecture: str = "llama", **more: Typed | Scalar) -> Facts:
    """Return the facts of a model with so many weights (in 256s) of each type."""
    tensors = [
        Tensor(f"blk.{n}.ffn_up.weight", (256, count), TYPE_IDS[name]) for n, (name, count) in enumerate(mix.items())
    ]
    image = build(
        {"general.architecture": architecture, f"{architecture}.block_count": 1, **TOKENIZER, **more}, tensors
    )
    source = image.source()
    return facts_of(read_header(source), source)


@pytest.mark.parametrize(
    ("mix", "label", "flag"),
    [
        ({"Q4_K": 69, "Q3_K": 31}, "Q4_K_M", "says Q4_K_M, holds 31 % Q3_K"),
        ({"Q8_0": 100}, "Q4_K_M", "says Q4_K_M, holds 100 % Q8_0"),
        ({"Q8_0": 95, "F32": 5}, "MXFP4_MOE", "says MXFP4_MOE, holds 100 % Q8_0"),
        ({"Q2_K": 100}, "i1-Q6_K", "says i1-Q6_K, holds 100 % Q2_K"),
        ({"Q4_K": 80, "Q6_K": 20}, "Q4_K_M", ""),
        ({"Q4_K": 97, "Q3_K": 3}, "Q4_K_M", ""),
        ({"IQ3_S": 60, "IQ3_XXS": 40}, "IQ3_XS", ""),
        ({"Q4_K": 50, "IQ2_XXS": 50}, "UD-Q4_K_XL", ""),
        ({"Q4_K": 50, "Q2_K": 50}, "", ""),
        ({"Q4_K": 50, "Q2_K": 50}, "Q4_K_L", ""),
        ({"F16": 100}, "F16", ""),
        ({"F32": 100}, "F32", ""),
    ],
)
def test_names_that_disagree_with_what_is_in_the_file(mix: dict[str, int], label: str, flag: str) -> None:
    said = [line for line in header_flags(facts(mix), label) if line.startswith("says ")]
    assert said == ([flag] if flag else [])


def test_the_mixes_of_llama_cpp_agree_with_their_names() -> None:
    made = model_repository(shape=Shape(vocabulary=2000, layers=8))
    for recipe in RECIPES:
        content = made.files[made.path(recipe.label)]
        found = facts_of(read_header(content), content)
        assert [line for line in header_flags(found, recipe.label) if line.startswith("says ")] == [], recipe.label


@pytest.mark.parametrize(
    ("path", "pruned"),
    [
        ("GLM-4.5-Air-REAP-82B-A12B-Q4_K_M.gguf", True),
        ("cerebras_GLM-REAP/x-Q4_0.gguf", True),
        ("reaper-7B-Q4_0.gguf", False),
        ("Model-Q4_0.gguf", False),
    ],
)
def test_pruned_models(path: str, pruned: bool) -> None:
    assert bool(name_flags(path)) is pruned
    assert any("REAP" in line for line in header_flags(facts({"Q4_0": 1}), "", path)) is pruned


def test_models_that_were_trained_in_four_bits() -> None:
    native = header_flags(facts({"MXFP4": 90, "Q8_0": 10}, "gpt-oss"), "Q8_0")
    assert any("MXFP4 as they were trained" in line for line in native)
    converted = header_flags(facts({"Q4_K": 90}, "gpt-oss"), "Q4_K_M")
    assert any("trained in MXFP4; Q4_K_M has converted" in line for line in converted)
    assert any("only programs with a recent llama.cpp" in line for line in native)


def test_warnings_of_the_header_come_along() -> None:
    image = build(
        {"general.architecture": "llama", **TOKENIZER, "llama.block_count": 1},
        [Tensor("a.weight", (32,), 65, size_bytes=64)],
    )
    found = facts_of(read_header(image.source()))
    assert any("unknown type 65" in line for line in header_flags(found, "Q4_0"))


def test_projectors_are_not_judged_by_weights() -> None:
    found = facts({"Q8_0": 100}, "clip", **{"general.type": "mmproj"})
    assert header_flags(found, "F16") == ()
