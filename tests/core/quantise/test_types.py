"""The types that can be made, and how recipes are read."""

from __future__ import annotations

import pytest

from qtui.core.errors import UsageError
from qtui.core.gguf.types import FILE_TYPES, TYPE_IDS
from qtui.core.quantise.recipe import Recipe, checked, lowered, override
from qtui.core.quantise.types import LEFT_OUT, OFFERED, MatrixUse, made_type, tensor_type_name, wants_matrix


def test_every_file_type_is_offered_or_left_out_with_a_reason() -> None:
    offered = {made.name for made in OFFERED}
    assert len(offered) == len(OFFERED)
    assert offered | LEFT_OUT.keys() == {kind.name for kind in FILE_TYPES.values()}
    assert not offered & LEFT_OUT.keys()
    assert all(LEFT_OUT.values())
    assert all(made.about and made.base in TYPE_IDS for made in OFFERED)


@pytest.mark.parametrize(
    ("text", "name"), [("q4_k_m", "Q4_K_M"), ("Q4_K", "Q4_K_M"), (" Q5_k", "Q5_K_M"), ("mxfp4", "MXFP4_MOE")]
)
def test_types_are_found_in_either_case_and_by_their_aliases(text: str, name: str) -> None:
    assert made_type(text).name == name


def test_what_cannot_be_made_is_refused_with_the_reason() -> None:
    with pytest.raises(UsageError, match=r"NVFP4 cannot be made: llama\.cpp reads it and cannot make it"):
        made_type("nvfp4")
    with pytest.raises(UsageError, match="repacked when it is loaded"):
        made_type("Q4_0_4_4")
    with pytest.raises(UsageError, match="there is no type Q9") as caught:
        made_type("Q9\x1b[31m")
    assert "\x1b" not in caught.value.message and "Q4_K_M" in caught.value.hint


def test_types_of_tensors_are_those_that_weights_can_have() -> None:
    assert tensor_type_name("q6_k") == "Q6_K"
    for name in ("i32", "q8_k", "Q4_0_4_4", "unknown"):
        with pytest.raises(UsageError, match="is not a tensor type"):
            tensor_type_name(name)


def test_an_override_is_an_expression_and_a_type() -> None:
    assert override("attn_q=q8_0") == ("attn_q", "Q8_0")
    assert override(r"blk\.(1|2)\.FFN_=x=q4_K") == (r"blk\.(1|2)\.ffn_=x", "Q4_K")
    for text in ("attn_q", "=q8_0", "attn_q=", "a\0b=q8_0"):
        with pytest.raises(UsageError):
            override(text)


def test_the_classes_of_an_expression_keep_their_case() -> None:
    assert lowered(r"\S+\.FFN_Down\D") == r"\S+\.ffn_down\D"


def test_a_recipe_is_checked_with_all_its_types() -> None:
    recipe = checked(Recipe("q2_k", output_tensor_type="q8_0", token_embedding_type="f16", pure=True))
    assert (recipe.kind, recipe.output_tensor_type, recipe.token_embedding_type) == ("Q2_K", "Q8_0", "F16")
    assert recipe.pure
    with pytest.raises(UsageError):
        checked(Recipe("Q2_K", output_tensor_type="Q99"))


def test_what_llama_cpp_makes_only_with_a_matrix() -> None:
    assert wants_matrix("blk.0.attn_q.weight", "IQ2_XS", "IQ2_XS")
    assert wants_matrix("blk.0.attn_q.weight", "Q2_K", "Q2_K_S")
    assert not wants_matrix("blk.0.attn_q.weight", "Q2_K", "Q2_K")
    assert not wants_matrix("token_embd.weight", "IQ2_XS", "IQ2_XS")


def test_quantisers_that_take_no_matrix_say_so() -> None:
    assert {made.name for made in OFFERED if made.matrix is MatrixUse.UNUSED} == {
        "F32", "F16", "BF16", "Q8_0", "MXFP4_MOE", "TQ1_0", "TQ2_0",
    }  # fmt: skip
