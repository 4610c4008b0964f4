"""Placement against llama.cpp's rules, worked out by hand (llama-model.cpp, load_tensors)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qtui.core.gguf.types import TYPE_IDS
from qtui.core.memory.closed_form.backends import Card, Devices, backend_of
from qtui.core.memory.closed_form.placement import placement
from qtui.core.memory.closed_form.repack import repack_rules
from qtui.core.memory.closed_form.weights import Weights, place_weights
from qtui.core.memory.plan import ALL_LAYERS, LoadPlan
from qtui.core.text import GIB
from tests.builders.gguf import Tensor
from tests.builders.models import Values, attention, table_of

PLAN = LoadPlan(ctx_size=4096, n_gpu_layers=ALL_LAYERS)
Q4_K, Q6_K, Q8_0, F32 = (TYPE_IDS[name] for name in ("Q4_K", "Q6_K", "Q8_0", "F32"))


def cards(*free: int, name: str = "CUDA") -> tuple[Card, ...]:
    return tuple(Card(f"{name}{i}", backend_of(name), free=size * GIB) for i, size in enumerate(free))


def where(plan: LoadPlan, layers: int, *free: int) -> str:
    """One letter per block and one for the output: the card, or c for RAM."""
    found = placement(plan, layers, cards(*free))
    return "".join("c" if card is None else str(card) for card in (*found.blocks, found.output))


@pytest.mark.parametrize(
    ("layers", "expected"),
    [(0, "ccccc"), (1, "cccc0"), (2, "ccc00"), (4, "c0000"), (5, "00000"), (99, "00000"), (ALL_LAYERS, "00000")],
)
def test_the_output_goes_first_then_the_last_blocks(layers: int, expected: str) -> None:
    assert where(replace(PLAN, n_gpu_layers=layers), 4, 8) == expected


def test_two_cards_share_by_what_is_free_or_as_told() -> None:
    # 10 layers and the output: layer i goes to the first card whose share exceeds i/11.
    assert where(PLAN, 10, 8, 8) == "00000011111"  # 5/11 < 1/2 <= 6/11
    assert where(PLAN, 10, 24, 8) == "00000000011"  # 8/11 < 3/4 <= 9/11
    assert where(replace(PLAN, tensor_split=(1.0, 3.0)), 10, 8, 8) == "00011111111"  # 2/11 < 1/4 <= 3/11
    assert where(replace(PLAN, tensor_split=(1.0, 1.0, 1.0)), 8, 1, 1, 1) == "000111222"  # 3/9 is not below 1/3
    assert where(replace(PLAN, tensor_split=(0.0, 1.0)), 4, 8, 8) == "11111"
    assert where(replace(PLAN, tensor_split=(0.0, 0.0)), 3, 8, 8) == "0011"  # all zero is as if not told
    assert where(replace(PLAN, n_gpu_layers=4), 10, 8, 8) == "ccccccc0011"  # shares count what is offloaded only


def test_cards_of_unknown_size_share_evenly() -> None:
    unknown = (Card("CUDA0", backend_of("CUDA")), Card("CUDA1", backend_of("CUDA")))
    assert placement(PLAN, 3, unknown).blocks == (0, 0, 1)


def test_the_main_gpu_changes_nothing_while_layers_are_split() -> None:
    assert where(replace(PLAN, main_gpu=1), 10, 8, 8) == where(PLAN, 10, 8, 8)


BLOCK = (
    Tensor("blk.{}.attn_q.weight", (512, 256), Q4_K),
    Tensor("blk.{}.ffn_up_exps.weight", (512, 128, 4), Q4_K),
    Tensor("blk.{}.ffn_up_shexp.weight", (512, 128), Q4_K),
    Tensor("blk.{}.attn_norm.weight", (512,)),
)
ENDS = (Tensor("token_embd.weight", (512, 512), Q6_K), Tensor("output_norm.weight", (512,)))
VALUES = attention(3, 512, 4, 2, 64)
ATTENTION, EXPERTS, SHARED, NORM = 256 * 288, 4 * 128 * 288, 128 * 288, 2048
ONE_BLOCK = ATTENTION + EXPERTS + SHARED + NORM
EMBEDDING = 512 * 420


def model(*more: Tensor, values: Values = VALUES, blocks: int = 3) -> tuple[Tensor, ...]:
    inner = [replace(t, name=t.name.format(i)) for i in range(blocks) for t in BLOCK]
    return (*ENDS, *inner, *more)


def placed(
    plan: LoadPlan, *free: int, name: str = "CUDA", features: tuple[str, ...] = (), values: Values = VALUES,
    tensors: tuple[Tensor, ...] = model(),
) -> Weights:  # fmt: skip
    table = table_of("qwen3moe", values, tensors)
    there = cards(*free, name=name)
    return place_weights(table, placement(plan, table.layers, there), Devices(there, repack_rules(features)))


def test_a_tied_head_is_a_second_copy_on_the_output_s_card() -> None:
    whole = placed(PLAN, 8)
    assert (whole.plain, whole.cards) == (EMBEDDING, (EMBEDDING + NORM + 3 * ONE_BLOCK,))
    output_only = placed(replace(PLAN, n_gpu_layers=1), 8)
    assert output_only.cards == (EMBEDDING + NORM,)
    assert output_only.plain == EMBEDDING + 3 * ONE_BLOCK
    head = Tensor("output.weight", (512, 512), Q8_0)
    untied = placed(replace(PLAN, n_gpu_layers=1), 8, tensors=model(head))
    assert untied.cards == (512 * 544 + NORM,)


def test_experts_stay_in_ram_as_told_and_shared_ones_do_not() -> None:
    assert placed(replace(PLAN, n_cpu_moe=2), 8).plain == EMBEDDING + 2 * EXPERTS
    assert placed(replace(PLAN, cpu_moe=True), 8).plain == EMBEDDING + 3 * EXPERTS
    assert placed(replace(PLAN, cpu_moe=True), 8).largest_on_host == EXPERTS
    assert placed(PLAN, 8).largest_on_host == 0


def test_the_first_override_that_matches_wins_over_layers_and_experts() -> None:
    to_ram = replace(PLAN, override_tensor=((r"blk\.[01]\.attn_q", "CPU"),))
    assert placed(to_ram, 8).plain == EMBEDDING + 2 * ATTENTION
    back = replace(PLAN, cpu_moe=True, override_tensor=((r"blk\.2\..*_exps", "CUDA0"),))
    assert placed(back, 8).plain == EMBEDDING + 2 * EXPERTS
    twice = replace(PLAN, override_tensor=(("attn_q", "CUDA1"), ("attn", "CPU")))
    assert placed(twice, 8, 8).plain == EMBEDDING + 3 * NORM
    moved = placed(replace(PLAN, override_tensor=(("token_embd", "CUDA0"),)), 8)
    assert moved.plain == 0 and moved.cards == (EMBEDDING + NORM + 3 * ONE_BLOCK,)  # one copy serves both


def test_a_pattern_that_python_cannot_read_is_named() -> None:
    found = placement(replace(PLAN, override_tensor=(("[^]", "CPU"), ("attn", "CPU"))), 3, cards(8))
    assert found.unread == ("[^]",) and len(found.overrides) == 1


def test_cuda_aligns_to_128_bytes_and_rounds_quantised_rows_up_to_512() -> None:
    odd = (
        *ENDS,
        Tensor("blk.0.attn_q.weight", (768, 3), Q8_0),  # 768 = 512 + 256: 256 more elements, 8 blocks of 34 bytes
        Tensor("blk.1.attn_q.weight", (1024, 3), Q8_0),
        Tensor("blk.2.attn_norm.weight", (200,), F32),
    )
    sizes = (EMBEDDING, NORM, 3 * 24 * 34 + 8 * 34, 3 * 32 * 34, 800)
    assert placed(PLAN, 8, tensors=odd).cards == (sum(-(-size // 128) * 128 for size in sizes),)
    metal = (EMBEDDING, NORM, 3 * 24 * 34, 3 * 32 * 34, 800)
    assert placed(PLAN, 8, name="MTL", tensors=odd).cards == (sum(-(-size // 32) * 32 for size in metal),)


def test_blocks_for_prediction_are_not_loaded() -> None:
    values = {**VALUES, "nextn_predict_layers": 1}
    assert placed(replace(PLAN, n_gpu_layers=0), values=values).plain == EMBEDDING + NORM + 2 * ONE_BLOCK
    # They are counted as layers all the same: two on the card are the output and the block for prediction.
    assert placed(replace(PLAN, n_gpu_layers=2), 8, values=values).plain == EMBEDDING + 2 * ONE_BLOCK


def test_rope_factors_lie_once_on_every_device() -> None:
    more = Tensor("rope_freqs.weight", (64,))
    plan = replace(PLAN, n_gpu_layers=3)
    plain, card = placed(plan, 8), placed(plan, 8, tensors=model(more))
    assert card.plain - plain.plain == 256 and card.cards[0] - plain.cards[0] == 256


@pytest.mark.parametrize(
    ("features", "repacked"),
    [
        ((), 0),
        (("AVX2",), 0),  # a build without repacking
        (("REPACK", "AVX2"), 3 * (ATTENTION + EXPERTS + SHARED)),
        (("REPACK", "SSE3"), 0),
        (("REPACK", "NEON", "DOTPROD"), 3 * (ATTENTION + EXPERTS + SHARED) + EMBEDDING),  # Q6_K too: the tied head
    ],
)
def test_what_is_stored_anew_for_the_cpu(features: tuple[str, ...], repacked: int) -> None:
    found = placed(replace(PLAN, n_gpu_layers=0), features=features)
    assert found.repacked == repacked
    assert found.plain == EMBEDDING + NORM + 3 * ONE_BLOCK - min(repacked, 3 * (ATTENTION + EXPERTS + SHARED))


def test_rows_that_do_not_divide_and_matrices_of_other_shapes_are_not_stored_anew() -> None:
    tensors = (
        *ENDS,
        Tensor("blk.0.attn_q.weight", (256, 12), Q4_K),  # 12 rows, no multiple of 8
        Tensor("blk.0.attn_k_b.weight", (256, 8, 2), Q4_K),  # three dimensions, but no experts
        Tensor("blk.0.attn_k.weight", (256, 16), Q4_K),
    )
    assert placed(replace(PLAN, n_gpu_layers=0), features=("REPACK", "AVX2"), tensors=tensors).repacked == 16 * 144


def test_beside_a_card_with_pinned_memory_nothing_is_stored_anew() -> None:
    plan = replace(PLAN, n_gpu_layers=0)
    assert placed(plan, 8, features=("REPACK", "AVX2")).repacked == 0
    for name in ("RPC", "MTL"):
        assert placed(plan, 8, name=name, features=("REPACK", "AVX2")).repacked > 0
